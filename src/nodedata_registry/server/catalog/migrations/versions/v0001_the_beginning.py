"""Everything that the catalog began with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.String(27)


def upgrade() -> None:
    """Create every table, and the search index where the database has one of its own."""
    _accounts()
    _diffs()
    _events()
    _file_contents()
    _file_facts()
    _manifests()
    _registry_meta()
    _texts()
    _workspaces()
    _manifest_files()
    _members()
    _models()
    _workspace_blocks()
    _api_keys()
    _grants()
    _model_summaries()
    _revisions()
    _uploads()
    _revision_marks()
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE model_search USING fts5"
            "(title, name, workspace, card, tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
        )


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("operator", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )


def _diffs() -> None:
    op.create_table(
        "diffs",
        sa.Column("a_id", sa.String(length=40), nullable=False),
        sa.Column("b_id", sa.String(length=40), nullable=False),
        sa.Column("rules", WHOLE, nullable=False),
        sa.Column("diff", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("a_id", "b_id", "rules", name=op.f("pk_diffs")),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("sequence", WHOLE, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=True),
        sa.Column("workspace_id", sa.String(length=40), nullable=True),
        sa.Column("model_id", sa.String(length=40), nullable=True),
        sa.Column("revision_id", sa.String(length=40), nullable=True),
        sa.Column("internal", sa.Boolean(), nullable=False),
        sa.Column("canonical", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_events")),
        sa.UniqueConstraint("id", name=op.f("uq_events_id")),
    )


def _file_contents() -> None:
    op.create_table(
        "file_contents",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", WHOLE, nullable=False),
        sa.Column("cut", WHOLE, nullable=False),
        sa.Column("blocks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_file_contents")),
    )


def _file_facts() -> None:
    op.create_table(
        "file_facts",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "format", name=op.f("pk_file_facts")),
    )


def _manifests() -> None:
    op.create_table(
        "manifests",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("file_count", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_manifests")),
        sqlite_with_rowid=False,
    )


def _registry_meta() -> None:
    op.create_table(
        "registry_meta",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_registry_meta")),
    )


def _texts() -> None:
    op.create_table(
        "texts",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_texts")),
    )


def _workspaces() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("slug", sa.String(length=96), nullable=False),
        sa.Column("folded", sa.String(length=96), nullable=False),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
        sa.UniqueConstraint("folded", name=op.f("uq_workspaces_folded")),
        sa.UniqueConstraint("slug", name=op.f("uq_workspaces_slug")),
    )


def _manifest_files() -> None:
    op.create_table(
        "manifest_files",
        sa.Column("manifest_digest", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", WHOLE, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["manifest_digest"],
            ["manifests.digest"],
            name=op.f("fk_manifest_files_manifest_digest"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["sha256"],
            ["file_contents.sha256"],
            name=op.f("fk_manifest_files_sha256"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("manifest_digest", "path", name=op.f("pk_manifest_files")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_manifest_files_sha256"), "manifest_files", ["sha256"], unique=False)


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("workspace_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_members_account_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_members_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", "account_id", name=op.f("pk_members")),
    )
    op.create_index(op.f("ix_members_account_id"), "members", ["account_id"], unique=False)


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("folded", sa.String(length=96), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changes", WHOLE, server_default="0", nullable=False),
        sa.CheckConstraint("visibility IN ('public', 'private')", name=op.f("ck_models_visibility")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_models_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("workspace_id", "folded", name=op.f("uq_models_workspace_id_folded")),
    )


def _workspace_blocks() -> None:
    op.create_table(
        "workspace_blocks",
        sa.Column("workspace_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", WHOLE, nullable=False),
        sa.Column("lease_until", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_workspace_blocks_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "digest", name=op.f("pk_workspace_blocks")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_workspace_blocks_digest"), "workspace_blocks", ["digest"], unique=False)


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.String(length=40), nullable=True),
        sa.Column("model_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_api_keys_account_id")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_api_keys_model_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_api_keys_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_api_keys_secret_sha256")),
    )
    op.create_index(op.f("ix_api_keys_account_id"), "api_keys", ["account_id"], unique=False)


def _grants() -> None:
    op.create_table(
        "grants",
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_grants_account_id")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_grants_model_id")),
        sa.PrimaryKeyConstraint("model_id", "account_id", name=op.f("pk_grants")),
    )
    op.create_index(op.f("ix_grants_account_id"), "grants", ["account_id"], unique=False)


def _model_summaries() -> None:
    op.create_table(
        "model_summaries",
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("latest", sa.String(length=64), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("license", sa.Text(), nullable=True),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("framework", sa.Text(), nullable=True),
        sa.Column("license_folded", sa.Text(), nullable=True),
        sa.Column("task_folded", sa.Text(), nullable=True),
        sa.Column("framework_folded", sa.Text(), nullable=True),
        sa.Column("revision_count", WHOLE, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_model_summaries_model_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_model_summaries")),
        sa.UniqueConstraint("model_id", name=op.f("uq_model_summaries_model_id")),
    )
    op.create_index(
        op.f("ix_model_summaries_updated_at_model_id"),
        "model_summaries",
        ["updated_at", "model_id"],
        unique=False,
    )


def _revisions() -> None:
    op.create_table(
        "revisions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("major", WHOLE, nullable=False),
        sa.Column("minor", WHOLE, nullable=False),
        sa.Column("patch", WHOLE, nullable=False),
        sa.Column("sequence", WHOLE, nullable=False),
        sa.Column("parent", sa.String(length=64), nullable=True),
        sa.Column("manifest_digest", sa.String(length=64), nullable=False),
        sa.Column("commit_hex", sa.String(length=40), nullable=False),
        sa.Column("changelog", sa.Text(), nullable=False),
        sa.Column("card_sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", WHOLE, nullable=False),
        sa.Column("file_count", WHOLE, nullable=False),
        sa.Column("parameter_count", WHOLE, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("major BETWEEN 0 AND 9007199254740991", name=op.f("ck_revisions_major")),
        sa.CheckConstraint("minor BETWEEN 0 AND 9007199254740991", name=op.f("ck_revisions_minor")),
        sa.CheckConstraint("patch BETWEEN 0 AND 9007199254740991", name=op.f("ck_revisions_patch")),
        sa.ForeignKeyConstraint(
            ["manifest_digest"], ["manifests.digest"], name=op.f("fk_revisions_manifest_digest")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_revisions_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revisions")),
        sa.UniqueConstraint(
            "model_id", "major", "minor", "patch", name=op.f("uq_revisions_model_id_major_minor_patch")
        ),
        sa.UniqueConstraint("model_id", "sequence", name=op.f("uq_revisions_model_id_sequence")),
    )
    op.create_index(op.f("ix_revisions_manifest_digest"), "revisions", ["manifest_digest"], unique=False)


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("workspace_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("lease_until", MOMENT, nullable=False),
        sa.Column("committed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_uploads_account_id")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_uploads_model_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_uploads_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_lease_until"), "uploads", ["lease_until"], unique=False)


def _revision_marks() -> None:
    op.create_table(
        "revision_marks",
        sa.Column("revision_id", sa.String(length=40), nullable=False),
        sa.Column("yank_reason", sa.Text(), nullable=True),
        sa.Column("yank_at", MOMENT, nullable=True),
        sa.Column("yank_by", sa.String(length=40), nullable=True),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("hold_at", MOMENT, nullable=True),
        sa.Column("hold_by", sa.String(length=40), nullable=True),
        sa.Column("quarantine_reason", sa.Text(), nullable=True),
        sa.Column("quarantine_at", MOMENT, nullable=True),
        sa.Column("quarantine_by", sa.String(length=40), nullable=True),
        sa.Column("retirement_reason", sa.Text(), nullable=True),
        sa.Column("retirement_at", MOMENT, nullable=True),
        sa.Column("retirement_by", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revisions.id"], name=op.f("fk_revision_marks_revision_id")
        ),
        sa.PrimaryKeyConstraint("revision_id", name=op.f("pk_revision_marks")),
        sqlite_with_rowid=False,
    )
