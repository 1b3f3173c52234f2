"""What services need of the outside: the catalog and the block store, as protocols.

Everything is synchronous. A `Catalog` hands out transactions; the row groups on a transaction are
one protocol each. Unless said otherwise: `get` returns `None` for what is absent, lists are in
the order named, and nothing in a `write()` is visible to others, or durable, before the block ends
without an exception; after that it is both, across power cuts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from nodedata_registry.core.access import Role
from nodedata_registry.core.manifest import Manifest
from nodedata_registry.core.retention import Policy
from nodedata_registry.core.selectors import Candidate
from nodedata_registry.core.versions import Version
from nodedata_registry.server.blob_port import BlobStore as BlobStore
from nodedata_registry.server.blob_port import StoredBlock as StoredBlock
from nodedata_registry.server.rows import (
    AccountRow,
    ContentRow,
    EventRow,
    GrantRow,
    KeyRow,
    Mark,
    MemberRow,
    ModelRow,
    ModelSummary,
    NewEvent,
    NewRevision,
    RevisionRow,
    UploadRow,
    WorkspaceRow,
)


class MetaRows(Protocol):
    """Facts about the registry as a whole, as text by name (its id, when it was created, …)."""

    def get(self, name: str) -> str | None:
        """Return the value, `None` if it was never set."""
        ...

    def set(self, name: str, value: str) -> None:
        """Set or replace the value."""
        ...


class AccountRows(Protocol):
    """Accounts and their API keys."""

    def add(self, row: AccountRow) -> None: ...
    def get(self, account_id: str) -> AccountRow | None: ...
    def any(self) -> bool:
        """Return whether any account exists (false only before the first start finished)."""
        ...

    def add_key(self, row: KeyRow) -> None: ...
    def key_by_secret(self, secret_sha256: str) -> KeyRow | None:
        """Return the key whatever its state; the caller judges expiry and revocation."""
        ...

    def key(self, key_id: str) -> KeyRow | None: ...
    def keys_of(self, account_id: str) -> list[KeyRow]:
        """Return the account's keys, oldest first, revoked ones included."""
        ...

    def revoke_key(self, key_id: str, at: datetime) -> None:
        """Mark the key revoked; a repeated call keeps the first time."""
        ...


class WorkspaceRows(Protocol):
    """Workspaces and their members."""

    def add(self, row: WorkspaceRow) -> None:
        """Raise `NameTaken` when the slug, or a look-alike, was ever used."""
        ...

    def get(self, workspace_id: str) -> WorkspaceRow | None: ...
    def by_slug(self, slug: str) -> WorkspaceRow | None: ...
    def set_policy(self, workspace_id: str, policy: Policy | None) -> None: ...
    def all(self) -> list[WorkspaceRow]:
        """Return every workspace by slug."""
        ...

    def put_member(self, workspace_id: str, account_id: str, role: Role) -> None: ...
    def remove_member(self, workspace_id: str, account_id: str) -> bool: ...
    def members(self, workspace_id: str) -> list[MemberRow]: ...
    def roles_of(self, account_id: str) -> dict[str, Role]:
        """Return the account's role by workspace id."""
        ...


