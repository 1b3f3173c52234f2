"""`node-data member`: who may do what in a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.command import LazyGroup, Place, command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, show_table, text

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "list": Place("member:list_", "List the members of a workspace"),
            "put": Place("member:put", "Give an account a role, or another one"),
            "remove": Place("member:remove", "Take an account's role away"),
        }
    },
)
def member() -> None:
    """Who may do what in a workspace: readers, publishers, owners."""


@command("list", examples="node-data member list acme")
@click.argument("workspace")
@click.pass_obj
def list_(shell: Shell, workspace: str) -> None:
    """List the members of a workspace with their roles."""
    with shell.node() as node:
        found = node.workspaces.members(workspace)
    shell.answer(found, lambda out: _show(out, found))


@command("put", examples="node-data member put acme usr_01J… publisher")
@click.argument("workspace")
@click.argument("account")
@click.argument("role", type=click.Choice(("reader", "publisher", "owner")))
@click.pass_obj
def put(shell: Shell, workspace: str, account: str, role: str) -> None:
    """Give an account a role in a workspace, or another one. Owners only."""
    with shell.node() as node:
        made = node.workspaces.put_member(workspace, account, role)
    shell.answer(made, lambda out: out.print(text(f"{made.name} is {made.role} of {made.workspace}.")))


@command("remove", examples="node-data member remove acme usr_01J…")
@click.argument("workspace")
@click.argument("account")
@click.pass_obj
def remove(shell: Shell, workspace: str, account: str) -> None:
    """Take an account's role away. Owners only."""
    with shell.node() as node:
        node.workspaces.remove_member(workspace, account)
    document = {"workspace": workspace, "removed": account}
    shell.answer(document, lambda out: out.print(text(f"{account} is no member of {workspace} any more.")))


def _show(out: Console, found: wire.Members) -> None:
    columns = (Column("account", whole=True), Column("name"), Column("role"))
    show_table(out, columns, [(one.account_id, one.name, one.role) for one in found.items], "No members.")
