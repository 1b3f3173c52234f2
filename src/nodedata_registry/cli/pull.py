"""`node-data pull`: download a revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.bars import progress_bars
from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.cli.targets import target

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry.sdk.download import Forecast
    from nodedata_registry.sdk.snapshot import Snapshot


@command(
    "pull",
    examples="""
node-data pull acme/grasp                            # latest, into the cache; prints the folder
node-data pull acme/grasp@^1 ./policy                # ./policy becomes exactly that revision
node-data pull acme/grasp@1.4.0 --include '*.safetensors'
node-data pull acme/grasp@1.5.0 --dry-run            # how many bytes would move
""",
)
@click.argument("model", metavar="MODEL[@REVISION]")
@click.argument("dest", required=False, type=click.Path(file_okay=False))
@click.option("--include", multiple=True, metavar="PATTERN", help="Only files like this; again for more.")
@click.option("--deny-yanked", is_flag=True, help="Refuse yanked revisions, pinned ones too.")
@click.option("--offline", is_flag=True, help="Use the cache only; never ask the network.")
@click.option(
    "--fallback", is_flag=True, help="Let the cache stand in for ranges, too, if no registry answers."
)
@click.option(
    "--require-signature",
    "trusted",
    type=click.Path(),
    metavar="PUBLIC.pem",
    help="Fetch nothing that this key did not sign.",
)
@click.option("--dry-run", is_flag=True, help="Say how many bytes would be fetched; fetch nothing.")
@click.pass_obj
def pull(
    shell: Shell,
    model: str,
    dest: str | None,
    include: tuple[str, ...],
    deny_yanked: bool,
    offline: bool,
    fallback: bool,
    trusted: str | None,
    dry_run: bool,
) -> None:
    """Download a revision, every byte verified, and print the folder that holds it.

    Only blocks that no cached revision holds are fetched. Without DEST the folder is a read-only
    snapshot in the cache; with it, DEST becomes exactly the revision, in one step.
    """
    if offline and fallback:
        raise click.UsageError("--offline never asks the registry, --fallback does: choose one")
    named = target(model)
    on_yanked = "error" if deny_yanked else "warn"
    wanted = _Wanted(named.model, named.selector, include or None, on_yanked, _mode(offline, fallback))
    if dry_run:
        _forecast(shell, wanted)
    else:
        _download(shell, wanted, dest, trusted)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to download, as the SDK wants to hear it."""

    model: str
    selector: str
    include: tuple[str, ...] | None
    on_yanked: str
    offline: bool | str | None


def _mode(offline: bool, fallback: bool) -> bool | str | None:
    return True if offline else "fallback" if fallback else None


def _download(shell: Shell, wanted: _Wanted, dest: str | None, trusted: str | None) -> None:
    with shell.node() as node, progress_bars(shell) as progress:
        found = node.models.download(
            wanted.model,
            wanted.selector,
            dest,
            include=wanted.include,
            on_yanked=wanted.on_yanked,
            offline=wanted.offline,
            require_signature=trusted,
            progress=progress,
        )
    if not shell.as_json:
        shell.note(f"{wanted.model} {found.resolved} (sha256:{found.digest})")
    shell.answer(_document(found), lambda out: out.print(text(str(found)), soft_wrap=True))


def _document(found: Snapshot) -> dict[str, object]:
    return {
        "path": str(found),
        "requested": found.requested,
        "resolved": found.resolved,
        "digest": found.digest,
        "commit": found.commit,
        "yanked": found.yanked,
    }


def _forecast(shell: Shell, wanted: _Wanted) -> None:
    with shell.node() as node:
        found = node.models.forecast(
            wanted.model,
            wanted.selector,
            include=wanted.include,
            on_yanked=wanted.on_yanked,
            offline=wanted.offline,
        )
    shell.answer(found, lambda out: _show_forecast(out, wanted.model, found))


def _show_forecast(out: Console, model: str, found: Forecast) -> None:
    out.print(
        text(
            f"{model} {found.resolved}: {words.size(found.fetch_bytes)} to fetch of"
            f" {words.size(found.total_bytes)} in {words.plural(found.file_count, 'file')}"
            f" ({words.share(found.fetch_bytes, found.total_bytes)})"
        )
    )
