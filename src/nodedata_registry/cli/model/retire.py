"""`node-data model retire`: remove one private version's files for ever."""

from __future__ import annotations

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.cli.targets import revision_target
from nodedata_registry.errors import ConfirmationRequired


@command(
    "retire", examples="node-data model retire acme/grasp@1.0.1 --reason 'trained on withdrawn data' --yes"
)
@click.argument("model", metavar="MODEL[@VERSION]")
@click.argument("version", required=False)
@click.option("--reason", required=True, help="Why, in one line.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def retire(shell: Shell, model: str, version: str | None, reason: str, yes: bool) -> None:
    """Remove one private, never public version's files for ever. Owners only.

    Its number, card, changelog and record stay; the number is never used again.
    """
    name, exact = revision_target(model, version)
    if not yes:
        _ask(shell, f"{name} {exact}")
    with shell.node() as node:
        done = node.models.retire(name, exact, reason)
    shell.answer(done, lambda out: out.print(text(f"Retired {done.model} {done.version}.")))


def _ask(shell: Shell, what: str) -> None:
    if not shell.can_ask:
        raise ConfirmationRequired(f"retiring {what} removes its files for ever", field="yes")
    click.confirm(f"Remove the files of {what} for ever?", abort=True, err=True)
