"""`node-data model check`: the bump verdict, without publishing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.bars import progress_bars
from nodedata_registry.cli.command import command
from nodedata_registry.cli.problems import COULD_NOT_RUN, TOO_LOW, report
from nodedata_registry.cli.publishing import Order, order_options, read_changelog
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, table, text
from nodedata_registry.cli.verdicts import show_bases
from nodedata_registry.errors import NodeDataError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from nodedata_registry import wire

_CHANGE_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "modified": ("~", "yellow")}


@command(
    "check",
    examples="""
node-data model check ./policy --model acme/grasp --version 1.5.0
node-data model check policy.onnx model_card.md --model acme/grasp --version auto
""",
)
@click.pass_obj
@order_options
@click.option("--changelog", default="", type=read_changelog, metavar="TEXT|@FILE|-", help="As for push.")
def check(shell: Shell, order: Order, changelog: str) -> int:
    """Ask what bump the evidence asks for; sends no weights and publishes nothing.

    Exit codes: 0 the version is fine, 100 its bump is too low, 2 no verdict could be had.
    """
    try:
        found = _ask(shell, order, changelog)
    except NodeDataError as error:
        report(shell, error)
        return COULD_NOT_RUN
    shell.answer(found, lambda out: _show(out, order.model, found))
    return 0 if found.ok else TOO_LOW


def _ask(shell: Shell, order: Order, changelog: str) -> wire.Check:
    with shell.node() as node, progress_bars(shell) as progress:
        return node.models.check(
            order.model,
            order.version,
            order.files,
            changelog,
            order.parent,
            root=order.root,
            remove=order.remove,
            allow_gap=order.allow_gap,
            accept=order.accept,
            follow_links=order.follow_links,
            progress=progress,
        )


def _show(out: Console, model: str, found: wire.Check) -> None:
    headline = text(f"{model} {found.version}: ", "bold")
    headline.append("fine" if found.ok else "bump too low", "bold green" if found.ok else "bold red")
    out.print(headline)
    show_bases(out, found.verdict)
    _show_changes(out, found)
    out.print(text(f"A publish would send {words.size(found.missing_bytes)}.", "dim"))
    if not found.ok:
        bump = found.verdict.asked
        out.print(
            f"Next: publish it with a {bump} bump (--version auto), or --accept CODE=REASON as an owner."
        )


def _show_changes(out: Console, found: wire.Check) -> None:
    if not found.changes:
        return
    beside = f" against {found.parent}" if found.parent else ""
    out.print(text(f"{words.plural(len(found.changes), 'file')} changed{beside}:"))
    rows = [(change_sign(one.change), one.path, _sizes(one)) for one in found.changes]
    columns = (Column("", whole=True), Column(""), Column("", "right", whole=True))
    out.print(table(columns, rows, indent=2, head=False))


def change_sign(change: str) -> Text:
    """Return the sign that stands before a changed file."""
    return text(*_CHANGE_SIGNS.get(change, ("»", "cyan")))


def _sizes(one: wire.FileChange) -> str:
    now = one.size_a_bytes if one.size_b_bytes is None else one.size_b_bytes
    return "" if now is None else words.size(now)
