"""What a caller may learn about themselves: account, key, memberships."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nodedata_registry.core.access import Caller
from nodedata_registry.core.keys import hash_key
from nodedata_registry.server.rows import AccountRow, KeyRow
from nodedata_registry.server.service.accounts import get_account
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.workspaces import list_workspaces


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller as they may see themselves. `roles` are (slug, role) pairs by slug."""

    account: AccountRow
    key: KeyRow | None
    key_workspace: str | None
    scopes: tuple[str, ...]
    roles: tuple[tuple[str, str], ...]
    granted_models: tuple[str, ...]


def describe(registry: Registry, caller: Caller, bearer: str | None) -> Identity:
    """Return who calls; `bearer` is the key that was sent, `None` for in-process use.

    Raises:
        NotAuthenticated: nobody in particular calls.
    """
    account = get_account(registry, caller)
    key = None
    if bearer is not None:
        with registry.catalog.read() as tx:
            key = tx.accounts.key_by_secret(hash_key(bearer))
    names = {} if key is None else slugs(registry, [key])
    return Identity(
        account=account,
        key=key,
        key_workspace=None if key is None else names.get(key.workspace_id or ""),
        scopes=tuple(sorted(scope.value for scope in caller.key_scopes)),
        roles=tuple((row.slug, role.value) for row, role in list_workspaces(registry, caller)),
        granted_models=tuple(sorted(caller.granted_models)),
    )


def slugs(registry: Registry, keys: Iterable[KeyRow]) -> dict[str, str]:
    """Return the slug, by id, of every workspace to which one of the keys is bound."""
    wanted = {key.workspace_id for key in keys if key.workspace_id is not None}
    if not wanted:
        return {}
    with registry.catalog.read() as tx:
        rows = [tx.workspaces.get(workspace_id) for workspace_id in wanted]
    return {row.id: row.slug for row in rows if row is not None}