class ModelRows(Protocol):
    """Models, their grants and the search index."""

    def add(self, row: ModelRow) -> None:
        """Raise `NameTaken` when the name, or a look-alike, was ever used in the workspace."""
        ...

    def get(self, model_id: str) -> ModelRow | None: ...
    def by_ref(self, workspace: str, name: str) -> ModelRow | None: ...
    def in_workspace(self, workspace_id: str) -> list[ModelRow]: ...
    def set_visibility(self, model_id: str, visibility: str) -> None: ...

    def put_grant(self, model_id: str, account_id: str, at: datetime, expires_at: datetime | None) -> None:
        """Create or replace the account's grant; a revoked one becomes live again."""
        ...

    def revoke_grant(self, model_id: str, account_id: str, at: datetime) -> bool:
        """Return whether a live grant was revoked."""
        ...

    def grants(self, model_id: str) -> list[GrantRow]: ...
    def granted_to(self, account_id: str, now: datetime) -> frozenset[str]:
        """Return the ids of models on which the account has a live grant."""
        ...

    def put_summary(self, summary: ModelSummary, text: str) -> None:
        """Write what lists show and what full-text search finds (`text`)."""
        ...

    def summary(self, model_id: str) -> ModelSummary | None: ...

    def search(
        self,
        *,
        visible_workspaces: Iterable[str] | None,
        visible_models: Iterable[str],
        include_public: bool,
        query: str = "",
        task: str | None = None,
        framework: str | None = None,
        license: str | None = None,
        workspace_id: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[ModelSummary]:
        """Return up to `limit` models the caller may see, best match first, else newest change first.

        `visible_workspaces=None` means all (an operator). `after` continues behind the model with
        that id. Every word of `query` must match (prefixes count); any text is a valid query.
        """
        ...


class RevisionRows(Protocol):
    """Revisions: the immutable rows, and the marks beside them."""

    def add(self, row: NewRevision, manifest: Manifest) -> RevisionRow:
        """Write revision and manifest (once per digest). Raise `VersionExists` on a used version."""
        ...

    def get(self, model_id: str, version: Version) -> RevisionRow | None: ...
    def by_id(self, revision_id: str) -> RevisionRow | None: ...
    def list(
        self, model_id: str, *, before: int | None = None, limit: int | None = None
    ) -> list[RevisionRow]:
        """Return revisions highest version first; `before` and `limit` page by `sequence`, newest first."""
        ...

    def candidates(self, model_id: str) -> Sequence[Candidate]:
        """Return every revision as the resolution rule sees it, lowest version first."""
        ...

    def manifest(self, manifest_digest: str) -> Manifest | None: ...
    def facts(self, revision_id: str) -> bytes: ...
    def verdict(self, revision_id: str) -> bytes: ...
    def set_yank(self, revision_id: str, mark: Mark | None) -> None: ...
    def set_hold(self, revision_id: str, mark: Mark | None) -> None: ...
    def set_quarantine(self, revision_id: str, mark: Mark | None) -> None: ...
    def retire(self, revision_id: str, mark: Mark) -> None:
        """Mark the revision retired, for ever; a repeated call keeps the first mark."""
        ...


class ContentRows(Protocol):
    """File contents, their blocks, facts and texts; and which workspace holds which block."""

    def add(self, row: ContentRow) -> None:
        """Write a content once; a repeated call changes nothing."""
        ...

    def get(self, sha256: str) -> ContentRow | None: ...
    def many(self, sha256s: Iterable[str]) -> dict[str, ContentRow]: ...
    def put_facts(self, sha256: str, format: str, facts: bytes) -> None:
        """Write a file's facts once per (content, format); a repeated call changes nothing."""
        ...

    def facts(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
        """Return the kept facts by (sha256, format)."""
        ...

    def put_text(self, sha256: str, data: bytes) -> None:
        """Keep a small text (a card) beside its blocks, so that it outlives retirement."""
        ...

    def text(self, sha256: str) -> bytes | None: ...
    def held_by(self, workspace_id: str, digests: Iterable[str]) -> set[str]:
        """Return those of the blocks that the workspace holds."""
        ...

    def lease(self, workspace_id: str, blocks: Mapping[str, int], until: datetime) -> None:
        """Record that the workspace holds the blocks ({digest: size}), leased at least `until`.

        Takes the blocks off the list of doomed ones, so that no sweep removes them any more.
        Never shortens a lease.
        """
        ...

    def referenced_blocks(self) -> Iterator[str]:
        """Yield the digest of every block that an unretired revision needs (repeats possible)."""
        ...

    def contents_of_workspace(self, workspace_id: str, sha256s: Iterable[str]) -> set[str]:
        """Return those of the contents that an unretired revision of the workspace has."""
        ...

    def leased_blocks(self, now: datetime) -> Iterator[str]: ...
    def doom(self, digests: Iterable[str]) -> None:
        """List blocks as about to be deleted, and forget who holds them."""
        ...

    def doomed(self) -> set[str]: ...
    def absolve(self, digests: Iterable[str]) -> None:
        """Take blocks off the list of doomed ones."""
        ...


class UploadRows(Protocol):
    """Open publishes and their leases."""

    def add(self, row: UploadRow) -> None: ...
    def get(self, upload_id: str) -> UploadRow | None: ...
    def renew(self, upload_id: str, until: datetime) -> None: ...
    def close(self, upload_id: str, at: datetime) -> None: ...
    def drop_expired(self, before: datetime) -> int: ...


class DiffRows(Protocol):
    """Computed diffs, kept for ever per rules number."""

    def get(self, a_id: str, b_id: str, rules: int) -> bytes | None: ...
    def put(self, a_id: str, b_id: str, rules: int, diff: bytes) -> None:
        """Keep a diff once; a repeated call changes nothing."""
        ...


class EventRows(Protocol):
    """The append-only record."""

    def append(self, event: NewEvent) -> EventRow:
        """Give the event the next number and write its canonical bytes."""
        ...

    def after(self, sequence: int, limit: int) -> list[EventRow]:
        """Return events with a higher number, lowest first."""
        ...


class ReadTransaction(Protocol):
    """One consistent view of the catalog."""

    meta: MetaRows
    accounts: AccountRows
    workspaces: WorkspaceRows
    models: ModelRows
    revisions: RevisionRows
    contents: ContentRows
    uploads: UploadRows
    diffs: DiffRows
    events: EventRows


class WriteTransaction(ReadTransaction, Protocol):
    """The same rows, writable; writers are serialised."""


class Catalog(Protocol):
    """The registry's database."""

    def read(self) -> AbstractContextManager[ReadTransaction]:
        """Return a context that reads one snapshot. Safe from many threads."""
        ...

    def write(self) -> AbstractContextManager[WriteTransaction]:
        """Return a context that commits durably at its end, and rolls back on any exception.

        Writers wait for each other up to 30 s, then `Unavailable`. `InsufficientStorage` when the
        disk is full.
        """
        ...

    def close(self) -> None: ...
