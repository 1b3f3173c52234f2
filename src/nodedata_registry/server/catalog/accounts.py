"""Accounts and API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from nodedata_registry.core.access import Scope
from nodedata_registry.server.catalog.tables import accounts, api_keys
from nodedata_registry.server.rows import AccountRow, KeyRow

_ANY = select(accounts.c.id).limit(1)
_ACCOUNT = select(*accounts.c["id", "name", "operator", "created_at"]).where(
    accounts.c.id == bindparam("wanted")
)
_ADD = insert(accounts)

_KEYS = select(
    *api_keys.c[
        "id",
        "account_id",
        "name",
        "secret_sha256",
        "prefix",
        "scopes",
        "workspace_id",
        "model_id",
        "created_at",
        "expires_at",
        "revoked_at",
    ]
)
_KEY = _KEYS.where(api_keys.c.id == bindparam("wanted"))
_KEY_BY_SECRET = _KEYS.where(api_keys.c.secret_sha256 == bindparam("wanted"))
_KEYS_OF = _KEYS.where(api_keys.c.account_id == bindparam("wanted")).order_by(
    api_keys.c.created_at, api_keys.c.id
)
_ADD_KEY = insert(api_keys)
_REVOKE = (
    update(api_keys)
    .where(api_keys.c.id == bindparam("wanted"), api_keys.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("revoked"))
)


class Accounts:
    """`ports.AccountRows` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, row: AccountRow) -> None:
        """Write a new account."""
        self._connection.execute(
            _ADD, {"id": row.id, "name": row.name, "operator": row.operator, "created_at": row.created_at}
        )

    def get(self, account_id: str) -> AccountRow | None:
        """Return the account, `None` if there is none by that id."""
        found = self._connection.execute(_ACCOUNT, {"wanted": account_id}).first()
        return None if found is None else AccountRow(*found)

    def any(self) -> bool:
        """Return whether any account exists."""
        return self._connection.execute(_ANY).first() is not None

    def add_key(self, row: KeyRow) -> None:
        """Write a new key."""
        values = {
            "id": row.id,
            "account_id": row.account_id,
            "name": row.name,
            "secret_sha256": row.secret_sha256,
            "prefix": row.prefix,
            "scopes": " ".join(sorted(scope.value for scope in row.scopes)),
            "workspace_id": row.workspace_id,
            "model_id": row.model_id,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
            "revoked_at": row.revoked_at,
        }
        self._connection.execute(_ADD_KEY, values)

    def key_by_secret(self, secret_sha256: str) -> KeyRow | None:
        """Return the key with that hash, whatever its state."""
        return _key(self._connection.execute(_KEY_BY_SECRET, {"wanted": secret_sha256}).first())

    def key(self, key_id: str) -> KeyRow | None:
        """Return the key, whatever its state."""
        return _key(self._connection.execute(_KEY, {"wanted": key_id}).first())

    def keys_of(self, account_id: str) -> list[KeyRow]:
        """Return the account's keys, oldest first, revoked ones included."""
        found = self._connection.execute(_KEYS_OF, {"wanted": account_id})
        return [key for key in map(_key, found) if key is not None]

    def revoke_key(self, key_id: str, at: datetime) -> None:
        """Mark the key revoked; a repeated call keeps the first time."""
        self._connection.execute(_REVOKE, {"wanted": key_id, "revoked": at})


def _key(row: Row[Any] | None) -> KeyRow | None:
    if row is None:
        return None
    return KeyRow(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        secret_sha256=row.secret_sha256,
        prefix=row.prefix,
        scopes=frozenset(Scope(scope) for scope in row.scopes.split()),
        workspace_id=row.workspace_id,
        model_id=row.model_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
