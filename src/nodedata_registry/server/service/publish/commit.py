"""The commit: one transaction after which the revision exists whole, or not at all."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from nodedata_registry.core.access import Caller, Scope, require_account
from nodedata_registry.core.facts import needs_header
from nodedata_registry.core.manifest import RevisionRecord
from nodedata_registry.errors import BlocksMissing, ServerError
from nodedata_registry.server.ports import WriteTransaction
from nodedata_registry.server.rows import ModelRow, NewRevision, RevisionRow
from nodedata_registry.server.service.blocks import BlockSource
from nodedata_registry.server.service.compare import schedule
from nodedata_registry.server.service.locate import find_model
from nodedata_registry.server.service.publish.examine import (
    Evidence,
    Examined,
    Exists,
    examine,
    published_already,
)
from nodedata_registry.server.service.publish.ingest import Ingested, ingest
from nodedata_registry.server.service.publish.order import PublishOrder, check_limits
from nodedata_registry.server.service.publish.upload import (
    model_to_publish,
    open_upload_row,
    renewed,
)
from nodedata_registry.server.service.record import record
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.stored import StoredFacts, StoredJudgement
from nodedata_registry.server.service.summary import refresh_summary
from nodedata_registry.server.service.views import RevisionView, view_of


@dataclass(frozen=True, slots=True)
class Published:
    """The revision, and whether this commit made it (`False`: the very revision was there)."""

    view: RevisionView
    created: bool


def commit(registry: Registry, caller: Caller, ref: str, order: PublishOrder, upload_id: str) -> Published:
    """Publish what the upload sent. Repeating a commit whose answer was lost gives the same revision.

    Every byte is read and hashed again before the transaction; inside it, every rule is judged again
    against the model as it is then.

    Raises:
        Every error of `examine` and `ingest`; UploadNotFound, UploadExpired, BlocksMissing.
    """
    check_limits(order, registry.limits)
    existing = _published_already(registry, caller, ref, order)
    if existing is not None:
        return Published(existing, created=False)
    workspace_id = _lease_everything(registry, caller, ref, order, upload_id)
    ingested = {file.entry.path: ingest(registry, workspace_id, file) for file in order.files}
    with registry.catalog.write() as tx:
        model = model_to_publish(registry, tx, caller, ref, order)
        found = examine(tx, model, order, _evidence(registry, ingested))
        if isinstance(found, Exists):
            return Published(view_of(tx, model, found.row), created=False)
        open_upload_row(registry, tx, caller, model, upload_id)
        row = _write(registry, tx, caller, model, order, found, ingested)
        tx.uploads.close(upload_id, registry.now())
        view = view_of(tx, model, row)
    if found.parent is not None:
        schedule(registry, found.parent, row)
    return Published(view, created=True)


def _published_already(
    registry: Registry, caller: Caller, ref: str, order: PublishOrder
) -> RevisionView | None:
    with registry.catalog.read() as tx:
        model = find_model(registry, tx, caller, ref, Scope.MODELS_UPLOAD)
        found = published_already(tx, model, order)
        return None if found is None else view_of(tx, model, found.row)


def _lease_everything(
    registry: Registry, caller: Caller, ref: str, order: PublishOrder, upload_id: str
) -> str:
    """Lease every block of the order, so that no sweep takes one while the commit reads them."""
    sizes = order.block_sizes()
    with registry.catalog.write() as tx:
        model = model_to_publish(registry, tx, caller, ref, order)
        upload = open_upload_row(registry, tx, caller, model, upload_id)
        missing = sorted(sizes.keys() - tx.contents.held_by(model.workspace_id, sizes))
        if missing:
            raise BlocksMissing(
                f"{len(missing)} blocks of the manifest were never sent: send them, then commit again",
                field="files",
                details={"missing": missing[:1000]},
            )
        tx.contents.lease(model.workspace_id, sizes, renewed(registry, tx, upload))
    return model.workspace_id


def _evidence(registry: Registry, ingested: dict[str, Ingested]) -> Evidence:
    def card_bytes_of(path: str) -> bytes:
        content = ingested[path].content
        return BlockSource(registry.blobs, content.blocks).read(0, content.size_bytes)

    return Evidence(lambda entry: ingested[entry.path].facts, lambda entry: card_bytes_of(entry.path))


def _write(
    registry: Registry,
    tx: WriteTransaction,
    caller: Caller,
    model: ModelRow,
    order: PublishOrder,
    found: Examined,
    ingested: dict[str, Ingested],
) -> RevisionRow:
    for path, file in ingested.items():
        tx.contents.add(file.content)
        if needs_header(path):
            tx.contents.put_facts(file.content.sha256, file.facts.format, file.facts.to_json())
    _keep_card(registry, tx, found)
    row = tx.revisions.add(_new_revision(registry, caller, model, order, found), found.manifest)
    record(
        registry,
        tx,
        "revision.published",
        row.created_by,
        model=model,
        revision_id=row.id,
        body=_event_body(row, found),
    )
    refresh_summary(registry, tx, model)
    return row


def _keep_card(registry: Registry, tx: WriteTransaction, found: Examined) -> None:
    sha256 = found.card_sha256
    if tx.contents.text(sha256) is not None:
        return
    content = tx.contents.get(sha256)
    if content is None:
        raise ServerError(f"the catalog lacks the card's content {sha256}")
    tx.contents.put_text(sha256, BlockSource(registry.blobs, content.blocks).read(0, content.size_bytes))


def _new_revision(
    registry: Registry, caller: Caller, model: ModelRow, order: PublishOrder, found: Examined
) -> NewRevision:
    parent = None if found.parent is None else found.parent.version
    identity = RevisionRecord(
        model_id=model.id,
        version=found.version,
        parent=None if parent is None else str(parent),
        manifest_digest=found.manifest.digest,
        changelog=order.changelog,
    )
    pickled = tuple(file.path for file in found.facts.files if file.pickled)
    return NewRevision(
        id=registry.new_id("rev_"),
        model_id=model.id,
        version=found.version,
        parent=parent,
        manifest_digest=found.manifest.digest,
        commit=identity.commit,
        changelog=order.changelog,
        card_sha256=found.card_sha256,
        facts=msgspec.json.encode(StoredFacts(found.facts.schema, pickled)),
        verdict=msgspec.json.encode(StoredJudgement(found.verdict, found.warnings)),
        size_bytes=found.manifest.total_bytes,
        file_count=len(found.manifest.files),
        parameter_count=found.facts.parameter_count,
        created_at=registry.now(),
        created_by=require_account(caller),
    )


def _event_body(row: RevisionRow, found: Examined) -> dict[str, object]:
    return {
        "version": str(row.version),
        "parent": None if row.parent is None else str(row.parent),
        "digest": row.manifest_digest,
        "commit": row.commit,
        "accepted": [{"code": one.code, "reason": one.reason} for one in found.verdict.accepted],
    }
