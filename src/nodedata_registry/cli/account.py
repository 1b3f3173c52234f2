"""`node-data account`: accounts of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.command import LazyGroup, Place, command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire


@click.group(
    cls=LazyGroup,
    sections={"Commands": {"create": Place("account:create", "Make an account with a first key")}},
)
def account() -> None:
    """Make accounts. Operators only."""


@command("create", examples="node-data account create robot-17\nnode-data account create ada --operator")
@click.argument("name")
@click.option("--operator", is_flag=True, help="An operator of the registry: accounts and takedowns.")
@click.pass_obj
def create(shell: Shell, name: str, operator: bool) -> None:
    """Make an account and print its first key, which is shown this once."""
    with shell.node() as node:
        made = node.accounts.create(name, operator)
    shell.answer(made, lambda out: _show(out, made))


def _show(out: Console, made: wire.NewAccount) -> None:
    out.print(text(f"Made the account {made.name}: {made.id}"))
    out.print(text(f"Its key (shown this once): {made.key}"), soft_wrap=True)
