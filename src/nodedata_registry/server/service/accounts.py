"""Accounts, API keys and the first start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nodedata_registry.core.access import Caller, require_account, require_operator
from nodedata_registry.core.keys import (
    RANDOM_BYTES,
    KeyBounds,
    check_new_key,
    hash_key,
    is_owner_key_syntax,
    key_hint,
    make_key,
    parse_scopes,
)
from nodedata_registry.errors import AccountNotFound, InvalidRequest, KeyNotFound, ScopeMissing
from nodedata_registry.server.ports import WriteTransaction
from nodedata_registry.server.rows import AccountRow, KeyRow
from nodedata_registry.server.service.locate import find_model, find_workspace
from nodedata_registry.server.service.record import record
from nodedata_registry.server.service.registry import Registry

_OWNER = "owner_account"


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key just made; `secret` is shown this once and kept nowhere."""

    row: KeyRow
    secret: str


@dataclass(frozen=True, slots=True)
class KeyWish:
    """How a new key should be narrowed; `None` leaves a side as wide as the key that asks."""

    name: str = ""
    scopes: tuple[str, ...] | None = None
    workspace: str | None = None
    model: str | None = None
    expires_at: datetime | None = None
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What the first start did: the owner's key if one was made or taken, else `None`."""

    owner_key: str | None
    warning: str | None = None


def first_start(registry: Registry, owner_key: str | None) -> FirstStart:
    """Give the owner account its first key, made if none is given; if it has one, only compare.

    Returns the new owner key, which is to be printed once. A given `owner_key` that differs from
    what the first start took is a warning: it counts at the first start only. A folder that was only
    used in a process, without any key, has its first start still before it.

    Raises:
        InvalidRequest: `owner_key` has not the syntax of a key.
    """
    if owner_key is not None and not is_owner_key_syntax(owner_key):
        raise InvalidRequest(
            "NODE_DATA_OWNER_KEY must be `nd_live_` and 32 to 64 characters of 0-9A-Za-z", field="owner_key"
        )
    with registry.catalog.write() as tx:
        owner = _owner(registry, tx)
        if tx.accounts.keys_of(owner):
            return FirstStart(None, _owner_key_warning(tx, owner_key))
        secret = owner_key or make_key(registry.random(RANDOM_BYTES))
        key = _add_key(registry, tx, owner, "owner key", secret, KeyBounds())
        record(registry, tx, "key.created", owner, body={"key": key.id, "account": owner}, internal=True)
        return FirstStart(secret)


def ensure_owner(registry: Registry) -> None:
    """Create the owner account, without a key, on an empty catalog; on a used one do nothing."""
    with registry.catalog.read() as tx:
        if tx.meta.get(_OWNER) is not None:
            return
    with registry.catalog.write() as tx:
        _owner(registry, tx)


def _owner(registry: Registry, tx: WriteTransaction) -> str:
    kept = tx.meta.get(_OWNER)
    if kept is not None:
        return kept
    account = AccountRow(registry.new_id("usr_"), "owner", True, registry.now())
    tx.accounts.add(account)
    tx.meta.set(_OWNER, account.id)
    record(registry, tx, "account.created", account.id, body={"account": account.id}, internal=True)
    return account.id


def _owner_key_warning(tx: WriteTransaction, owner_key: str | None) -> str | None:
    if owner_key is None:
        return None
    key = tx.accounts.key_by_secret(hash_key(owner_key))
    if key is not None and key.revoked_at is None:
        return None
    return "NODE_DATA_OWNER_KEY counts at the first start only; it is not a key of this registry"


def get_account(registry: Registry, caller: Caller) -> AccountRow:
    """Return the caller's own account.

    Raises:
        NotAuthenticated: no key.
    """
    account_id = require_account(caller)
    with registry.catalog.read() as tx:
        account = tx.accounts.get(account_id)
    if account is None:
        raise AccountNotFound(f"there is no account {account_id}")
    return account


def create_account(
    registry: Registry, caller: Caller, name: str, *, operator: bool
) -> tuple[AccountRow, str]:
    """Create an account with its first key and return both; operators only.

    Raises:
        NotAuthenticated, ScopeMissing: the caller is no operator.
        InvalidRequest: the name is empty, too long or has control characters.
    """
    actor = require_operator(caller)
    shown = " ".join(name.split())
    if not shown or len(shown) > registry.limits.name_chars or not shown.isprintable():
        raise InvalidRequest(
            f"an account's name is 1 to {registry.limits.name_chars} printable characters", field="name"
        )
    secret = make_key(registry.random(RANDOM_BYTES))
    with registry.catalog.write() as tx:
        account = AccountRow(registry.new_id("usr_"), shown, operator, registry.now())
        tx.accounts.add(account)
        key = _add_key(registry, tx, account.id, "first key", secret, KeyBounds())
        record(registry, tx, "account.created", actor, body={"account": account.id}, internal=True)
        record(registry, tx, "key.created", actor, body={"key": key.id, "account": account.id}, internal=True)
    return account, secret


