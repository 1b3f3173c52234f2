"""What lists and search show of a model: follows its highest served revision."""

from __future__ import annotations

from nodedata_registry.core.selectors import Latest, resolve
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import Gone, RevisionNotFound
from nodedata_registry.server.ports import WriteTransaction
from nodedata_registry.server.rows import ModelRow, ModelSummary
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.stored import card_of

_TEXT_CHARS = 100_000


def refresh_summary(registry: Registry, tx: WriteTransaction, model: ModelRow) -> None:
    """Write the model's summary and search text anew, in the transaction that changed its revisions."""
    candidates = tx.revisions.candidates(model.id)
    latest = _latest(tx, model)
    row = None if latest is None else tx.revisions.get(model.id, latest)
    now = registry.now()
    if row is None:
        summary = ModelSummary(model, None, None, None, None, None, len(candidates), now)
        tx.models.put_summary(summary, model.ref)
        return
    card = card_of(tx, row)
    summary = ModelSummary(
        model, row.version, card.title, card.license, card.task, card.framework, len(candidates), now
    )
    words = (model.ref, card.title or "", card.task or "", card.framework or "", card.text[:_TEXT_CHARS])
    tx.models.put_summary(summary, "\n".join(words))


def _latest(tx: WriteTransaction, model: ModelRow) -> Version | None:
    try:
        return resolve(tx.revisions.candidates(model.id), Latest()).version
    except (RevisionNotFound, Gone):
        return None
