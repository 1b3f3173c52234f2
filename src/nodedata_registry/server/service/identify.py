"""Who is calling: from an API key to a `Caller`."""

from __future__ import annotations

from datetime import datetime

from nodedata_registry.core.access import ANONYMOUS, Caller, Role
from nodedata_registry.core.keys import check_key_live, hash_key
from nodedata_registry.errors import NotAuthenticated
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.service.registry import Registry


def identify(registry: Registry, bearer: str | None) -> Caller:
    """Return the caller behind a bearer key; the anonymous caller for `None`.

    Raises:
        NotAuthenticated: the key is unknown, expired or revoked.
    """
    return ANONYMOUS if bearer is None else identify_by_hash(registry, hash_key(bearer))


def identify_by_hash(registry: Registry, secret_sha256: str) -> Caller:
    """Return the caller behind the SHA-256 of a key, which is what a page session holds.

    Raises:
        NotAuthenticated: the key is unknown, expired or revoked.
    """
    with registry.catalog.read() as tx:
        key = tx.accounts.key_by_secret(secret_sha256)
        if key is None:
            raise NotAuthenticated("the API key is not known here: check NODE_DATA_API_KEY and the registry")
        now = registry.now()
        check_key_live(expires_at=key.expires_at, revoked_at=key.revoked_at, now=now)
        caller = caller_of(tx, key.account_id, now)
        return Caller(
            account_id=caller.account_id,
            operator=caller.operator,
            key_scopes=key.scopes,
            key_workspace_id=key.workspace_id,
            key_model_id=key.model_id,
            roles=caller.roles,
            granted_models=caller.granted_models,
            key_expires_at=key.expires_at,
        )


def caller_of(tx: ReadTransaction, account_id: str, now: datetime) -> Caller:
    """Return the account as a caller whose key is not narrowed.

    Raises:
        NotAuthenticated: there is no such account.
    """
    account = tx.accounts.get(account_id)
    if account is None:
        raise NotAuthenticated("the account of this API key does not exist any more")
    return Caller(
        account_id=account.id,
        operator=account.operator,
        roles=tx.workspaces.roles_of(account.id),
        granted_models=tx.models.granted_to(account.id, now),
    )


def owner_caller(registry: Registry) -> Caller:
    """Return the registry's first account, which the in-process client acts as.

    It counts as owner of every workspace: whoever holds the data folder holds everything in it.
    """
    with registry.catalog.read() as tx:
        caller = caller_of(tx, tx.meta.get("owner_account") or "", registry.now())
        roles = {workspace.id: Role.OWNER for workspace in tx.workspaces.all()}
    return Caller(account_id=caller.account_id, operator=True, roles=roles)
