"""Hold, quarantine and retire: marks on one exact revision, each with a reason and an event."""

from __future__ import annotations

from nodedata_registry.core.access import Caller, Scope, require_account
from nodedata_registry.core.retention import check_named_retirement
from nodedata_registry.core.versions import Version
from nodedata_registry.server.ports import WriteTransaction
from nodedata_registry.server.rows import Mark, ModelRow, RevisionRow
from nodedata_registry.server.service.locate import find_model, get_revision
from nodedata_registry.server.service.record import record
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.retain import is_granted, state_of
from nodedata_registry.server.service.summary import refresh_summary
from nodedata_registry.server.service.views import RevisionView, view_of
from nodedata_registry.server.service.yank import check_reason


def hold(registry: Registry, caller: Caller, ref: str, version: str, reason: str) -> RevisionView:
    """Keep a revision whatever the policy says, until the hold is taken away. Owners only.

    A repeated hold takes the new reason.

    Raises:
        ModelNotFound, ScopeMissing, InvalidVersion, RevisionNotFound, InvalidReason.
    """
    why = check_reason(registry, reason)
    with registry.catalog.write() as tx:
        model, row = _revision(registry, tx, caller, ref, version, Scope.WORKSPACE_ADMIN)
        if row.hold is None or row.hold.reason != why:
            tx.revisions.set_hold(row.id, _mark(registry, caller, why))
            _record(registry, tx, "revision.held", caller, model, row, {"reason": why})
        return _view(tx, model, row)


def unhold(registry: Registry, caller: Caller, ref: str, version: str) -> RevisionView:
    """Take the hold away; one that is not held stays as it is. Owners only."""
    with registry.catalog.write() as tx:
        model, row = _revision(registry, tx, caller, ref, version, Scope.WORKSPACE_ADMIN)
        if row.hold is not None:
            tx.revisions.set_hold(row.id, None)
            _record(registry, tx, "revision.unheld", caller, model, row, {})
        return _view(tx, model, row)


def quarantine(registry: Registry, caller: Caller, ref: str, version: str, reason: str) -> RevisionView:
    """Take a revision down: its bytes are kept and not served. Operators only.

    Raises:
        ModelNotFound, ScopeMissing, InvalidVersion, RevisionNotFound, InvalidReason.
    """
    why = check_reason(registry, reason)
    with registry.catalog.write() as tx:
        model, row = _revision(registry, tx, caller, ref, version, Scope.REGISTRY_OPERATE)
        if row.quarantine is None or row.quarantine.reason != why:
            tx.revisions.set_quarantine(row.id, _mark(registry, caller, why))
            _record(registry, tx, "revision.quarantined", caller, model, row, {"reason": why})
            refresh_summary(registry, tx, model)
        return _view(tx, model, row)


def release(registry: Registry, caller: Caller, ref: str, version: str) -> RevisionView:
    """Lift a quarantine; one that is not quarantined stays as it is. Operators only."""
    with registry.catalog.write() as tx:
        model, row = _revision(registry, tx, caller, ref, version, Scope.REGISTRY_OPERATE)
        if row.quarantine is not None:
            tx.revisions.set_quarantine(row.id, None)
            _record(registry, tx, "revision.released", caller, model, row, {})
            refresh_summary(registry, tx, model)
        return _view(tx, model, row)


def retire(registry: Registry, caller: Caller, ref: str, version: str, reason: str) -> RevisionView:
    """Remove the files of one named, never public revision, for ever. Owners only.

    Raises:
        ModelNotFound, ScopeMissing, InvalidVersion, RevisionNotFound, InvalidReason.
        NotAllowedNow: it was public, is held, quarantined, or a living grant covers it.
    """
    why = check_reason(registry, reason)
    with registry.catalog.write() as tx:
        model, row = _revision(registry, tx, caller, ref, version, Scope.WORKSPACE_ADMIN)
        if row.retirement is None:
            granted = is_granted(tx, model, registry.now())
            check_named_retirement(state_of(model, row, granted=granted))
            tx.revisions.retire(row.id, _mark(registry, caller, why))
            _record(registry, tx, "revision.retired", caller, model, row, {"reason": why})
            refresh_summary(registry, tx, model)
        return _view(tx, model, row)


def _revision(
    registry: Registry, tx: WriteTransaction, caller: Caller, ref: str, version: str, scope: Scope
) -> tuple[ModelRow, RevisionRow]:
    model = find_model(registry, tx, caller, ref, scope)
    return model, get_revision(tx, model, Version.parse(version))


def _mark(registry: Registry, caller: Caller, reason: str) -> Mark:
    return Mark(reason, registry.now(), require_account(caller))


def _record(
    registry: Registry,
    tx: WriteTransaction,
    kind: str,
    caller: Caller,
    model: ModelRow,
    row: RevisionRow,
    extra: dict[str, object],
) -> None:
    body = {"version": str(row.version), **extra}
    record(registry, tx, kind, require_account(caller), model=model, revision_id=row.id, body=body)


def _view(tx: WriteTransaction, model: ModelRow, row: RevisionRow) -> RevisionView:
    return view_of(tx, model, get_revision(tx, model, row.version))
