"""What the catalog keeps, as values: one frozen class per kind of row.

Times are timezone-aware UTC datetimes. Ids are `<prefix>_<ULID>` (see `core.ids`). Everything
under *immutable* below is refused change and deletion by the database itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nodedata_registry.core.access import Role, Scope
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.retention import Policy
from nodedata_registry.core.versions import Version


@dataclass(frozen=True, slots=True)
class AccountRow:
    """Who acts. An `operator` runs the registry itself."""

    id: str
    name: str
    operator: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key: only the SHA-256 of the secret is kept; `prefix` is for display."""

    id: str
    account_id: str
    name: str
    secret_sha256: str
    prefix: str
    scopes: frozenset[Scope]
    workspace_id: str | None
    model_id: str | None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """Owner of models; `policy` is `None` until one is set, which keeps everything."""

    id: str
    slug: str
    policy: Policy | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One account's role in one workspace."""

    workspace_id: str
    account_id: str
    account_name: str
    role: Role


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A named line of revisions. `visibility` is `public` or `private`."""

    id: str
    workspace_id: str
    workspace: str
    name: str
    visibility: str
    created_at: datetime

    @property
    def ref(self) -> str:
        """Return `workspace/name`."""
        return f"{self.workspace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What lists and search show of a model; kept in step with its highest served revision."""

    model: ModelRow
    latest: Version | None
    title: str | None
    license: str | None
    task: str | None
    framework: str | None
    revision_count: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class GrantRow:
    """An outside account's right to read one private model. Live while neither expired nor revoked."""

    model_id: str
    account_id: str
    account_name: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A mutable mark on a revision (yank, hold, quarantine, retirement): why, when and by whom."""

    reason: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class NewRevision:
    """The immutable part of a revision, as it is written once at commit.

    `facts` is the JSON of the joined schema and what else is derived from bytes for ever
    (`service.publish` writes and reads it), `verdict` the JSON of the bump verdict.
    """

    id: str
    model_id: str
    version: Version
    parent: Version | None
    manifest_digest: str
    commit: str
    changelog: str
    card_sha256: str
    facts: bytes
    verdict: bytes
    size_bytes: int
    file_count: int
    parameter_count: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """A published revision with its present marks. `sequence` counts a model's revisions from 1."""

    id: str
    model_id: str
    version: Version
    sequence: int
    parent: Version | None
    manifest_digest: str
    commit: str
    changelog: str
    card_sha256: str
    size_bytes: int
    file_count: int
    parameter_count: int
    created_at: datetime
    created_by: str
    yank: Mark | None = None
    hold: Mark | None = None
    quarantine: Mark | None = None
    retirement: Mark | None = None


@dataclass(frozen=True, slots=True)
class AttestationRow:
    """A signature beside a revision, as it was sent: `sha256` is that of `bundle`. *Immutable*.

    `kind` is the predicate type of what was signed, `key_hint` the SHA-256 of the signer's public key.
    """

    id: str
    revision_id: str
    sha256: str
    kind: str
    key_hint: str | None
    created_at: datetime
    created_by: str
    bundle: bytes


@dataclass(frozen=True, slots=True)
class ContentRow:
    """A file's content: SHA-256, size and the blocks whose concatenation it is (`cut` names the rule)."""

    sha256: str
    size_bytes: int
    cut: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class UploadRow:
    """An open publish: blocks sent within `lease_until` count as present for the workspace."""

    id: str
    model_id: str
    workspace_id: str
    account_id: str
    opened_at: datetime
    lease_until: datetime
    committed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event before it has its place in the sequence. `body` is JSON-able and holds no secrets."""

    id: str
    kind: str
    at: datetime
    account_id: str | None
    workspace_id: str | None
    model_id: str | None
    revision_id: str | None
    body: dict[str, object]
    internal: bool = False


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event in its place: `sequence` is gap-free from 1; `canonical` are the bytes a log will hash.

    `internal` events (grants, keys, members) stay with the workspace even where the model is public.
    """

    sequence: int
    id: str
    kind: str
    at: datetime
    account_id: str | None
    workspace_id: str | None
    model_id: str | None
    revision_id: str | None
    internal: bool
    canonical: bytes
