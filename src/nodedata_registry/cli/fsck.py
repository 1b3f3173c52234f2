"""`node-data fsck`: check that a data folder holds what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.bars import counted
from nodedata_registry.cli.command import command
from nodedata_registry.cli.extra import registry_in
from nodedata_registry.cli.problems import FAILED
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, table, text

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry.server.service.fsck import FsckReport


@command("fsck", examples="node-data fsck --data ./registry\nnode-data fsck --data ./registry --no-read-data")
@click.option("--data", required=True, metavar="DIR", help="The data folder of the registry.")
@click.option("--read-data/--no-read-data", default=True, help="Whether to read and hash every stored byte.")
@click.pass_obj
def fsck(shell: Shell, data: str, read_data: bool) -> int:
    """Check every event, revision, file and block. Nothing is changed.

    Exit code 0 when all is as promised, 1 when something is not. Blocks that nothing refers to are no
    fault: the next sweep takes them.
    """
    with registry_in(data, "fsck") as registry, counted(shell, "Checking files") as progress:
        from nodedata_registry.server.service.fsck import fsck as run_fsck

        report = run_fsck(registry, read_data=read_data, progress=progress)
    shell.answer(_document(report), lambda out: _show(out, report, read_data))
    return 0 if report.clean else FAILED


def _document(report: FsckReport) -> dict[str, object]:
    return {
        "clean": report.clean,
        "revisions": report.revisions,
        "files": report.files,
        "blocks": report.blocks,
        "bytes_read": report.bytes_read,
        "orphans": report.orphans,
        "events": report.events,
        "problems": [{"where": one.where, "message": one.message} for one in report.problems],
    }


def _show(out: Console, report: FsckReport, read_data: bool) -> None:
    read = f"{words.size(report.bytes_read)} read" if read_data else "no data read"
    out.print(
        f"Checked {words.plural(report.events, 'event')}, {words.plural(report.revisions, 'revision')},"
        f" {words.plural(report.files, 'file')}, {words.plural(report.blocks, 'block')} ({read})."
    )
    if report.orphans:
        out.print(
            f"{words.plural(report.orphans, 'block')} that nothing refers to; `node-data sweep` takes them."
        )
    if report.clean:
        out.print(text("Everything is as promised.", "green"))
        return
    columns = (Column("where"), Column("what was found"))
    out.print(table(columns, [(text(one.where, "bold"), one.message) for one in report.problems]))
    out.print(text(words.plural(len(report.problems), "problem") + " found.", "bold red"))
