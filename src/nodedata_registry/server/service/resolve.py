"""What a selector means now, and what revisions a model has."""

from __future__ import annotations

from nodedata_registry.core.access import Caller
from nodedata_registry.core.selectors import Candidate, parse_selector
from nodedata_registry.errors import InvalidRequest, RevisionYanked
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.rows import ModelRow, RevisionRow
from nodedata_registry.server.service.locate import candidates_of, find_model, find_revision
from nodedata_registry.server.service.registry import Page, Registry
from nodedata_registry.server.service.views import Resolved, RevisionView, view_of


def resolve(
    registry: Registry, caller: Caller, ref: str, selector: str, *, deny_yanked: bool = False
) -> Resolved:
    """Return the revision that the selector means now.

    Raises:
        ModelNotFound, InvalidSelector, RevisionNotFound, RevisionRetired, RevisionQuarantined.
        RevisionYanked: the answer is yanked and `deny_yanked` refuses such answers, pins too.
    """
    with registry.catalog.read() as tx:
        model, row = locate(registry, tx, caller, ref, selector, deny_yanked=deny_yanked)
        return Resolved(selector.strip(), view_of(tx, model, row))


def locate(
    registry: Registry,
    tx: ReadTransaction,
    caller: Caller,
    ref: str,
    selector: str,
    *,
    deny_yanked: bool = False,
) -> tuple[ModelRow, RevisionRow]:
    """Return model and revision of a reference and a selector; the shared start of every reading call."""
    model = find_model(registry, tx, caller, ref)
    row = find_revision(tx, model, selector)
    if deny_yanked and row.yank is not None:
        raise _yanked(tx, model, row, selector)
    return model, row


def _yanked(tx: ReadTransaction, model: ModelRow, row: RevisionRow, selector: str) -> RevisionYanked:
    parsed = parse_selector(selector)
    matches = {one.version for one in candidates_of(tx, model) if one.is_served and _matches(parsed, one)}
    rows = [row] if len(matches) == 1 else tx.revisions.list(model.id)
    yanked = [one for one in rows if one.version in matches and one.yank is not None]
    reasons = [
        {"version": str(found.version), "reason": found.yank.reason, "at": found.yank.at.isoformat()}
        for found in yanked
        if found.yank is not None
    ]
    said = "; ".join(f"{one['version']}: {one['reason']}" for one in reasons[:5])
    return RevisionYanked(
        f"{model.ref} {selector.strip()!r} means {row.version}, which is yanked ({said}), and yanked answers"
        " are refused: choose another version, or allow yanked ones",
        field="revision",
        details={"requested": selector.strip(), "version": str(row.version), "reasons": reasons[:100]},
    )


def _matches(selector: object, candidate: Candidate) -> bool:
    admits = getattr(selector, "admits", None)
    if admits is not None:
        return bool(admits(candidate.version))
    return bool(candidate.digest == getattr(selector, "digest", None))


def list_revisions(
    registry: Registry, caller: Caller, ref: str, *, cursor: str | None = None, limit: int = 50
) -> Page[RevisionView]:
    """Return the model's revisions, the newest published first, retired and yanked ones included.

    Raises:
        ModelNotFound.
        InvalidRequest: the cursor was not given by this list.
    """
    limit = max(1, min(limit, registry.limits.page_items))
    before = None if cursor is None else _sequence(cursor)
    with registry.catalog.read() as tx:
        model = find_model(registry, tx, caller, ref)
        rows = tx.revisions.list(model.id, before=before, limit=limit + 1)
        items = [view_of(tx, model, row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, str(items[-1].row.sequence) if more else None, more)


def _sequence(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 15):
        raise InvalidRequest("this cursor was not given by the list of revisions", field="cursor")
    return int(cursor)
