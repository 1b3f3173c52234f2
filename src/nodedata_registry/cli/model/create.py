"""`node-data model create`: make a model."""

from __future__ import annotations

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text


@command(
    "create",
    examples="node-data model create acme/grasp\nnode-data model create acme/demo --visibility public",
)
@click.argument("model", metavar="WORKSPACE/NAME")
@click.option(
    "--visibility",
    type=click.Choice(("private", "public")),
    default="private",
    show_default=True,
    help="Who may read.",
)
@click.pass_obj
def create(shell: Shell, model: str, visibility: str) -> None:
    """Make a model. What is public stays so once a revision exists."""
    with shell.node() as node:
        made = node.models.create(model, visibility)
    shell.answer(made, lambda out: out.print(text(f"Made the {made.visibility} model {made.ref}: {made.id}")))
