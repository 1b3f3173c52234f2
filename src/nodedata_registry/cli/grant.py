"""`node-data grant`: outside accounts that may read one private model."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.command import LazyGroup, Place, command
from nodedata_registry.cli.moments import expiry
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, show_table, text
from nodedata_registry.cli.words import day, ends, moment

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "list": Place("grant:list_", "List a model's grants"),
            "put": Place("grant:put", "Let an account read a model"),
            "revoke": Place("grant:revoke", "End an account's grant"),
        }
    },
)
def grant() -> None:
    """Let an outside account (a buyer) read one private model."""


@command("list", examples="node-data grant list acme/grasp")
@click.argument("model")
@click.pass_obj
def list_(shell: Shell, model: str) -> None:
    """List a model's grants, ended ones included. Owners only."""
    with shell.node() as node:
        found = node.grants.list(model)
    shell.answer(found, lambda out: _show(out, found))


@command(
    "put",
    examples="node-data grant put acme/grasp usr_01J… --expires 365d",
)
@click.argument("model")
@click.argument("account")
@click.option("--expires", type=expiry, metavar="WHEN", help="When it ends: 30d, or 2030-01-31.")
@click.pass_obj
def put(shell: Shell, model: str, account: str, expires: datetime | None) -> None:
    """Let an account read a model, for ever or until a date. Owners only."""
    with shell.node() as node:
        made = node.grants.put(model, account, expires)
    until = f" until {moment(made.expires_at)}" if made.expires_at is not None else ""
    shell.answer(made, lambda out: out.print(text(f"{made.name} may read {model}{until}.")))


@command("revoke", examples="node-data grant revoke acme/grasp usr_01J…")
@click.argument("model")
@click.argument("account")
@click.pass_obj
def revoke(shell: Shell, model: str, account: str) -> None:
    """End an account's grant. Owners only."""
    with shell.node() as node:
        node.grants.revoke(model, account)
    document = {"model": model, "revoked": account}
    shell.answer(document, lambda out: out.print(text(f"{account} may read {model} no longer.")))


def _show(out: Console, found: wire.Grants) -> None:
    columns = (Column("account", whole=True), Column("name"), Column("since", whole=True), Column("state"))
    rows = [(one.account_id, one.name, day(one.created_at), _state(one)) for one in found.items]
    show_table(out, columns, rows, "No grants.")


def _state(grant: wire.Grant) -> str:
    if grant.revoked_at is not None:
        return f"revoked {day(grant.revoked_at)}"
    return "lasting" if grant.expires_at is None else ends(grant.expires_at)
