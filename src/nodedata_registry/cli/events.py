"""`node-data events`: the append-only record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.lists import gather
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, show_table, text
from nodedata_registry.cli.words import moment

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire

_TOLD = ("account", "reason", "role", "visibility", "parent", "expires_at", "name", "scopes")
"""What of an event's body is told here: words, not the ids and digests that --json has in full."""


@command("events", examples="node-data events --limit 20\nnode-data events --cursor evt_01J… --json")
@click.option("--cursor", metavar="CURSOR", help="Go on behind this one, as an earlier answer gave it.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many at most.")
@click.pass_obj
def events(shell: Shell, cursor: str | None, limit: int) -> None:
    """Show the append-only record, oldest first, as far as you may see it."""
    with shell.node() as node:
        found = gather(node.events.list, limit, cursor)
    shell.answer(found, lambda out: _show(out, found))


def _show(out: Console, found: wire.Events) -> None:
    columns = (
        Column("when", whole=True),
        Column("what", whole=True),
        Column("about", whole=True),
        Column("details"),
    )
    rows = [
        (moment(one.at).removesuffix(" UTC"), one.kind, _about(one), text(_details(one), "dim"))
        for one in found.items
    ]
    show_table(out, columns, rows, "No events.")
    if found.has_more:
        out.print(text(f"There are more: node-data events --cursor {found.next_cursor}", "dim"))


def _about(event: wire.Event) -> str:
    name = event.model or event.workspace or event.account_id or "–"
    return f"{name}@{event.version}" if event.version else name


def _details(event: wire.Event) -> str:
    shown = {key: value for key, value in event.body.items() if key in _TOLD and value is not None}
    return ", ".join(f"{key} {value}" for key, value in shown.items())
