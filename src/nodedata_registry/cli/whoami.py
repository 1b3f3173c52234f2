"""`node-data whoami`: the account, what its key may do, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import facts
from nodedata_registry.cli.words import moment

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire


@command("whoami", examples="node-data whoami\nnode-data whoami --json")
@click.pass_obj
def whoami(shell: Shell) -> None:
    """Show the account behind the key, what the key may do, and in which workspaces."""
    with shell.node() as node:
        me = node.accounts.me()
    shell.answer(me, lambda out: _show(out, me))


def _show(out: Console, me: wire.Me) -> None:
    roles = "\n".join(f"{one.workspace} ({one.role})" for one in me.workspaces)
    out.print(
        facts(
            [
                ("account", f"{me.account.name} ({me.account.id})"),
                ("operator", "yes" if me.account.operator else None),
                ("key", _key_line(me.key) if me.key is not None else None),
                ("key scopes", "\n".join(me.scopes) or "none"),
                ("workspaces", roles or "none"),
                ("granted", "\n".join(me.granted_models) or None),
            ]
        )
    )


def _key_line(key: wire.Key) -> str:
    named = f"{key.prefix}… {key.name}".strip()
    narrowed = [part for part in (key.workspace, key.model) if part]
    ends = f", until {moment(key.expires_at)}" if key.expires_at is not None else ""
    return f"{named} ({key.id}{', only ' + ' '.join(narrowed) if narrowed else ''}{ends})"
