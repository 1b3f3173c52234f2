"""`node-data retention`: preview and apply a workspace's policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.command import LazyGroup, Place, command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, show_table, text
from nodedata_registry.cli.workspace import policy_text
from nodedata_registry.errors import ConfirmationRequired

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "preview": Place("retention:preview", "Show what would go, and what keeps the rest"),
            "apply": Place("retention:apply", "Retire what a preview showed"),
        }
    },
)
def retention() -> None:
    """Preview and apply a workspace's retention policy."""


@command("preview", examples="node-data retention preview acme")
@click.argument("workspace")
@click.pass_obj
def preview(shell: Shell, workspace: str) -> None:
    """Show each revision that would be retired, and for the others the rules that keep them."""
    with shell.node() as node:
        found = node.retention.preview(workspace)
    shell.answer(found, lambda out: _show(out, found))


@command(
    "apply",
    examples="""
node-data retention apply acme
node-data retention apply acme --preview 5f3c…   # the digest that the preview showed
""",
)
@click.argument("workspace")
@click.option("--preview", "digest", metavar="DIGEST", help="The digest of the preview to execute.")
@click.option("--yes", is_flag=True, help="Execute what a preview made now shows, without asking.")
@click.pass_obj
def apply(shell: Shell, workspace: str, digest: str | None, yes: bool) -> None:
    """Retire what the policy does not keep: files go for ever, version, card and record stay.

    Without --preview it shows a preview and asks. If the preview is no longer what would happen, nothing
    is done.
    """
    with shell.node() as node:
        agreed = digest or _agreed(shell, node.retention.preview(workspace), yes)
        done = node.retention.apply(workspace, agreed)
    shell.answer(done, lambda out: _show_done(out, done))


def _agreed(shell: Shell, found: wire.RetentionPreview, yes: bool) -> str:
    """Return the preview's digest if the caller agrees to it."""
    going = _going(found)
    if yes or not going:
        return found.digest
    if not shell.can_ask:
        raise ConfirmationRequired(
            f"this would retire {words.plural(len(going), 'revision')} of {found.workspace} for ever:"
            f" repeat with --preview {found.digest}",
            field="preview",
            details={"digest": found.digest},
        )
    _show(shell.err, found)
    question = f"Retire {words.plural(len(going), 'revision')} for ever?"
    click.confirm(question, abort=True, err=True)
    return found.digest


def _going(found: wire.RetentionPreview) -> list[wire.RetentionItem]:
    return [item for item in found.items if item.action != "keep"]


def _show(out: Console, found: wire.RetentionPreview) -> None:
    out.print(text(f"{found.workspace}: {policy_text(found.policy)}"))
    columns = (
        Column("revision"),
        Column("", whole=True),
        Column("size", "right", whole=True),
        Column("because"),
    )
    rows = [
        (
            f"{item.model}@{item.version}",
            text("keep", "green") if item.action == "keep" else text("retire", "bold red"),
            words.size(item.size_bytes),
            "; ".join(item.reasons),
        )
        for item in found.items
    ]
    show_table(out, columns, rows, "No private revisions.")
    _show_sum(out, found)


def _show_sum(out: Console, found: wire.RetentionPreview) -> None:
    going = _going(found)
    if not going:
        out.print("Nothing would be retired.")
        return
    total = words.size(_total_bytes(going))
    out.print(text(f"Would retire {words.plural(len(going), 'revision')}, {total}.", "bold"))
    apply_line = f"node-data retention apply {found.workspace} --preview {found.digest}"
    out.print(text(f"To do exactly this: {apply_line}", "dim"), soft_wrap=True)


def _total_bytes(items: Iterable[wire.RetentionItem]) -> int:
    return sum(item.size_bytes for item in items)


def _show_done(out: Console, done: wire.RetentionResult) -> None:
    for name in done.retired:
        out.print(text(f"Retired {name}"))
    if not done.retired:
        out.print("Nothing was retired.")
