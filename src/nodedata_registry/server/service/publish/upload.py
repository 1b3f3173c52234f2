"""Check, open an upload, take blocks: everything before the commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from nodedata_registry.core.access import Caller, Scope, require_account
from nodedata_registry.core.diff import FileChange, file_changes
from nodedata_registry.core.digests import sha256_hex
from nodedata_registry.core.facts import FileFacts, ReplaySource, format_of, needs_header, read_file_facts
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.errors import (
    CardRequired,
    DigestMismatch,
    InvalidRequest,
    TooLarge,
    UploadExpired,
    UploadNotFound,
)
from nodedata_registry.server.ports import ReadTransaction, WriteTransaction
from nodedata_registry.server.rows import ModelRow, UploadRow
from nodedata_registry.server.service.locate import find_model
from nodedata_registry.server.service.publish.examine import Evidence, Examined, Exists, examine
from nodedata_registry.server.service.publish.ingest import check_cut
from nodedata_registry.server.service.publish.order import OrderFile, PublishOrder, check_limits
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.stored import manifest_of
from nodedata_registry.server.service.views import RevisionView, view_of

_RENEW_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a publish would do: the verdict, what changes against the parent, which blocks to send."""

    examined: Examined
    changes: tuple[FileChange, ...]
    missing: dict[str, int]

    @property
    def missing_bytes(self) -> int:
        """Bytes of the blocks that would have to be sent."""
        return sum(self.missing.values())


@dataclass(frozen=True, slots=True)
class OpenedUpload:
    """An open upload, or (then `upload` is `None`) the revision that exists already."""

    upload: UploadRow | None
    checked: Checked | None
    existing: RevisionView | None


def check(registry: Registry, caller: Caller, ref: str, order: PublishOrder) -> Checked | RevisionView:
    """Return the verdict on a publish without opening one; a bump too low is told, not raised.

    An order whose very revision exists gives that revision.

    Raises:
        Every error of `examine` but VersionTooLow; ModelNotFound, ScopeMissing, TooLarge.
    """
    check_limits(order, registry.limits)
    with registry.catalog.read() as tx:
        model = model_to_publish(registry, tx, caller, ref, order)
        found = examine(tx, model, order, header_evidence(tx, model, order), enforce=False)
        if isinstance(found, Exists):
            return view_of(tx, model, found.row)
        return _checked(tx, model, order, found)


def model_to_publish(
    registry: Registry, tx: ReadTransaction, caller: Caller, ref: str, order: PublishOrder
) -> ModelRow:
    """Return the model if the caller may publish there; accepting findings takes an owner.

    Raises:
        ModelNotFound, NotAuthenticated, ScopeMissing.
    """
    model = find_model(registry, tx, caller, ref, Scope.MODELS_UPLOAD)
    if order.accept:
        find_model(registry, tx, caller, ref, Scope.WORKSPACE_ADMIN)
    return model


def open_upload(registry: Registry, caller: Caller, ref: str, order: PublishOrder) -> OpenedUpload:
    """Run every check that headers allow, then open an upload and say which blocks are missing.

    Blocks that the workspace holds are leased to the upload, so that no sweep takes them.

    Raises:
        Every error of `examine`; ModelNotFound, NotAuthenticated, ScopeMissing, TooLarge.
    """
    check_limits(order, registry.limits)
    with registry.catalog.write() as tx:
        model = model_to_publish(registry, tx, caller, ref, order)
        found = examine(tx, model, order, header_evidence(tx, model, order))
        if isinstance(found, Exists):
            return OpenedUpload(None, None, view_of(tx, model, found.row))
        checked = _checked(tx, model, order, found)
        now = registry.now()
        until = now + registry.limits.upload_lease
        upload = UploadRow(
            registry.new_id("upl_"), model.id, model.workspace_id, require_account(caller), now, until
        )
        tx.uploads.add(upload)
        sizes = order.block_sizes()
        present = {digest: size for digest, size in sizes.items() if digest not in checked.missing}
        tx.contents.lease(model.workspace_id, present, until)
    return OpenedUpload(upload, checked, None)


