"""`node-data sweep`: delete stored blocks that nothing needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.bars import counted
from nodedata_registry.cli.command import command
from nodedata_registry.cli.extra import registry_in
from nodedata_registry.cli.moments import seconds
from nodedata_registry.cli.shell import Shell

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry.server.service.sweep import SweepReport


@command(
    "sweep",
    examples="""
node-data sweep --data ./registry --dry-run
node-data sweep --data ./registry --grace 72h
""",
)
@click.option("--data", required=True, metavar="DIR", help="The data folder of the registry.")
@click.option(
    "--grace", type=seconds, metavar="DURATION", help="How old a block must be, such as 24h (the default)."
)
@click.option("--dry-run", is_flag=True, help="Say what would go; delete nothing.")
@click.pass_obj
def sweep(shell: Shell, data: str, grace: int | None, dry_run: bool) -> None:
    """Delete blocks that no unretired revision and no upload under way needs.

    Safe while the registry serves and while publishes go on; one that is killed half-way leaves nothing
    wrong, and the next one goes on.
    """
    with registry_in(data, "sweep") as registry, counted(shell, "Deleting blocks") as progress:
        from nodedata_registry.server.service.sweep import sweep as run_sweep

        report = run_sweep(registry, grace_seconds=grace, dry_run=dry_run, progress=progress)
    shell.answer(_document(report, dry_run), lambda out: _show(out, report, dry_run))


def _document(report: SweepReport, dry_run: bool) -> dict[str, object]:
    plan = report.plan
    return {
        "dry_run": dry_run,
        "unneeded_blocks": len(plan.delete),
        "unneeded_bytes": plan.delete_bytes,
        "deleted_blocks": report.deleted,
        "freed_bytes": report.freed_bytes,
        "uploads_closed": report.uploads_closed,
        "kept": {"referenced": plan.referenced, "leased": plan.leased, "young": plan.young},
    }


def _show(out: Console, report: SweepReport, dry_run: bool) -> None:
    plan = report.plan
    if dry_run:
        done = f"Would delete {words.plural(len(plan.delete), 'block')}, {words.size(plan.delete_bytes)}"
    else:
        done = f"Deleted {words.plural(report.deleted, 'block')}, {words.size(report.freed_bytes)}"
    out.print(f"{done}.")
    out.print(
        f"Kept {plan.kept:,}: {plan.referenced:,} that revisions need, {plan.leased:,} of uploads under way,"
        f" {plan.young:,} younger than the grace period."
    )
    if report.uploads_closed:
        out.print(f"Closed {words.plural(report.uploads_closed, 'expired upload')}.")
