"""What services need of the outside: catalog, block store and background runs, as protocols.

Everything is synchronous. A `Catalog` hands out transactions; the row groups on a transaction are
one protocol each. Unless said otherwise: `get` returns `None` for what is absent, lists are in
the order named, and nothing in a `write()` is visible to others, or durable, before the block ends
without an exception; after that it is both, across power cuts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nodedata_registry.core.access import Role
from nodedata_registry.core.manifest import Manifest
from nodedata_registry.core.retention import Policy
from nodedata_registry.core.selectors import Candidate
from nodedata_registry.core.versions import Version
from nodedata_registry.server.blob_port import BlobStore, StoredBlock
from nodedata_registry.server.rows import (
    AccountRow,
    AttestationRow,
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


__all__ = [
    "AccountRows",
    "AttestationRows",
    "BlobStore",
    "Catalog",
    "ContentRows",
    "DiffRows",
    "DiffRunner",
    "DownloadRows",
    "EventRows",
    "MetaRows",
    "ModelRows",
    "Progress",
    "ReadTransaction",
    "RevisionRows",
    "StoredBlock",
    "UploadRows",
    "WorkspaceRows",
    "WriteTransaction",
]


class AccountRows(Protocol):
    """Accounts and their API keys."""

    def add(self, row: AccountRow) -> None:
        """Write a new account."""
        ...

    def get(self, account_id: str) -> AccountRow | None:
        """Return the account with that id."""
        ...

    def any(self) -> bool:
        """Return whether any account exists (false only before the first start finished)."""
        ...

    def add_key(self, row: KeyRow) -> None:
        """Write a new key."""
        ...

    def key_by_secret(self, secret_sha256: str) -> KeyRow | None:
        """Return the key whatever its state; the caller judges expiry and revocation."""
        ...

    def key(self, key_id: str) -> KeyRow | None:
        """Return the key with that id, whatever its state."""
        ...

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

    def get(self, workspace_id: str) -> WorkspaceRow | None:
        """Return the workspace with that id."""
        ...

    def by_slug(self, slug: str) -> WorkspaceRow | None:
        """Return the workspace with just that slug; look-alikes are not found."""
        ...

    def set_policy(self, workspace_id: str, policy: Policy | None) -> None:
        """Replace the retention policy; `None` keeps everything."""
        ...

    def all(self) -> list[WorkspaceRow]:
        """Return every workspace by slug."""
        ...

    def put_member(self, workspace_id: str, account_id: str, role: Role) -> None:
        """Give the account a role, in place of any that it has."""
        ...

    def remove_member(self, workspace_id: str, account_id: str) -> bool:
        """Take the role away; return whether there was one."""
        ...

    def members(self, workspace_id: str) -> list[MemberRow]:
        """Return the members by account name."""
        ...

    def roles_of(self, account_id: str) -> dict[str, Role]:
        """Return the account's role by workspace id."""
        ...


