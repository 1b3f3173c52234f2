"""Check, open an upload, take blocks: everything before the commit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from nodedata_registry.core.access import Caller, Scope, require_account
from nodedata_registry.core.diff import FileChange, file_changes
from nodedata_registry.errors import InvalidRequest, TooLarge, UploadExpired, UploadNotFound
from nodedata_registry.server.ports import ReadTransaction, WriteTransaction
from nodedata_registry.server.rows import ModelRow, UploadRow
from nodedata_registry.server.service.locate import find_model
from nodedata_registry.server.service.publish.evidence import header_evidence
from nodedata_registry.server.service.publish.examine import Examined, Exists, examine
from nodedata_registry.server.service.publish.order import PublishOrder, check_limits
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
    found = _examined(registry, caller, ref, order, enforce=False)
    return found if isinstance(found, RevisionView) else found[1]


def _examined(
    registry: Registry, caller: Caller, ref: str, order: PublishOrder, *, enforce: bool
) -> tuple[ModelRow, Checked] | RevisionView:
    with registry.catalog.read() as tx:
        model = model_to_publish(registry, tx, caller, ref, order)
        check_limits(order, registry.limits)
        found = examine(tx, model, order, header_evidence(registry, tx, model, order), enforce=enforce)
        if isinstance(found, Exists):
            return view_of(tx, model, found.row)
        before = None if found.parent is None else manifest_of(tx, found.parent)
        missing = missing_blocks(registry, tx, model, order)
        return model, Checked(found, file_changes(before, found.manifest), missing)


def missing_blocks(
    registry: Registry, tx: ReadTransaction, model: ModelRow, order: PublishOrder
) -> dict[str, int]:
    """Return the size, by digest, of each block of the order that the workspace must still send.

    A block that the workspace holds and the store has lost is to be sent again.
    """
    sizes = order.block_sizes()
    held = tx.contents.held_by(model.workspace_id, sizes)
    return {
        digest: size for digest, size in sizes.items() if digest not in held or not registry.blobs.has(digest)
    }


def model_to_publish(
    registry: Registry, tx: ReadTransaction, caller: Caller, ref: str, order: PublishOrder
) -> ModelRow:
    """Return the model if the caller may publish there; accepting findings or importing takes an owner.

    Raises:
        ModelNotFound, NotAuthenticated, ScopeMissing.
    """
    model = find_model(registry, tx, caller, ref, Scope.MODELS_UPLOAD)
    if order.accept or order.imported is not None:
        find_model(registry, tx, caller, ref, Scope.WORKSPACE_ADMIN)
    return model


def open_upload(registry: Registry, caller: Caller, ref: str, order: PublishOrder) -> OpenedUpload:
    """Run every check that headers allow, then open an upload and say which blocks are missing.

    Blocks that the workspace holds are leased to the upload, so that no sweep takes them.

    Raises:
        Every error of `examine`; ModelNotFound, NotAuthenticated, ScopeMissing, TooLarge.
    """
    found = _examined(registry, caller, ref, order, enforce=True)
    if isinstance(found, RevisionView):
        return OpenedUpload(None, None, found)
    model, checked = found
    now = registry.now()
    until = now + registry.limits.upload_lease
    account_id = require_account(caller)
    upload = UploadRow(registry.new_id("upl_"), model.id, model.workspace_id, account_id, now, until)
    with registry.catalog.write() as tx:
        tx.uploads.add(upload)
        # Asked again where no sweep can come between the answer and the lease.
        missing = missing_blocks(registry, tx, model, order)
        sizes = order.block_sizes()
        present = {digest: size for digest, size in sizes.items() if digest not in missing}
        tx.contents.lease(model.workspace_id, present, until)
    return OpenedUpload(upload, replace(checked, missing=missing), None)


def put_block(registry: Registry, caller: Caller, ref: str, upload_id: str, digest: str, data: bytes) -> None:
    """Store a block for an open upload; it is verified and durable when this returns. Repeatable.

    Nothing tells whether the store had the block: it may be another workspace's.

    Raises:
        UploadNotFound, UploadExpired, TooLarge, DigestMismatch, InsufficientStorage.
        InvalidRequest: the block is empty.
    """
    with registry.catalog.read() as tx:
        model = find_model(registry, tx, caller, ref, Scope.MODELS_UPLOAD)
        open_upload_row(registry, tx, caller, model, upload_id)
    if len(data) > registry.limits.block_bytes:
        raise TooLarge(f"a block has at most {registry.limits.block_bytes:,} bytes", field="body")
    if not data:
        raise InvalidRequest("a block has at least one byte", field="body")
    registry.blobs.put(digest, data)
    with registry.catalog.write() as tx:
        upload = open_upload_row(registry, tx, caller, model, upload_id)
        until = renewed(registry, tx, upload)
        tx.contents.lease(upload.workspace_id, {digest: len(data)}, until)
    if not registry.blobs.has(digest):
        # A sweep took it between the put and the lease; none can any more.
        registry.blobs.put(digest, data)


def upload_row(tx: ReadTransaction, caller: Caller, model: ModelRow, upload_id: str) -> UploadRow:
    """Return the caller's upload, whatever its state.

    Raises:
        UploadNotFound: there is none of that id for this model and account.
    """
    upload = tx.uploads.get(upload_id)
    if upload is None or upload.model_id != model.id or upload.account_id != require_account(caller):
        raise UploadNotFound(f"there is no open upload {upload_id[:40]!a} of yours on {model.ref}")
    return upload


def open_upload_row(
    registry: Registry, tx: ReadTransaction, caller: Caller, model: ModelRow, upload_id: str
) -> UploadRow:
    """Return the caller's open upload.

    Raises:
        UploadNotFound: there is none of that id for this model and account.
        UploadExpired: its lease ran out, or it was committed.
    """
    upload = upload_row(tx, caller, model, upload_id)
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
