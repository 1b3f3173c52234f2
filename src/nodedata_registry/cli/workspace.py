"""`node-data workspace`: owners of models, and their retention policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from nodedata_registry.cli.command import LazyGroup, Place, command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, facts, show_table, text
from nodedata_registry.cli.words import day

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "create": Place("workspace:create", "Make a workspace; you become its owner"),
            "list": Place("workspace:list_", "List the workspaces that you may see"),
            "show": Place("workspace:show", "Show a workspace and its retention policy"),
            "retention": Place("workspace:retention", "Set the retention policy"),
        }
    },
)
def workspace() -> None:
    """Make and show workspaces, and set their retention policy."""


@command("create", examples="node-data workspace create acme")
@click.argument("slug")
@click.pass_obj
def create(shell: Shell, slug: str) -> None:
    """Make a workspace; you become its owner."""
    with shell.node() as node:
        made = node.workspaces.create(slug)
    shell.answer(made, lambda out: out.print(text(f"Made the workspace {made.slug}.")))


@command("list", examples="node-data workspace list")
@click.pass_obj
def list_(shell: Shell) -> None:
    """List the workspaces that you may see."""
    with shell.node() as node:
        found = node.workspaces.list()
    shell.answer(found, lambda out: _show_list(out, found))


@command("show", examples="node-data workspace show acme")
@click.argument("slug")
@click.pass_obj
def show(shell: Shell, slug: str) -> None:
    """Show a workspace: your role in it and its retention policy."""
    with shell.node() as node:
        found = node.workspaces.get(slug)
    shell.answer(found, lambda out: _show(out, found))


@click.group(
    cls=LazyGroup,
    sections={"Commands": {"set": Place("workspace:set_retention", "Set the keep rules of a workspace")}},
)
def retention() -> None:
    """Set the retention policy of a workspace; `node-data retention` previews and applies it."""


@command(
    "set",
    examples="""
node-data workspace retention set acme --keep-last 5 --keep-unyanked
node-data workspace retention set acme --keep-days 365 --keep-latest-of minor
node-data workspace retention set acme --keep-everything
""",
)
@click.argument("slug")
@click.option("--keep-last", type=click.IntRange(1), metavar="N", help="The newest N revisions of a model.")
@click.option("--keep-days", type=click.IntRange(1), metavar="N", help="What is younger than N days.")
@click.option(
    "--keep-latest-of", type=click.Choice(("major", "minor")), help="The highest of every such line."
)
@click.option("--keep-unyanked", is_flag=True, help="What is not yanked.")
@click.option("--keep-everything", is_flag=True, help="No policy: nothing is ever retired by one.")
@click.pass_obj
def set_retention(
    shell: Shell,
    slug: str,
    keep_last: int | None,
    keep_days: int | None,
    keep_latest_of: Literal["major", "minor"] | None,
    keep_unyanked: bool,
    keep_everything: bool,
) -> None:
    """Set which revisions of private models are kept; a revision stays if any rule keeps it.

    Nothing is removed by this: `node-data retention preview` shows what would be.
    """
    from nodedata_registry import wire

    policy = wire.RetentionPolicy(
        keep_last=keep_last,
        keep_days=keep_days,
        keep_latest_of=keep_latest_of,
        keep_unyanked=keep_unyanked or None,
    )
    if bool(policy.to_dict()) == keep_everything:
        raise click.UsageError("state at least one --keep-… rule, or --keep-everything alone")
    with shell.node() as node:
        found = node.workspaces.set_retention(slug, None if keep_everything else policy)
    shell.answer(found, lambda out: _show(out, found))


def policy_text(policy: wire.RetentionPolicy | None) -> str:
    """Return a retention policy in words."""
    rules = [] if policy is None else [f"{name} {value}" for name, value in policy.to_dict().items()]
    return " or ".join(rule.removesuffix(" True") for rule in rules) or "keeps everything"


def _show(out: Console, found: wire.Workspace) -> None:
    out.print(
        facts(
            [
                ("workspace", text(found.slug, "bold")),
                ("id", found.id),
                ("your role", found.role or "none"),
                ("retention", policy_text(found.retention)),
                ("made", day(found.created_at)),
            ]
        )
    )


def _show_list(out: Console, found: wire.Workspaces) -> None:
    columns = (
        Column("workspace", whole=True),
        Column("your role"),
        Column("retention"),
        Column("made", whole=True),
    )
    rows = [
        (one.slug, one.role or "–", policy_text(one.retention), day(one.created_at)) for one in found.items
    ]
    show_table(out, columns, rows, "No workspaces. `node-data workspace create SLUG` makes one.")