def _checked(tx: ReadTransaction, model: ModelRow, order: PublishOrder, found: Examined) -> Checked:
    sizes = order.block_sizes()
    held = tx.contents.held_by(model.workspace_id, sizes)
    missing = {digest: size for digest, size in sizes.items() if digest not in held}
    before = None if found.parent is None else manifest_of(tx, found.parent)
    return Checked(found, file_changes(before, found.manifest), missing)


def header_evidence(tx: ReadTransaction, model: ModelRow, order: PublishOrder) -> Evidence:
    """Return the evidence that header ranges give, or what the workspace's own catalog keeps."""
    by_path = {file.entry.path: file for file in order.files}

    def facts_of(entry: FileEntry) -> FileFacts:
        file = by_path[entry.path]
        facts = _kept_facts(tx, model, entry) or read_file_facts(
            entry, ReplaySource(entry.size_bytes, file.headers)
        )
        check_cut(file, facts)
        return facts

    return Evidence(facts_of, lambda entry: _card_bytes(by_path[entry.path]))


def _kept_facts(tx: ReadTransaction, model: ModelRow, entry: FileEntry) -> FileFacts | None:
    key = (entry.sha256, format_of(entry.path))
    if not needs_header(entry.path):
        return None
    if not tx.contents.contents_of_workspace(model.workspace_id, [entry.sha256]):
        return None
    kept = tx.contents.facts([key]).get(key)
    return None if kept is None else FileFacts.from_json(kept).at(entry.path)


def _card_bytes(file: OrderFile) -> bytes:
    data = b"".join(piece for _, piece in file.headers)
    if len(data) != file.entry.size_bytes:
        raise CardRequired(
            f"the request does not carry the card {file.entry.path!a}: send it whole as a header range",
            field="headers",
        )
    if sha256_hex(data) != file.entry.sha256:
        raise DigestMismatch(f"the card {file.entry.path!a} is not what its SHA-256 says", field="headers")
    return data


def put_block(registry: Registry, caller: Caller, ref: str, upload_id: str, digest: str, data: bytes) -> bool:
    """Store a block for an open upload; it is verified and durable when this returns. Repeatable.

    Returns whether the store did not have it.

    Raises:
        UploadNotFound, UploadExpired, TooLarge, DigestMismatch, InsufficientStorage.
        InvalidRequest: the block is empty.
    """
    if len(data) > registry.limits.block_bytes:
        raise TooLarge(f"a block has at most {registry.limits.block_bytes:,} bytes", field="body")
    if not data:
        raise InvalidRequest("a block has at least one byte", field="body")
    with registry.catalog.read() as tx:
        model = find_model(registry, tx, caller, ref, Scope.MODELS_UPLOAD)
        open_upload_row(registry, tx, caller, model, upload_id)
    new = registry.blobs.put(digest, data)
    with registry.catalog.write() as tx:
        upload = open_upload_row(registry, tx, caller, model, upload_id)
        until = renewed(registry, tx, upload)
        tx.contents.lease(upload.workspace_id, {digest: len(data)}, until)
    if not registry.blobs.has(digest):
        # A sweep that had listed the block before the lease was written may have taken it since.
        registry.blobs.put(digest, data)
    return new


def open_upload_row(
    registry: Registry, tx: ReadTransaction, caller: Caller, model: ModelRow, upload_id: str
) -> UploadRow:
    """Return the caller's open upload.

    Raises:
        UploadNotFound: there is none of that id for this model and account.
        UploadExpired: its lease ran out, or it was committed.
    """
    upload = tx.uploads.get(upload_id)
    if upload is None or upload.model_id != model.id or upload.account_id != require_account(caller):
        raise UploadNotFound(f"there is no open upload {upload_id[:40]!a} of yours on {model.ref}")
    if upload.committed_at is not None:
        raise UploadExpired(f"upload {upload.id} was committed already: open a new one")
    if upload.lease_until <= registry.now():
        raise UploadExpired(f"the lease of upload {upload.id} ran out: open a new one, sent blocks count")
    return upload


def renewed(registry: Registry, tx: WriteTransaction, upload: UploadRow) -> datetime:
    """Renew the lease that use keeps alive; return its end."""
    until = registry.now() + registry.limits.upload_lease
    if until - upload.lease_until < _RENEW_AFTER:
        return upload.lease_until
    tx.uploads.renew(upload.id, until)
    return until
