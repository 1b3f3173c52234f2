"""`node-data lock`: pin what a project's models mean now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, table, text
from nodedata_registry.cli.targets import target

if TYPE_CHECKING:
    from collections.abc import Collection

    from rich.console import Console
    from rich.text import Text

    from nodedata_registry.sdk.lock import LockChange, LockOrder, LockResult

_SIGNS = {
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "upgraded": ("↑", "cyan"),
    "downgraded": ("↓", "yellow"),
    "changed": ("~", "yellow"),
}

project_option = click.option(
    "--project",
    default=".",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The folder of node-data.toml and node-data.lock (default: this one).",
)


@command(
    "lock",
    examples="""
node-data lock                              # what node-data.toml asks for; keeps what still fits
node-data lock --upgrade                    # the newest that it allows
node-data lock --upgrade acme/grasp
node-data lock --check                      # CI: exit code 1 if the lock would change
node-data lock acme/grasp@^1                # without a node-data.toml
""",
)
@click.argument("models", nargs=-1, metavar="[MODEL[@REVISION]]...")
@click.option("--upgrade", is_flag=True, help="Resolve all anew, or only the models named.")
@click.option("--check", is_flag=True, help="Write nothing; fail if the lock would change.")
@click.option("--min-age", metavar="AGE", help="Ranges ignore younger revisions: 12h, 7d, 2w.")
@click.option(
    "--allow-young", multiple=True, metavar="MODEL", help="Take a young revision of this model, knowingly."
)
@click.option("--deny-yanked", is_flag=True, help="Refuse to lock yanked revisions.")
@project_option
@click.pass_obj
def lock(
    shell: Shell,
    models: tuple[str, ...],
    upgrade: bool,
    check: bool,
    min_age: str | None,
    allow_young: tuple[str, ...],
    deny_yanked: bool,
    project: str,
) -> None:
    """Write node-data.lock: version, digest and every file's SHA-256 of the models of a project.

    The models are those of node-data.toml; without that file, those named here and those locked
    already. A pin stays while its request admits it. Commit the file: `node-data sync` restores it.
    """
    from nodedata_registry.sdk.lock import LockOrder

    wanted, named = _models(models, upgrade)
    order = LockOrder(project, wanted, named, check, min_age, allow_young, "error" if deny_yanked else "warn")
    found = _locked(shell, order, ask=upgrade or not check)
    shell.answer(found, lambda out: _show(out, found))


def _locked(shell: Shell, order: LockOrder, *, ask: bool) -> LockResult:
    from nodedata_registry.sdk.lock import lock as lock_project

    if not ask:
        # A check compares two files: CI needs no registry for it, and no key.
        return lock_project(None, order)
    with shell.node() as node:
        return node.lock(
            order.models,
            project=order.project,
            upgrade=order.upgrade,
            check=order.check,
            min_age=order.min_age,
            allow_young=order.allow_young,
            on_yanked=order.on_yanked,
        )


def _models(models: tuple[str, ...], upgrade: bool) -> tuple[dict[str, str], bool | Collection[str]]:
    """Return what is wanted, and what is to be upgraded, of the models that were named."""
    targets = [target(one) for one in models]
    if not upgrade:
        return {one.model: one.selector for one in targets}, False
    for one in targets:
        if one.revision is not None:
            raise click.UsageError(f"--upgrade takes models without a revision: {one.model}")
    return {}, [one.model for one in targets] or True


def _show(out: Console, found: LockResult) -> None:
    requests = {one.model: one.requested for one in found.models}
    rows = [_row(one, requests.get(one.model, "")) for one in found.changes]
    if rows:
        columns = (Column("", whole=True), Column("", whole=True), Column("", whole=True), Column(""))
        out.print(table(columns, rows, head=False))
    for young in found.passed_over:
        until = words.moment(young.old_enough_at)
        out.print(text(f"{young.model} {young.version} is passed over until {until} (min_age)", "dim"))
    counted = words.plural(len(found.models), "model")
    state = "Wrote" if found.changed else "Up to date:"
    out.print(text(f"{state} {found.path} ({counted})"), soft_wrap=True)


def _row(change: LockChange, requested: str) -> tuple[Text, str, str, str]:
    old, new = change.old_version, change.new_version
    versions = f"{old} → {new}" if old and new and old != new else new or old or ""
    return text(*_SIGNS[change.change]), change.model, versions, requested
