"""`node-data model publish`: make a private model public."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.errors import ConfirmationRequired

if TYPE_CHECKING:
    from nodedata_registry import wire
    from nodedata_registry.sdk.client import NodeData


@command(
    "publish",
    examples="""
node-data model publish acme/grasp
node-data model publish acme/grasp --confirm 1.0.0 --confirm 1.1.0
""",
)
@click.argument("model")
@click.option(
    "--confirm", multiple=True, metavar="VERSION", help="A version that this publishes; all are needed."
)
@click.option("--yes", is_flag=True, help="Confirm all that it publishes, without asking.")
@click.pass_obj
def publish(shell: Shell, model: str, confirm: tuple[str, ...], yes: bool) -> None:
    """Make a private model public, with every revision that it has. That is final.

    To publish a new revision, use `node-data model push`.
    """
    with shell.node() as node:
        done = _published(shell, node, model, list(confirm), yes)
    shell.answer(done, lambda out: out.print(text(f"{done.ref} is {done.visibility}.")))


def _published(shell: Shell, node: NodeData, model: str, confirm: list[str], yes: bool) -> wire.Model:
    try:
        return node.models.update_visibility(model, "public", confirm or None)
    except ConfirmationRequired as error:
        versions = [str(one) for one in error.details.get("versions", [])]
        if confirm or not (yes or shell.can_ask):
            raise
        if not yes:
            _ask(shell, model, versions)
        return node.models.update_visibility(model, "public", versions)


def _ask(shell: Shell, model: str, versions: list[str]) -> None:
    shell.note(f"{model} would be public for ever with: {', '.join(versions)}")
    question = f"Publish {words.plural(len(versions), 'revision')} to everybody?"
    click.confirm(question, abort=True, err=True)
