"""`node-data model list`: list or search models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.lists import gather
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, show_table, text
from nodedata_registry.cli.words import day

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire


@command(
    "list", examples="node-data model list\nnode-data model list grasp --task grasping --license apache-2.0"
)
@click.argument("query", required=False)
@click.option("--workspace", metavar="SLUG", help="Of this workspace.")
@click.option("--task", help="For this task.")
@click.option("--framework", help="For this framework.")
@click.option("--license", "license_", help="Under this licence (SPDX).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@click.option("--cursor", metavar="CURSOR", help="Go on behind this one, as an earlier answer gave it.")
@click.pass_obj
def list_(
    shell: Shell,
    query: str | None,
    workspace: str | None,
    task: str | None,
    framework: str | None,
    license_: str | None,
    limit: int,
    cursor: str | None,
) -> None:
    """List the models that you may see; with a QUERY, those whose card or name has its words."""
    with shell.node() as node:
        found = gather(
            lambda behind, items: node.models.search(
                query,
                task=task,
                framework=framework,
                license=license_,
                workspace=workspace,
                cursor=behind,
                limit=items,
            ),
            limit,
            cursor,
        )
    shell.answer(found, lambda out: _show(out, found))


def _show(out: Console, found: wire.Models) -> None:
    columns = (
        Column("model"),
        Column("latest", whole=True),
        Column("task"),
        Column("licence"),
        Column("", whole=True),
        Column("changed", whole=True),
    )
    rows = [
        (
            text(one.ref, "bold"),
            one.latest or "–",
            one.task or "–",
            one.license or "–",
            text(one.visibility, "" if one.visibility == "public" else "dim"),
            day(one.updated_at),
        )
        for one in found.items
    ]
    show_table(out, columns, rows, "No models.")
    if found.has_more:
        out.print(text(f"There are more: --cursor {found.next_cursor}, or a higher --limit", "dim"))
