"""`/v1/me`, `/v1/keys`, `/v1/accounts`."""

from __future__ import annotations

from litestar.params import JSONBody

from nodedata_registry import wire
from nodedata_registry.server import render
from nodedata_registry.server.api.calls import bearer_of
from nodedata_registry.server.api.routing import Ask, Segment, on
from nodedata_registry.server.service import accounts, identity


@on("GET", "/me")
def get_me(call: Ask) -> wire.Me:
    """Return the caller: account, key, scopes, memberships, granted models."""
    bearer = bearer_of(call.request.headers.getall("authorization", []))
    return render.me(identity.describe(call.registry, call.caller, bearer))


@on("GET", "/keys")
def list_keys(call: Ask) -> wire.Keys:
    """Return the caller's keys, oldest first, without secrets."""
    rows = accounts.list_keys(call.registry, call.caller)
    slugs = identity.slugs(call.registry, rows)
    return wire.Keys(items=[render.key(row, slugs) for row in rows], next_cursor=None, has_more=False)


@on("POST", "/keys")
def create_key(call: Ask, data: JSONBody[wire.CreateKey]) -> wire.NewKey:
    """Make a key, never wider than the one that asks. The answer shows the secret this once."""
    issued = accounts.create_key(
        call.registry,
        call.caller,
        accounts.KeyWish(
            name=data.name,
            scopes=None if data.scopes is None else tuple(data.scopes),
            workspace=data.workspace,
            model=data.model,
            expires_at=data.expires_at,
            account_id=data.account_id,
        ),
    )
    return render.new_key(issued, identity.slugs(call.registry, [issued.row]))


@on("DELETE", "/keys/{key:str}")
def revoke_key(call: Ask, key: Segment) -> None:
    """Revoke a key of the caller. Repeating changes nothing."""
    accounts.revoke_key(call.registry, call.caller, key)


@on("POST", "/accounts")
def create_account(call: Ask, data: JSONBody[wire.CreateAccount]) -> wire.NewAccount:
    """Make an account with its first key, shown this once. Operators only."""
    row, secret = accounts.create_account(call.registry, call.caller, data.name, operator=data.operator)
    return render.new_account(row, secret)


HANDLERS = [*get_me, *list_keys, *create_key, *revoke_key, *create_account]
