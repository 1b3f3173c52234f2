"""`node-data keys`: API keys of the caller."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.command import LazyGroup, Place, command
from nodedata_registry.cli.moments import expiry
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, show_table, text
from nodedata_registry.cli.words import day, ends

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire

_SCOPES = ("models:read", "models:upload", "models:yank", "workspace:admin", "registry:operate")


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "create": Place("keys:create", "Make a key that reaches no further than this one"),
            "list": Place("keys:list_", "List your keys, without their secrets"),
            "revoke": Place("keys:revoke", "Revoke a key for ever"),
        }
    },
)
def keys() -> None:
    """Make, list and revoke API keys."""


@command(
    "create",
    examples="""
node-data keys create --name ci --scope models:read --scope models:upload --workspace acme
node-data keys create --name robot --scope models:read --model acme/grasp --expires 90d
""",
)
@click.option("--name", default="", help="What the key is for.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(_SCOPES), help="What it may do; again for more."
)
@click.option("--workspace", metavar="SLUG", help="Only in this workspace.")
@click.option("--model", metavar="MODEL", help="Only on this model.")
@click.option("--expires", type=expiry, metavar="WHEN", help="When it ends: 30d, or 2030-01-31.")
@click.option("--account", metavar="ACCOUNT", help="For this account (operators only).")
@click.pass_obj
def create(
    shell: Shell,
    name: str,
    scopes: tuple[str, ...],
    workspace: str | None,
    model: str | None,
    expires: datetime | None,
    account: str | None,
) -> None:
    """Make a key and print it; it is shown this once. Every option narrows it."""
    with shell.node() as node:
        made = node.keys.create(
            name,
            scopes=list(scopes) or None,
            workspace=workspace,
            model=model,
            expires_at=expires,
            account_id=account,
        )
    shell.answer(made, lambda out: _show_new(out, made))


@command("list", examples="node-data keys list")
@click.pass_obj
def list_(shell: Shell) -> None:
    """List your keys, revoked ones included, without their secrets."""
    with shell.node() as node:
        found = node.keys.list()
    shell.answer(found, lambda out: _show(out, found))


@command("revoke", examples="node-data keys revoke key_01J…")
@click.argument("key_id", metavar="KEY")
@click.pass_obj
def revoke(shell: Shell, key_id: str) -> None:
    """Revoke a key for ever, by its id."""
    with shell.node() as node:
        node.keys.revoke(key_id)
    shell.answer({"revoked": key_id}, lambda out: out.print(text(f"Revoked {key_id}.")))


def _show_new(out: Console, made: wire.NewKey) -> None:
    out.print(text(f"Made the key {made.id}, which may: {', '.join(made.scopes)}"))
    out.print(text(f"The key (shown this once): {made.key}"), soft_wrap=True)


def _show(out: Console, found: wire.Keys) -> None:
    columns = (Column("key", whole=True), Column("name"), Column("may"), Column("state"))
    rows = [(one.id, one.name, _reach(one), _state(one)) for one in found.items]
    show_table(out, columns, rows, "No keys.")


def _reach(key: wire.Key) -> str:
    scopes = "all" if len(key.scopes) == len(_SCOPES) else ", ".join(key.scopes)
    place = key.model or key.workspace
    return f"{scopes} in {place}" if place else scopes


def _state(key: wire.Key) -> str:
    if key.revoked_at is not None:
        return f"revoked {day(key.revoked_at)}"
    return "valid" if key.expires_at is None else ends(key.expires_at)