class ModelRows(Protocol):
    """Models, their grants and the search index."""

    def add(self, row: ModelRow) -> None:
        """Raise `NameTaken` when the name, or a look-alike, was ever used in the workspace."""
        ...

    def get(self, model_id: str) -> ModelRow | None:
        """Return the model with that id."""
        ...

    def by_ref(self, workspace: str, name: str) -> ModelRow | None:
        """Return the model with just that name; look-alikes are not found."""
        ...

    def in_workspace(self, workspace_id: str) -> list[ModelRow]:
        """Return the models of a workspace by name."""
        ...

    def set_visibility(self, model_id: str, visibility: str) -> None:
        """Set `public` or `private`; the database refuses to hide what was published."""
        ...

    def put_grant(self, model_id: str, account_id: str, at: datetime, expires_at: datetime | None) -> None:
        """Create or replace the account's grant; a revoked one becomes live again."""
        ...

    def revoke_grant(self, model_id: str, account_id: str, at: datetime) -> bool:
        """Return whether a live grant was revoked."""
        ...

    def grants(self, model_id: str) -> list[GrantRow]:
        """Return every grant, ended ones included, by account name."""
        ...

    def granted_to(self, account_id: str, now: datetime) -> frozenset[str]:
        """Return the ids of models on which the account has a live grant."""
        ...

    def put_summary(self, summary: ModelSummary, text: str) -> None:
        """Write what lists show and what full-text search finds (`text`)."""
        ...

    def summary(self, model_id: str) -> ModelSummary | None:
        """Return what lists show of the model."""
        ...

    def search(
        self,
        *,
        visible_workspaces: Iterable[str] | None,
        visible_models: Iterable[str],
        include_public: bool,
        query: str = "",
        task: str | None = None,
        framework: str | None = None,
        license: str | None = None,  # noqa: A002  the word of the API
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
        """Write revision and manifest (once per digest). Raise `VersionExists` on a used version.

        The contents that the manifest names must be known (`ContentRows.add`) when the write ends.
        Raises `DigestMismatch` if the manifest is not the one that the row names.
        """
        ...

    def get(self, model_id: str, version: Version) -> RevisionRow | None:
        """Return the revision of that version, whatever its marks."""
        ...

    def by_id(self, revision_id: str) -> RevisionRow | None:
        """Return the revision with that id."""
        ...

    def by_commit(self, model_id: str, commit: str) -> RevisionRow | None:
        """Return the model's revision with that commit (40 hex), whatever its marks."""
        ...

    def list(
        self, model_id: str, *, before: int | None = None, limit: int | None = None
    ) -> list[RevisionRow]:
        """Return all revisions, highest version first; or, with `before` or `limit`, a page.

        A page is ordered by `sequence`, newest first, and holds what came before `before`.
        """
        ...

    def candidates(self, model_id: str) -> Sequence[Candidate]:
        """Return every revision as the resolution rule sees it, lowest version first."""
        ...

    def manifest(self, manifest_digest: str) -> Manifest | None:
        """Return the manifest with that digest."""
        ...

    def facts(self, revision_id: str) -> bytes:
        """Return the facts that were written with the revision."""
        ...

    def verdict(self, revision_id: str) -> bytes:
        """Return the verdict that was written with the revision."""
        ...

    def set_yank(self, revision_id: str, mark: Mark | None) -> None:
        """Set or take away (`None`) the yank."""
        ...

    def set_hold(self, revision_id: str, mark: Mark | None) -> None:
        """Set or take away (`None`) the hold."""
        ...

    def set_quarantine(self, revision_id: str, mark: Mark | None) -> None:
        """Set or take away (`None`) the quarantine."""
        ...

    def retire(self, revision_id: str, mark: Mark) -> None:
        """Mark the revision retired, for ever; a repeated call keeps the first mark."""
        ...


class ContentRows(Protocol):
    """File contents, their blocks, facts and texts; and which workspace holds which block."""

    def add(self, row: ContentRow) -> None:
        """Write a content once; a repeated call changes nothing."""
        ...

    def get(self, sha256: str) -> ContentRow | None:
        """Return the content with that SHA-256."""
        ...

    def many(self, sha256s: Iterable[str]) -> dict[str, ContentRow]:
        """Return the known ones of the contents, by SHA-256."""
        ...

    def put_facts(self, sha256: str, format: str, facts: bytes) -> None:  # noqa: A002
        """Write a file's facts once per (content, format); a repeated call changes nothing."""
        ...

    def facts(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
        """Return the kept facts by (sha256, format)."""
        ...

    def put_text(self, sha256: str, data: bytes) -> None:
        """Keep a small text (a card) beside its blocks, so that it outlives retirement."""
        ...

    def text(self, sha256: str) -> bytes | None:
        """Return the kept text with that SHA-256."""
        ...

    def held_by(self, workspace_id: str, digests: Iterable[str]) -> set[str]:
        """Return those of the blocks that the workspace holds."""
        ...

    def lease(self, workspace_id: str, blocks: Mapping[str, int], until: datetime) -> None:
        """Record that the workspace holds the blocks ({digest: size}), leased at least `until`.

        Never shortens a lease.
        """
        ...

    def referenced_blocks(self) -> Iterator[str]:
        """Yield the digest of every block that an unretired revision needs (repeats possible)."""
        ...

    def contents_of_workspace(self, workspace_id: str, sha256s: Iterable[str]) -> set[str]:
        """Return those of the contents that an unretired revision of the workspace has."""
        ...

    def leased_blocks(self, now: datetime) -> Iterator[str]:
        """Yield every block under a lease that still runs at `now` (repeats possible)."""
        ...

    def forget(self, digests: Iterable[str], now: datetime) -> set[str]:
        """Forget who holds those of the blocks that no lease covers at `now`; return just these.

        A block that nobody holds counts as forgotten. After the commit an upload that names a
        forgotten block is told to send it again, so the block may be deleted.
        """
        ...


class UploadRows(Protocol):
    """Open publishes and their leases."""

    def add(self, row: UploadRow) -> None:
        """Write a new upload."""
        ...

    def get(self, upload_id: str) -> UploadRow | None:
        """Return the upload with that id, whatever its state; `None` once it was dropped."""
        ...

    def renew(self, upload_id: str, until: datetime) -> None:
        """Lengthen the lease to `until`; it never becomes shorter."""
        ...

    def close(self, upload_id: str, at: datetime) -> None:
        """Mark the upload committed; a repeated call keeps the first time."""
        ...

    def drop_expired(self, before: datetime) -> int:
        """Remove uploads whose lease ended before that time; return how many."""
        ...


class DiffRows(Protocol):
    """Computed diffs, kept for ever per rules number."""

    def get(self, a_id: str, b_id: str, rules: int) -> bytes | None:
        """Return the kept diff of two revisions under these rules."""
        ...

    def put(self, a_id: str, b_id: str, rules: int, diff: bytes) -> None:
        """Keep a diff once; a repeated call changes nothing."""
        ...


class AttestationRows(Protocol):
    """Signatures beside revisions: added, never changed or removed."""

    def add(self, row: AttestationRow) -> None:
        """Write a new attestation."""
        ...

    def find(self, revision_id: str, sha256: str) -> AttestationRow | None:
        """Return the revision's attestation whose bundle has that SHA-256."""
        ...

    def count(self, revision_id: str) -> int:
        """Return how many attestations the revision has."""
        ...

    def of(self, revision_id: str) -> list[AttestationRow]:
        """Return the revision's attestations, oldest first."""
        ...


class DownloadRows(Protocol):
    """How often revisions were downloaded: figures to look at, which nothing is decided by."""

    def add(self, model_id: str, revision_id: str) -> None:
        """Count one download of the model's revision more."""
        ...

    def of(self, model_ids: Iterable[str]) -> dict[str, int]:
        """Return the downloads of those of the models that were ever downloaded, by id."""
        ...


class EventRows(Protocol):
    """The append-only record."""

    def append(self, event: NewEvent) -> EventRow:
        """Give the event the next number and write its canonical bytes."""
        ...

    def after(self, sequence: int, limit: int) -> list[EventRow]:
        """Return events with a higher number, lowest first."""
        ...

    def sequence_of(self, event_id: str) -> int | None:
        """Return the number of the event with that id, `None` if there is none."""
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
    attestations: AttestationRows
    downloads: DownloadRows
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

    def close(self) -> None:
        """Give every connection back; the catalog is of no use afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a diff has come: bytes of weights read of those to read."""

    done_bytes: int
    total_bytes: int


class DiffRunner(Protocol):
    """Runs the computation of a diff once per pair, however many callers want it."""

    def submit(self, key: tuple[str, str], compute: Callable[[Callable[[int, int], None]], None]) -> None:
        """Start `compute(report)` in the background unless a run for `key` is under way.

        `report(done_bytes, total_bytes)` may be called as often as wanted.
        """
        ...

    def wait(self, key: tuple[str, str], seconds: float) -> Progress | None:
        """Wait up to `seconds` for the run of `key`; return `None` when none is under way any more.

        Re-raises, once, the error of a run that failed.
        """
        ...

    def works_ahead(self) -> bool:
        """Tell whether this process computes what nobody has asked for yet.

        Of the processes that share a data folder one does; the others compute what they are asked for.
        """
        ...
