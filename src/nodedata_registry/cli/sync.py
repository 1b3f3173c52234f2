"""`node-data sync`: restore what the lock says, or what was synced before it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.bars import progress_bars
from nodedata_registry.cli.command import command
from nodedata_registry.cli.lock import project_option
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.errors import InvalidLock

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry.sdk.sync import SyncResult

_NOWHERE = "http://offline.invalid"


@command(
    "sync",
    examples="""
node-data sync                              # into the cache; prints a folder for each model
node-data sync /opt/models                  # becomes acme/grasp/…, acme/detector/…, in one step
node-data sync /opt/models --offline        # from the cache alone
node-data sync /opt/models --rollback       # what stood there before
""",
)
@click.argument("dest", required=False, type=click.Path(file_okay=False))
@click.option("--rollback", is_flag=True, help="Restore what was synced to this place before.")
@click.option("--offline", is_flag=True, help="Use the cache only; never ask the network.")
@click.option("--deny-yanked", is_flag=True, help="Refuse if a locked revision is yanked.")
@click.option("--quick", is_flag=True, help="Trust sizes and times of files here; do not hash them again.")
@click.option(
    "--any-registry", is_flag=True, help="Fetch from this registry although the lock names another."
)
@project_option
@click.pass_obj
def sync(
    shell: Shell,
    dest: str | None,
    rollback: bool,
    offline: bool,
    deny_yanked: bool,
    quick: bool,
    any_registry: bool,
    project: str,
) -> None:
    """Restore exactly what node-data.lock says: all models, or none; every file's SHA-256 is checked.

    If the registry is silent, or with --offline, the cache serves what it holds. A killed or failed
    sync leaves DEST as it was; run again, it resumes.
    """
    name_registry(shell, project, offline)
    with shell.node() as node, progress_bars(shell) as progress:
        found = node.sync(
            dest,
            project=project,
            rollback=rollback,
            on_yanked="error" if deny_yanked else "warn",
            offline=True if offline else None,
            verify=not quick,
            any_registry=any_registry,
            progress=progress,
        )
    for path in found.repaired:
        shell.warn(f"{path} was damaged here and has been replaced")
    shell.answer(found, lambda out: _show(out, found))


def name_registry(shell: Shell, project: str, offline: bool) -> None:
    """Let the lock name the registry where none is known and none will be asked.

    Only offline: a key must never go to an address just because a lock file names it.
    """
    from nodedata_registry.sdk.settings import read_settings

    settings = read_settings(shell.url, shell.key)
    if settings.base_url is None and shell.path is None and (offline or settings.offline):
        shell.url = _locked_registry(project) or _NOWHERE


def _locked_registry(project: str) -> str | None:
    from nodedata_registry.sdk.project_files import find_lock

    try:
        lock = find_lock(project)
    except InvalidLock:
        # Said by whoever needs the lock; a rollback does not.
        return None
    named = [pin.registry for pin in lock.pins if pin.registry.startswith("http")] if lock else []
    return named[0] if named else None


def _show(out: Console, found: SyncResult) -> None:
    for one in found.models:
        line = text(f"{one.model} {one.version}", "bold")
        line.append(" yanked" if one.yanked else "", "yellow")
        line.append_text(text(f"  {_near(one.path)}"))
        out.print(line, soft_wrap=True)
    done = "Rolled back" if found.rolled_back else "Restored" if found.changed else "Unchanged"
    counted = words.plural(len(found.models), "model")
    out.print(text(f"{done}: {counted}, {words.size(found.fetched_bytes)} fetched"))


def _near(path: str) -> str:
    """Return a path relative to here if it lies below."""
    here = Path(os.path.realpath(Path.cwd()))
    place = Path(path)
    return str(place.relative_to(here)) if place.is_relative_to(here) else path
