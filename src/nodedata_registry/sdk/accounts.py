"""Accounts, API keys and the record of events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from nodedata_registry import wire
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.connection import Connection


class Accounts:
    """Who acts: `node.accounts`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def me(self) -> wire.Me:
        """Return the caller's account, key, scopes, roles and grants."""
        return self._connection.ask(calls.me())

    def create(self, name: str, operator: bool = False) -> wire.NewAccount:
        """Make an account; the answer's `key` is its first API key, shown this once. Operators only."""
        return self._connection.ask(calls.create_account(name, operator))


class Keys:
    """API keys of the caller: `node.keys`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        name: str = "",
        *,
        scopes: Sequence[str] | None = None,
        workspace: str | None = None,
        model: str | None = None,
        expires_at: datetime | None = None,
        account_id: str | None = None,
    ) -> wire.NewKey:
        """Make a key that reaches no further than the caller's; its `key` is shown this once.

        `account_id` makes it for another account (operators only).
        """
        body = wire.CreateKey(
            name=name,
            scopes=None if scopes is None else list(scopes),
            workspace=workspace,
            model=model,
            expires_at=expires_at,
            account_id=account_id,
        )
        return self._connection.ask(calls.create_key(body))

    def list(self) -> wire.Keys:
        """Return the caller's keys, revoked ones included, without their secrets."""
        return self._connection.ask(calls.list_keys())

    def revoke(self, key_id: str) -> None:
        """Revoke a key for ever; repeating changes nothing."""
        self._connection.ask(calls.revoke_key(key_id))


class Events:
    """The append-only record: `node.events`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, cursor: str | None = None, limit: int | None = None) -> wire.Events:
        """Return events behind the cursor, oldest first; the answer's `next_cursor` goes on from there."""
        return self._connection.ask(calls.list_events(cursor, limit))
