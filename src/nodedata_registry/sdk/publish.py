"""Publishing: compose, open the upload, send what is missing, commit.

    model visible? → version → paths → scan → open (every check that headers allow) → missing blocks
    → commit

Until the commit nobody sees anything. Blocks that arrived stay leased to the workspace, so a publish
that was killed sends only the rest when it is run again. The manifest is computed here and by the
registry; the commit is refused if the two differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from nodedata_registry import wire
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.manifest import FileEntry, Manifest, overlay
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import (
    AccessRefused,
    BlocksMissing,
    DigestMismatch,
    InvalidInput,
    InvalidParent,
    InvalidVersion,
    NodeDataError,
    RevisionNotFound,
    ScopeMissing,
    UploadExpired,
    UploadNotFound,
    VersionExists,
)
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.connection import Connection
from nodedata_registry.sdk.notices import issue_notices
from nodedata_registry.sdk.progress import Meter, ProgressCallback
from nodedata_registry.sdk.scan import Files, LocalPath, ScannedFile, list_files, read_block, scan
from nodedata_registry.sdk.transport import CONNECTIONS
from nodedata_registry.sdk.workers import for_each

_AUTO = "auto"
_ROUNDS = 3
# As many publishers may race on one model: each time that one must go round again, another is done.
_MOVES = 64


@dataclass(frozen=True, slots=True)
class Order:
    """What the caller of `create_revision` asked for, apart from the model."""

    version: str
    files: Files
    changelog: str
    parent: str | None = None
    root: LocalPath | None = None
    remove: Collection[str] = ()
    allow_gap: bool = False
    accept: Mapping[str, str] | None = None
    follow_links: bool = False
    imported: wire.Imported | None = None


@dataclass(frozen=True, slots=True)
class Composed:
    """An order whose files were read, as the registry wants to hear it."""

    body: wire.Publish
    files: tuple[ScannedFile, ...]


def check(
    connection: Connection, model: str, order: Order, progress: ProgressCallback | None = None
) -> wire.Check:
    """Return the verdict on a publish; nothing is published and no weights are sent."""
    composed = _composed(connection, model, order, progress)
    verdict = connection.ask(calls.check(model, composed.body))
    issue_notices(verdict.warnings)
    return verdict


def publish(
    connection: Connection, model: str, order: Order, progress: ProgressCallback | None = None
) -> wire.Revision:
    """Publish and return the revision; what was published already, equal in all, is given back.

    Raises every error of the publishing rules, and `TransferFailed` if a file changed meanwhile.
    """
    composed = _composed(connection, model, order, progress)
    revision = _published(connection, model, composed, progress)
    issue_notices(revision.warnings)
    return revision


def _published(
    connection: Connection, model: str, composed: Composed, progress: ProgressCallback | None
) -> wire.Revision:
    lost = moved = 0
    while True:
        try:
            return _publish_once(connection, model, composed, progress)
        except (BlocksMissing, UploadExpired, UploadNotFound):
            # The lease ran out, or a sweep came between: what is missing now is sent again.
            lost += 1
            if lost == _ROUNDS:
                raise
        except DigestMismatch as error:
            # Somebody published in between, so the default parent is another one: judge again over that.
            moved += 1
            if error.field != "manifest_digest" or moved == _MOVES:
                raise


def _composed(
    connection: Connection, model: str, order: Order, progress: ProgressCallback | None
) -> Composed:
    calls.require_text(order.version, "version")
    _check_visible(connection, model)
    try:
        return compose(order, progress)
    except InvalidInput as error:
        _tell_earlier_refusals(connection, model, order, error)
        raise


def compose(order: Order, progress: ProgressCallback | None = None) -> Composed:
    """Read the files of an order and return the request that opens its upload.

    Raises:
        InvalidVersion: before any file is looked for.
        InvalidPath, PathOutsideRoot, InvalidRequest, TransferFailed.
    """
    if order.version != _AUTO:
        Version.parse(order.version)
    listing = list_files(order.files, order.root, follow_links=order.follow_links)
    scanned = tuple(scan(listing.files, progress))
    files = [file.to_wire(headers=True) for file in scanned]
    return Composed(_body(order, files, whole=listing.whole), scanned)


def _body(order: Order, files: list[wire.UploadFile], *, whole: bool) -> wire.Publish:
    return wire.Publish(
        version=order.version,
        files=files,
        changelog=order.changelog,
        parent=order.parent,
        remove=[order.remove] if isinstance(order.remove, str) else list(order.remove),
        whole=whole,
        allow_gap=order.allow_gap,
        accept=dict(order.accept or {}),
        imported=order.imported,
    )


def _tell_earlier_refusals(connection: Connection, model: str, order: Order, local: InvalidInput) -> None:
    """Raise what rules before that about paths say, which only the registry can judge.

    The order is sent without its files, as these cannot be named; what that makes wrong is passed over.
    """
    try:
        connection.ask(calls.check(model, _body(order, [], whole=False)))
    except (AccessRefused, InvalidVersion, InvalidParent, RevisionNotFound) as error:
        raise error from local
    except VersionExists as error:
        message = (
            f"version {order.version} is published already and differs in: files ({local.message})."
            " A published version never changes: publish the next one"
        )
        raise VersionExists(message, field="version", details=error.details) from local
    except NodeDataError:
        return


def _check_visible(connection: Connection, model: str) -> None:
    """Ask for the model first, so that a wrong key or name is heard before gigabytes are hashed."""
    # A key that may upload and not read is told so, and may go on.
    with suppress(ScopeMissing):
        connection.ask(calls.get_model(model))


def _publish_once(
    connection: Connection, model: str, composed: Composed, progress: ProgressCallback | None
) -> wire.Revision:
    opened = connection.ask(calls.open_upload(model, composed.body))
    if opened.revision is not None:
        return opened.revision
    upload = opened.upload or ""
    digest = _manifest_digest(connection, model, composed, opened.check)
    _send(connection, model, upload, composed.files, opened, progress)
    # Without headers: at the commit the registry reads the blocks themselves.
    body = msgspec.structs.replace(
        composed.body,
        files=[file.to_wire(headers=False) for file in composed.files],
        manifest_digest=digest,
        upload=upload,
    )
    return connection.ask(calls.commit(model, body))


def _manifest_digest(
    connection: Connection, model: str, composed: Composed, opened: wire.Check | None
) -> str | None:
    """Compose the manifest here too, and compare it with what the registry composed.

    None where this client may not read the parent's manifest: then the registry's stands.
    """
    if opened is None:
        return None
    try:
        base = _parent_manifest(connection, model, composed, opened.parent)
    except ScopeMissing:
        return None
    own = overlay(
        base,
        [file.entry for file in composed.files],
        composed.body.remove,
        whole=composed.body.whole,
        missing_ok=composed.body.version == _AUTO,
    )
    if own.digest != opened.manifest_digest:
        raise DigestMismatch(
            f"the registry would publish the manifest {opened.manifest_digest}, these files give"
            f" {own.digest}; nothing was published"
        )
    return own.digest


def _parent_manifest(
    connection: Connection, model: str, composed: Composed, parent: str | None
) -> Manifest | None:
    if parent is None or composed.body.whole:
        return None
    files = connection.ask(calls.manifest(model, parent)).files
    return Manifest.of(FileEntry(file.path, file.size_bytes, file.sha256) for file in files)


# --- sending --------------------------------------------------------------------------------------


def _send(
    connection: Connection,
    model: str,
    upload: str,
    files: Iterable[ScannedFile],
    opened: wire.Upload,
    progress: ProgressCallback | None,
) -> None:
    meter = Meter(progress, "send", opened.missing_bytes)

    def send(job: tuple[ScannedFile, int, Block]) -> None:
        file, offset, block = job
        data = read_block(file, offset, block)
        connection.ask(calls.put_block(model, upload, block.digest, data))
        meter.add(block.size_bytes, file.entry.path)

    for_each(_missing_blocks(files, set(opened.missing)), send, CONNECTIONS)


def _missing_blocks(
    files: Iterable[ScannedFile], missing: set[str]
) -> Iterator[tuple[ScannedFile, int, Block]]:
    """Yield each missing block once, where it first occurs."""
    for file in files:
        offset = 0
        for block in file.blocks:
            if block.digest in missing:
                missing.discard(block.digest)
                yield file, offset, block
            offset += block.size_bytes