def create_key(registry: Registry, caller: Caller, wish: KeyWish) -> IssuedKey:
    """Create a key for the caller's account, never wider than the key that asks for it.

    An operator may name another account in `wish.account_id`.

    Raises:
        NotAuthenticated: no key.
        InvalidRequest: an unknown scope or a past expiry.
        ScopeMissing: the wish is wider than the asking key.
        ModelNotFound, WorkspaceNotFound: narrowed to what the caller may not see.
    """
    actor = require_account(caller)
    owner = wish.account_id or actor
    if owner != actor:
        require_operator(caller)
    secret = make_key(registry.random(RANDOM_BYTES))
    with registry.catalog.write() as tx:
        if tx.accounts.get(owner) is None:
            raise AccountNotFound(f"there is no account {owner}", field="account_id")
        bounds = _bounds_of(registry, tx, caller, wish)
        check_new_key(caller, bounds)
        row = _add_key(registry, tx, owner, " ".join(wish.name.split())[:96], secret, bounds)
        record(registry, tx, "key.created", actor, body={"key": row.id, "account": owner}, internal=True)
    return IssuedKey(row, secret)


def _bounds_of(registry: Registry, tx: WriteTransaction, caller: Caller, wish: KeyWish) -> KeyBounds:
    """Return how far the wished key reaches: what is left out stays as wide as the asking key."""
    if wish.expires_at is not None and wish.expires_at <= registry.now():
        raise InvalidRequest(
            f"the key would be expired already ({wish.expires_at.isoformat()})", field="expires_at"
        )
    workspace_id, model_id = caller.key_workspace_id, caller.key_model_id
    if wish.workspace is not None:
        workspace_id = find_workspace(registry, tx, caller, wish.workspace, None).id
    if wish.model is not None:
        model_id = find_model(registry, tx, caller, wish.model).id
    return KeyBounds(
        scopes=caller.key_scopes if wish.scopes is None else parse_scopes(list(wish.scopes)),
        workspace_id=workspace_id,
        model_id=model_id,
        expires_at=wish.expires_at or caller.key_expires_at,
    )


def _add_key(
    registry: Registry, tx: WriteTransaction, account_id: str, name: str, secret: str, bounds: KeyBounds
) -> KeyRow:
    row = KeyRow(
        id=registry.new_id("key_"),
        account_id=account_id,
        name=name,
        secret_sha256=hash_key(secret),
        prefix=key_hint(secret),
        scopes=bounds.scopes,
        workspace_id=bounds.workspace_id,
        model_id=bounds.model_id,
        created_at=registry.now(),
        expires_at=bounds.expires_at,
    )
    tx.accounts.add_key(row)
    return row


def list_keys(registry: Registry, caller: Caller) -> list[KeyRow]:
    """Return the caller's keys, oldest first, revoked and expired ones included."""
    account_id = require_account(caller)
    with registry.catalog.read() as tx:
        return tx.accounts.keys_of(account_id)


def revoke_key(registry: Registry, caller: Caller, key_id: str) -> None:
    """Revoke a key of the caller's account (an operator: of any). Repeating changes nothing.

    Raises:
        KeyNotFound: the caller has no such key.
        ScopeMissing: that key reaches further than the caller's (a key may always revoke itself).
    """
    actor = require_account(caller)
    with registry.catalog.write() as tx:
        key = tx.accounts.key(key_id)
        if key is None or (key.account_id != actor and not caller.operator):
            raise KeyNotFound(f"you have no key {key_id[:40]!r}: list them with `node-data keys list`")
        if key.account_id != actor:
            require_operator(caller)
        else:
            _check_no_wider(caller, key)
        if key.revoked_at is None:
            tx.accounts.revoke_key(key.id, registry.now())
            record(registry, tx, "key.revoked", actor, body={"key": key.id}, internal=True)


def _check_no_wider(caller: Caller, key: KeyRow) -> None:
    """Pass if the caller's key could have made this one: a narrow key must not disarm a wide one."""
    bounds = KeyBounds(key.scopes, key.workspace_id, key.model_id, key.expires_at)
    try:
        check_new_key(caller, bounds)
    except ScopeMissing as error:
        raise ScopeMissing(
            f"this key is narrower than {key.id}, so it cannot revoke it: use a key that reaches as far",
            details=error.details,
        ) from error
