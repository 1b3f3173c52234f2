"""The append-only record, as far as a caller may see it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from nodedata_registry.core.access import Caller, may_see, require_account
from nodedata_registry.errors import InvalidRequest
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.rows import EventRow, ModelRow, WorkspaceRow
from nodedata_registry.server.service.locate import target_of
from nodedata_registry.server.service.registry import Page, Registry

_BATCH = 500


@dataclass(frozen=True, slots=True)
class EventView:
    """An event with the names of what it is about; numbers of the sequence stay inside."""

    row: EventRow
    workspace: str | None
    model: str | None
    version: str | None
    body: dict[str, object]


class _Canonical(msgspec.Struct):
    body: dict[str, object]


def list_events(
    registry: Registry, caller: Caller, *, cursor: str | None = None, limit: int = 50
) -> Page[EventView]:
    """Return events that the caller may see, oldest first, after the cursor.

    Events about a model go to whoever sees the model; grants, keys and members only to members of
    the workspace, and account-wide ones to the account itself and to operators. `next_cursor` is
    always set, so that a caller can poll with it; it is the id of the last event looked at.

    Raises:
        InvalidRequest: the cursor is no event.
    """
    limit = max(1, min(limit, registry.limits.page_items))
    with registry.catalog.read() as tx:
        after = _sequence(tx, cursor)
        found, last, more = _visible(registry, tx, caller, after, limit)
        views = [_view(tx, row) for row in found]
    return Page(views, last or cursor, more)


def _sequence(tx: ReadTransaction, cursor: str | None) -> int:
    if cursor is None:
        return 0
    sequence = tx.events.sequence_of(cursor)
    if sequence is None:
        raise InvalidRequest("this cursor was not given by the list of events", field="cursor")
    return sequence


def _visible(
    registry: Registry, tx: ReadTransaction, caller: Caller, after: int, limit: int
) -> tuple[list[EventRow], str | None, bool]:
    found: list[EventRow] = []
    last: str | None = None
    while True:
        rows = tx.events.after(after, _BATCH)
        for row in rows:
            if _may_see_event(registry, tx, caller, row):
                if len(found) == limit:
                    return found, last, True
                found.append(row)
            after, last = row.sequence, row.id
        if len(rows) < _BATCH:
            return found, last, False


def _may_see_event(registry: Registry, tx: ReadTransaction, caller: Caller, row: EventRow) -> bool:
    if row.workspace_id is None:
        return caller.account_id is not None and (caller.operator or row.account_id == caller.account_id)
    if row.internal or row.model_id is None:
        inside = row.workspace_id in caller.roles and caller.key_model_id in (None, row.model_id)
        return inside and caller.key_workspace_id in (None, row.workspace_id)
    model = tx.models.get(row.model_id)
    return model is not None and may_see(caller, target_of(model), require_key=registry.require_key)


def _view(tx: ReadTransaction, row: EventRow) -> EventView:
    model: ModelRow | None = None if row.model_id is None else tx.models.get(row.model_id)
    workspace: WorkspaceRow | None = None
    if row.workspace_id is not None:
        workspace = tx.workspaces.get(row.workspace_id)
    body = msgspec.json.decode(row.canonical, type=_Canonical).body
    version = body.get("version")
    return EventView(
        row=row,
        workspace=None if workspace is None else workspace.slug,
        model=None if model is None else model.ref,
        version=version if isinstance(version, str) else None,
        body=body,
    )


def require_reader(registry: Registry, caller: Caller) -> None:
    """Pass if the caller may ask for events at all.

    Raises:
        NotAuthenticated: the registry requires keys and none was sent.
    """
    if registry.require_key:
        require_account(caller)
