"""Revisions are found by commit, and their downloads counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Index the commits of revisions, and create the table of downloads."""
    op.create_index(op.f("ix_revisions_commit_hex"), "revisions", ["commit_hex"], unique=False)
    op.create_table(
        "downloads",
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("revision_id", sa.String(length=40), nullable=False),
        sa.Column("count", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_downloads_model_id")),
        sa.ForeignKeyConstraint(["revision_id"], ["revisions.id"], name=op.f("fk_downloads_revision_id")),
        sa.PrimaryKeyConstraint("model_id", "revision_id", name=op.f("pk_downloads")),
        sqlite_with_rowid=False,
    )
