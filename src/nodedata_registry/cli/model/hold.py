"""`node-data model hold` and `unhold`."""

from __future__ import annotations

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.cli.targets import revision_target


@command("hold", examples="node-data model hold acme/grasp@1.2.0 --reason 'runs on line 3 until summer'")
@click.argument("model", metavar="MODEL[@VERSION]")
@click.argument("version", required=False)
@click.option("--reason", required=True, help="Why, in one line.")
@click.pass_obj
def hold(shell: Shell, model: str, version: str | None, reason: str) -> None:
    """Keep a version whatever the retention policy says."""
    name, exact = revision_target(model, version)
    with shell.node() as node:
        done = node.models.hold(name, exact, reason)
    shell.answer(done, lambda out: out.print(text(f"Holding {done.model} {done.version}.")))


@command("unhold", examples="node-data model unhold acme/grasp@1.2.0")
@click.argument("model", metavar="MODEL[@VERSION]")
@click.argument("version", required=False)
@click.pass_obj
def unhold(shell: Shell, model: str, version: str | None) -> None:
    """Lift a hold; the retention policy decides again."""
    name, exact = revision_target(model, version)
    with shell.node() as node:
        done = node.models.unhold(name, exact)
    shell.answer(done, lambda out: out.print(text(f"{done.model} {done.version} is held no longer.")))
