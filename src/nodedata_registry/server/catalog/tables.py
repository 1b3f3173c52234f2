"""The catalog's tables, the same on every database.

What the database itself refuses to change is listed in `GUARDS` (see `sqlite.triggers`):

    never changed, never deleted ... revisions, manifests, manifest_files, file_contents,
                                     file_facts, texts, events, diffs, attestations
    never deleted, some columns fixed ... accounts, workspaces, models, revision_marks
    free ... members, grants, api_keys, uploads, workspace_blocks, model_summaries,
             downloads, registry_meta

A change here needs a migration; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from nodedata_registry.server.catalog.types import Moment, Whole

LARGEST_NUMBER = 2**53 - 1  # of a version: CONTRACT.md section 2

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

registry_meta = Table(
    "registry_meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("operator", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("slug", String(96), nullable=False, unique=True),
    Column("folded", String(96), nullable=False, unique=True),
    Column("policy", Text),
    Column("created_at", Moment, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("workspace_id", ForeignKey("workspaces.id"), nullable=False),
    Column("name", String(96), nullable=False),
    Column("folded", String(96), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    # Grows with every change of a revision or its marks (the database does it): what was computed
    # from a model's revisions is fresh exactly while this number is the same.
    Column("changes", Whole, nullable=False, server_default="0"),
    UniqueConstraint("workspace_id", "folded"),
    CheckConstraint("visibility IN ('public', 'private')", name="visibility"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", String(64), nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("workspace_id", ForeignKey("workspaces.id")),
    Column("model_id", ForeignKey("models.id")),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
)

members = Table(
    "members",
    metadata,
    Column("workspace_id", ForeignKey("workspaces.id"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True, index=True),
    Column("role", String(16), nullable=False),
)

grants = Table(
    "grants",
    metadata,
    Column("model_id", ForeignKey("models.id"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True, index=True),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
)

model_summaries = Table(
    "model_summaries",
    metadata,
    Column("number", Whole, primary_key=True),  # the row number of the search index
    Column("model_id", ForeignKey("models.id"), nullable=False, unique=True),
    Column("latest", String(64)),
    Column("title", Text),
    Column("license", Text),
    Column("task", Text),
    Column("framework", Text),
    Column("license_folded", Text),
    Column("task_folded", Text),
    Column("framework_folded", Text),
    Column("revision_count", Whole, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index(None, "updated_at", "model_id"),
)

file_contents = Table(
    "file_contents",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size_bytes", Whole, nullable=False),
    Column("cut", Whole, nullable=False),
    Column("blocks", LargeBinary, nullable=False),  # 36 bytes a block: `contents.pack`
)

file_facts = Table(
    "file_facts",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("format", String(64), primary_key=True),
    Column("facts", LargeBinary, nullable=False),
)

texts = Table(
    "texts",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

manifests = Table(
    "manifests",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("file_count", Whole, nullable=False),
    sqlite_with_rowid=False,
)

# The foreign keys wait for the commit, because the rows of a manifest come before the manifest,
# which seals it: the database refuses further rows for a digest that exists.
manifest_files = Table(
    "manifest_files",
    metadata,
    Column(
        "manifest_digest",
        ForeignKey("manifests.digest", deferrable=True, initially="DEFERRED"),
        primary_key=True,
    ),
    Column("path", Text, primary_key=True),
    Column("size_bytes", Whole, nullable=False),
    Column(
        "sha256",
        ForeignKey("file_contents.sha256", deferrable=True, initially="DEFERRED"),
        nullable=False,
        index=True,
    ),
    sqlite_with_rowid=False,
)

revisions = Table(
    "revisions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("model_id", ForeignKey("models.id"), nullable=False),
    Column("major", Whole, nullable=False),
    Column("minor", Whole, nullable=False),
    Column("patch", Whole, nullable=False),
    Column("sequence", Whole, nullable=False),
    Column("parent", String(64)),
    Column("manifest_digest", ForeignKey("manifests.digest"), nullable=False, index=True),
    Column("commit_hex", String(40), nullable=False, index=True),
    Column("changelog", Text, nullable=False),
    Column("card_sha256", String(64), nullable=False),
    Column("size_bytes", Whole, nullable=False),
    Column("file_count", Whole, nullable=False),
    Column("parameter_count", Whole, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(40), nullable=False),
    # Last, so that lists never read the pages these may spill to.
    Column("facts", LargeBinary, nullable=False),
    Column("verdict", LargeBinary, nullable=False),
    UniqueConstraint("model_id", "major", "minor", "patch"),
    UniqueConstraint("model_id", "sequence"),
    CheckConstraint(f"major BETWEEN 0 AND {LARGEST_NUMBER}", name="major"),
    CheckConstraint(f"minor BETWEEN 0 AND {LARGEST_NUMBER}", name="minor"),
    CheckConstraint(f"patch BETWEEN 0 AND {LARGEST_NUMBER}", name="patch"),
)

revision_marks = Table(
    "revision_marks",
    metadata,
    Column("revision_id", ForeignKey("revisions.id"), primary_key=True),
    Column("yank_reason", Text),
    Column("yank_at", Moment),
    Column("yank_by", String(40)),
    Column("hold_reason", Text),
    Column("hold_at", Moment),
    Column("hold_by", String(40)),
    Column("quarantine_reason", Text),
    Column("quarantine_at", Moment),
    Column("quarantine_by", String(40)),
    Column("retirement_reason", Text),
    Column("retirement_at", Moment),
    Column("retirement_by", String(40)),
    sqlite_with_rowid=False,
)

workspace_blocks = Table(
    "workspace_blocks",
    metadata,
    Column("workspace_id", ForeignKey("workspaces.id"), primary_key=True),
    Column("digest", String(64), primary_key=True, index=True),
    Column("size_bytes", Whole, nullable=False),
    Column("lease_until", Moment, nullable=False),
    sqlite_with_rowid=False,
)


uploads = Table(
    "uploads",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("model_id", ForeignKey("models.id"), nullable=False),
    Column("workspace_id", ForeignKey("workspaces.id"), nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("lease_until", Moment, nullable=False, index=True),
    Column("committed_at", Moment),
)

downloads = Table(
    "downloads",
    metadata,
    Column("model_id", ForeignKey("models.id"), primary_key=True),
    Column("revision_id", ForeignKey("revisions.id"), primary_key=True),
    Column("count", Whole, nullable=False),
    sqlite_with_rowid=False,
)

attestations = Table(
    "attestations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("revision_id", ForeignKey("revisions.id"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("kind", Text, nullable=False),
    Column("key_hint", Text),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(40), nullable=False),
    Column("bundle", LargeBinary, nullable=False),
    UniqueConstraint("revision_id", "sha256"),
)

diffs = Table(
    "diffs",
    metadata,
    Column("a_id", String(40), primary_key=True),
    Column("b_id", String(40), primary_key=True),
    Column("rules", Whole, primary_key=True),
    Column("diff", LargeBinary, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("sequence", Whole, primary_key=True, autoincrement=False),
    Column("id", String(40), nullable=False, unique=True),
    Column("kind", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("account_id", String(40)),
    Column("workspace_id", String(40)),
    Column("model_id", String(40)),
    Column("revision_id", String(40)),
    Column("internal", Boolean, nullable=False),
    Column("canonical", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Guard:
    """What the database refuses for one table, whoever asks.

    Deleting is always refused, and so is inserting over any of the `keys`. `fixed` names the
    columns that never change; `None` means all of them.
    """

    table: str
    keys: tuple[tuple[str, ...], ...]
    fixed: tuple[str, ...] | None = None
    has_rowid: bool = True


GUARDS = (
    Guard("revisions", (("id",), ("model_id", "major", "minor", "patch"), ("model_id", "sequence"))),
    Guard("manifests", (("digest",),), has_rowid=False),
    Guard("manifest_files", (("manifest_digest", "path"),), has_rowid=False),
    Guard("file_contents", (("sha256",),)),
    Guard("file_facts", (("sha256", "format"),)),
    Guard("texts", (("sha256",),)),
    Guard("events", (("sequence",), ("id",))),
    Guard("diffs", (("a_id", "b_id", "rules"),)),
    Guard("attestations", (("id",), ("revision_id", "sha256"))),
    Guard("accounts", (("id",),), fixed=("id", "created_at")),
    Guard("workspaces", (("id",), ("slug",), ("folded",)), fixed=("id", "slug", "folded", "created_at")),
    Guard(
        "models",
        (("id",), ("workspace_id", "folded")),
        fixed=("id", "workspace_id", "name", "folded", "created_at"),
    ),
    Guard("revision_marks", (("revision_id",),), fixed=("revision_id",), has_rowid=False),
)
"""Every guarded table. The two rules with conditions of their own are in `sqlite.triggers`."""
