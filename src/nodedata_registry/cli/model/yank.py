"""`node-data model yank` and `unyank`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.cli.targets import revision_target

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire

_WHAT = "a version or a range"


@command(
    "yank",
    examples="""
node-data model yank acme/grasp@1.3.2 --reason "drops objects under 20 g"
node-data model yank acme/grasp '>=1.2 <1.3.3' --reason "wrong joint order"
""",
)
@click.argument("model", metavar="MODEL[@REVISION]")
@click.argument("revision", required=False)
@click.option("--reason", required=True, help="Why, in one line; everybody who meets it reads this.")
@click.pass_obj
def yank(shell: Shell, model: str, revision: str | None, reason: str) -> None:
    """Mark a version, or what a range matches now, as not to be started with.

    Removes nothing: pins keep working, with a warning. Again with another reason, an exact version's
    reason is edited.
    """
    name, selector = revision_target(model, revision, _WHAT)
    with shell.node() as node:
        done = node.models.yank(name, selector, reason)
    shell.answer(done, lambda out: _show(out, name, done, "Yanked"))


@command("unyank", examples="node-data model unyank acme/grasp@1.3.2")
@click.argument("model", metavar="MODEL[@REVISION]")
@click.argument("revision", required=False)
@click.pass_obj
def unyank(shell: Shell, model: str, revision: str | None) -> None:
    """Take yanks back."""
    name, selector = revision_target(model, revision, _WHAT)
    with shell.node() as node:
        done = node.models.unyank(name, selector)
    shell.answer(done, lambda out: _show(out, name, done, "Un-yanked"))


def _show(out: Console, model: str, done: wire.YankResult, verb: str) -> None:
    if done.changed:
        out.print(text(f"{verb} {model} {', '.join(done.changed)}."))
    if done.unchanged:
        out.print(text(f"As before: {', '.join(done.unchanged)}.", "dim"))
