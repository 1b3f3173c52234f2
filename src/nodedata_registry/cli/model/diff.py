"""`node-data model diff`: what changed between two revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.bars import progress_bars
from nodedata_registry.cli.command import command
from nodedata_registry.cli.diff_report import show_diff
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.targets import span
from nodedata_registry.errors import InvalidRequest

if TYPE_CHECKING:
    from nodedata_registry.sdk.client import NodeData


@command(
    "diff",
    examples="""
node-data model diff acme/grasp 1.4.0..1.5.0
node-data model diff acme/grasp 1.4.0 latest
node-data model diff acme/grasp                # what latest gives against its parent
node-data model diff acme/grasp@1.4.0..1.5.0 --json
""",
)
@click.argument("model")
@click.argument("sides", nargs=-1, metavar="[A..B]")
@click.option(
    "--all", "every", is_flag=True, help="Show every file and tensor, not the largest changes only."
)
@click.pass_obj
def diff(shell: Shell, model: str, sides: tuple[str, ...], every: bool) -> None:
    """Show what B changed against A: files, parameters touched, benchmarks, schema, and the bump.

    One revision alone is compared with its parent; none means latest.
    """
    name, given = span(model, sides)
    with shell.node() as node, progress_bars(shell) as progress:
        a, b = given if len(given) == 2 else _with_parent(node, name, given[0])
        found = node.models.diff(name, a, b, progress=progress)
    shell.answer(found.to_dict(), lambda out: show_diff(out, name, found, every=every))


def _with_parent(node: NodeData, model: str, selector: str) -> tuple[str, str]:
    found = node.models.resolve(model, selector)
    if found.revision.parent is None:
        raise InvalidRequest(
            f"{found.model} {found.resolved} has no parent to compare with: name two revisions",
            field="revision",
        )
    return found.revision.parent, found.resolved
