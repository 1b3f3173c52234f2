"""`node-data model quarantine`: take a version down, or serve it again."""

from __future__ import annotations

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.cli.targets import revision_target


@command(
    "quarantine",
    examples="""
node-data model quarantine acme/grasp@1.2.0 --reason "contains customer data"
node-data model quarantine acme/grasp@1.2.0 --lift
""",
)
@click.argument("model", metavar="MODEL[@VERSION]")
@click.argument("version", required=False)
@click.option("--reason", help="Why, in one line; whoever asks for the version reads it.")
@click.option("--lift", is_flag=True, help="Serve the version again.")
@click.pass_obj
def quarantine(shell: Shell, model: str, version: str | None, reason: str | None, lift: bool) -> None:
    """Take a version down: its bytes are kept and not served. Operators only."""
    name, exact = revision_target(model, version)
    if lift == (reason is not None):
        raise click.UsageError("state a --reason, or --lift the quarantine")
    with shell.node() as node:
        if reason is None:
            done = node.models.unquarantine(name, exact)
        else:
            done = node.models.quarantine(name, exact, reason)
    now = "is served again" if lift else "is quarantined"
    shell.answer(done, lambda out: out.print(text(f"{done.model} {done.version} {now}.")))
