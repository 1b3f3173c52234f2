"""Yank and un-yank: a reversible mark, on one version or on every present match of a range."""

from __future__ import annotations

from dataclasses import dataclass

from nodedata_registry.core.access import Caller, Scope, require_account
from nodedata_registry.core.selectors import Exact, Range, parse_selector
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidReason, InvalidSelector, RevisionNotFound
from nodedata_registry.server.ports import WriteTransaction
from nodedata_registry.server.rows import Mark, ModelRow, RevisionRow
from nodedata_registry.server.service.locate import find_model
from nodedata_registry.server.service.record import record
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.summary import refresh_summary


@dataclass(frozen=True, slots=True)
class YankOutcome:
    """Which versions matched: those whose mark changed, and those left as they were; ascending."""

    model: ModelRow
    requested: str
    changed: tuple[Version, ...]
    unchanged: tuple[Version, ...]


def yank(registry: Registry, caller: Caller, ref: str, selector: str, reason: str) -> YankOutcome:
    """Mark an exact version, or every present match of a range, as not to be started with.

    Repeating changes nothing, except that an exact version takes a new reason.

    Raises:
        ModelNotFound, NotAuthenticated, ScopeMissing.
        InvalidSelector: `latest` or a digest, which would move or name content.
        InvalidReason: empty, longer than the limit, or more than one line.
        RevisionNotFound: nothing matches.
    """
    wanted = _yankable(selector)
    why = check_reason(registry, reason)
    with registry.catalog.write() as tx:
        model = find_model(registry, tx, caller, ref, Scope.MODELS_YANK)
        mark = Mark(why, registry.now(), require_account(caller))
        matches = _matches(tx, model, wanted)
        changed = [row for row in matches if _changes(row, wanted, why)]
        for row in changed:
            # A new reason leaves the date: consumers are told since when the revision is yanked.
            kept = mark if row.yank is None else Mark(why, row.yank.at, mark.by)
            tx.revisions.set_yank(row.id, kept)
            kind = "revision.yanked" if row.yank is None else "revision.yank_reason_changed"
            _record(registry, tx, kind, mark.by, model, row, {"reason": why})
        if changed:
            refresh_summary(registry, tx, model)
    return _outcome(model, wanted, matches, changed)


def unyank(registry: Registry, caller: Caller, ref: str, selector: str) -> YankOutcome:
    """Take the mark off an exact version or off every present match of a range.

    Raises:
        As `yank` does, but for the reason.
    """
    wanted = _yankable(selector)
    with registry.catalog.write() as tx:
        model = find_model(registry, tx, caller, ref, Scope.MODELS_YANK)
        matches = _matches(tx, model, wanted)
        changed = [row for row in matches if row.yank is not None]
        for row in changed:
            tx.revisions.set_yank(row.id, None)
            _record(registry, tx, "revision.unyanked", require_account(caller), model, row, {})
        if changed:
            refresh_summary(registry, tx, model)
    return _outcome(model, wanted, matches, changed)


def check_reason(registry: Registry, reason: str) -> str:
    """Return the reason trimmed.

    Raises:
        InvalidReason: empty, longer than the limit, or with line breaks or other control characters.
    """
    text = reason.strip()
    limit = registry.limits.reason_chars
    if not text:
        raise InvalidReason("a reason is required: say in one line why", field="reason")
    if len(text) > limit:
        raise InvalidReason(f"the reason has {len(text)} characters; {limit} are allowed", field="reason")
    if not all(char.isprintable() for char in text):
        raise InvalidReason("the reason must be one line without control characters", field="reason")
    return text


def _yankable(selector: str) -> Exact | Range:
    parsed = parse_selector(selector)
    if not isinstance(parsed, Exact | Range):
        raise InvalidSelector(
            f"{selector.strip()[:80]!r} cannot be yanked: name an exact version or a range", field="revision"
        )
    return parsed


def _matches(tx: WriteTransaction, model: ModelRow, wanted: Exact | Range) -> list[RevisionRow]:
    if isinstance(wanted, Exact):
        row = tx.revisions.get(model.id, wanted.version)
        found = [] if row is None else [row]
    else:
        rows = reversed(tx.revisions.list(model.id))
        found = [row for row in rows if wanted.admits(row.version)]
    if not found:
        raise RevisionNotFound(f"{model.ref} has no revision that matches {wanted.text!r}", field="revision")
    return found


def _changes(row: RevisionRow, wanted: Exact | Range, why: str) -> bool:
    if row.yank is None:
        return True
    return isinstance(wanted, Exact) and row.yank.reason != why


def _record(
    registry: Registry,
    tx: WriteTransaction,
    kind: str,
    actor: str,
    model: ModelRow,
    row: RevisionRow,
    extra: dict[str, object],
) -> None:
    body = {"version": str(row.version), **extra}
    record(registry, tx, kind, actor, model=model, revision_id=row.id, body=body)


def _outcome(
    model: ModelRow, wanted: Exact | Range, matches: list[RevisionRow], changed: list[RevisionRow]
) -> YankOutcome:
    moved = {row.version for row in changed}
    return YankOutcome(
        model,
        wanted.text,
        tuple(sorted(moved)),
        tuple(row.version for row in matches if row.version not in moved),
    )
