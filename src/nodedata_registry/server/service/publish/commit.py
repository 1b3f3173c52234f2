"""The commit: one transaction after which the revision exists whole, or not at all."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import msgspec

from nodedata_registry.core.access import Caller, require_account
from nodedata_registry.core.facts import needs_header
from nodedata_registry.core.manifest import RevisionRecord
from nodedata_registry.errors import BlocksMissing
from nodedata_registry.server.ports import ReadTransaction, WriteTransaction
from nodedata_registry.server.rows import ModelRow, NewRevision, RevisionRow, UploadRow
from nodedata_registry.server.service.compare import schedule
from nodedata_registry.server.service.publish.bases import Lineage
from nodedata_registry.server.service.publish.evidence import kept_card, stored_evidence
from nodedata_registry.server.service.publish.examine import (
    Examined,
    Exists,
    compose_again,
    examine,
    published_already,
)
from nodedata_registry.server.service.publish.ingest import Ingested, ingest
from nodedata_registry.server.service.publish.order import PublishOrder, check_limits
from nodedata_registry.server.service.publish.recut import keep_known_cuts, restore_known_cuts
from nodedata_registry.server.service.publish.upload import (
    missing_blocks,
    model_to_publish,
    open_upload_row,
    renewed,
    upload_row,
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
    begun = _begin(registry, caller, ref, order, upload_id)
    if isinstance(begun, RevisionView):
        return Published(begun, created=False)
    ingested = {file.entry.path: ingest(registry, begun, file) for file in order.files}
    keep_known_cuts(registry, begun, ingested.values())
    with registry.catalog.write() as tx:
        model = model_to_publish(registry, tx, caller, ref, order)
        existing = _published_already(tx, caller, model, order, upload_id)
        if existing is not None:
            return Published(existing, created=False)
        found = examine(tx, model, order, stored_evidence(registry, tx, ingested))
        if isinstance(found, Exists):
            return Published(view_of(tx, model, found.row), created=False)
        open_upload_row(registry, tx, caller, model, upload_id)
        row = _write(registry, tx, caller, model, order, found, ingested)
        tx.uploads.close(upload_id, registry.now())
        view = view_of(tx, model, row)
    if found.parent is not None:
        schedule(registry, found.parent, row)
    return Published(view, created=True)


def _begin(
    registry: Registry, caller: Caller, ref: str, order: PublishOrder, upload_id: str
) -> RevisionView | str:
    """Return the revision if it was published already, else the workspace's id, every block leased.

    Both in one transaction: another commit of the same upload may be under way. The leases keep every
    sweep from blocks that this commit is about to read.
    """
    sizes = order.block_sizes()
    with registry.catalog.write() as tx:
        model = model_to_publish(registry, tx, caller, ref, order)
        check_limits(order, registry.limits)
        existing = _published_already(tx, caller, model, order, upload_id)
        if existing is not None:
            return existing
        upload = open_upload_row(registry, tx, caller, model, upload_id)
        missing = sorted(missing_blocks(registry, tx, model, order))
        if missing:
            raise BlocksMissing(
                f"{len(missing)} blocks of the manifest were never sent: send them, then commit again",
                field="files",
                details={"missing": missing[:1000]},
            )
        tx.contents.lease(model.workspace_id, sizes, renewed(registry, tx, upload))
    return model.workspace_id


def _published_already(
    tx: ReadTransaction, caller: Caller, model: ModelRow, order: PublishOrder, upload_id: str
) -> RevisionView | None:
    if order.is_auto:
        row = _made_by(tx, model, order, upload_row(tx, caller, model, upload_id))
    else:
        found = published_already(tx, model, order)
        row = None if found is None else found.row
    return None if row is None else view_of(tx, model, row)


def _made_by(
    tx: ReadTransaction, model: ModelRow, order: PublishOrder, upload: UploadRow
) -> RevisionRow | None:
    """Return what this upload committed as `auto`: the order names no version to look for."""
    if upload.committed_at is None:
        return None
    lineage = Lineage.read(tx, model)
    for row in tx.revisions.list(model.id):
        since = row.created_at >= upload.opened_at and row.created_by == upload.account_id
        same = since and row.changelog == order.changelog
        if same and compose_again(tx, lineage, order, row).digest == row.manifest_digest:
            return row
    return None


def _write(
    registry: Registry,
    tx: WriteTransaction,
    caller: Caller,
    model: ModelRow,
    order: PublishOrder,
    found: Examined,
    ingested: dict[str, Ingested],
) -> RevisionRow:
    restore_known_cuts(registry, tx, model.workspace_id, ingested.values())
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
    entry = found.manifest.get(found.facts.card.path)
    assert entry is not None, "the card was found among the manifest's paths"
    tx.contents.put_text(entry.sha256, kept_card(registry, tx, entry))


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
    imported = found.verdict.imported
    return {
        "version": str(row.version),
        "parent": None if row.parent is None else str(row.parent),
        "digest": row.manifest_digest,
        "commit": row.commit,
        "accepted": [{"code": one.code, "reason": one.reason} for one in found.verdict.accepted],
        **({} if imported is None else {"imported": asdict(imported)}),
    }
