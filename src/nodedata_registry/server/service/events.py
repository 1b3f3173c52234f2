"""The append-only record, as far as a caller may see it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from nodedata_registry.core.access import Caller, Scope, may_see, require_account
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.rows import EventRow, ModelRow, WorkspaceRow
from nodedata_registry.server.service.cursors import KEY_BYTES, NONCE_BYTES, seal, unseal
from nodedata_registry.server.service.locate import target_of
from nodedata_registry.server.service.registry import Page, Registry

_BATCH = 500
_MOST_LOOKED_AT = 20_000
_KEY = "event_cursor_key"


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
    always set, so that a caller can poll with it. A page may be empty and still say `has_more`.

    Raises:
        InvalidRequest: the cursor was not given by this list.
    """
    limit = max(1, min(limit, registry.limits.page_items))
    key = _cursor_key(registry)
    after = 0 if cursor is None else unseal(key, cursor)
    with registry.catalog.read() as tx:
        sight = _Sight(registry, tx, caller)
        found, last, more = _visible(tx, sight, after, limit)
        views = [_view(sight, row) for row in found]
    return Page(views, seal(key, last, registry.random(NONCE_BYTES)), more)


def _cursor_key(registry: Registry) -> bytes:
    with registry.catalog.read() as tx:
        kept = tx.meta.get(_KEY)
    if kept is None:
        with registry.catalog.write() as writing:
            kept = writing.meta.get(_KEY) or registry.random(KEY_BYTES).hex()
            writing.meta.set(_KEY, kept)
    return bytes.fromhex(kept)


def _visible(tx: ReadTransaction, sight: _Sight, after: int, limit: int) -> tuple[list[EventRow], int, bool]:
    """Return events for the caller, the number of the last one looked at, and whether to ask again."""
    found: list[EventRow] = []
    start = after
    while True:
        rows = tx.events.after(after, _BATCH)
        for row in rows:
            if sight.sees(row):
                if len(found) == limit:
                    return found, after, True
                found.append(row)
            after = row.sequence
        if len(rows) < _BATCH or after - start >= _MOST_LOOKED_AT:
            return found, after, len(rows) == _BATCH


class _Sight:
    """What a caller may see of events; every model and workspace is looked up once."""

    def __init__(self, registry: Registry, tx: ReadTransaction, caller: Caller) -> None:
        self._registry = registry
        self._tx = tx
        self._caller = caller
        self._models: dict[str, ModelRow | None] = {}
        self._workspaces: dict[str, WorkspaceRow | None] = {}

    def model(self, model_id: str | None) -> ModelRow | None:
        """Return the model an event is about."""
        if model_id is None:
            return None
        if model_id not in self._models:
            self._models[model_id] = self._tx.models.get(model_id)
        return self._models[model_id]

    def workspace(self, workspace_id: str | None) -> WorkspaceRow | None:
        """Return the workspace an event is about."""
        if workspace_id is None:
            return None
        if workspace_id not in self._workspaces:
            self._workspaces[workspace_id] = self._tx.workspaces.get(workspace_id)
        return self._workspaces[workspace_id]

    def sees(self, row: EventRow) -> bool:
        """Tell whether the caller may see the event."""
        caller = self._caller
        bound = caller.key_workspace_id is not None or caller.key_model_id is not None
        if row.workspace_id is None:
            operates = caller.operator and Scope.REGISTRY_OPERATE in caller.key_scopes
            return not bound and (operates or row.account_id == (caller.account_id or ""))
        if row.internal or row.model_id is None:
            inside = row.workspace_id in caller.roles and caller.key_model_id in (None, row.model_id)
            return inside and caller.key_workspace_id in (None, row.workspace_id)
        model = self.model(row.model_id)
        if model is None:
            return False
        return may_see(caller, target_of(model), require_key=self._registry.require_key)


def _view(sight: _Sight, row: EventRow) -> EventView:
    model, workspace = sight.model(row.model_id), sight.workspace(row.workspace_id)
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
