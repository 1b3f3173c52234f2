"""`node-data audit`: which pins are yanked, retired, quarantined or changed, or have newer versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.command import command
from nodedata_registry.cli.lock import project_option
from nodedata_registry.cli.problems import COULD_NOT_RUN, report
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.errors import NodeDataError

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry.sdk.audit import AuditResult

CODES = {"fine": 0, "newer": 101, "yanked": 102, "retired": 103, "quarantined": 104, "changed": 105}
"""The exit code of each level, from harmless to never."""

_STYLES = {
    "newer": "cyan",
    "yanked": "yellow",
    "retired": "yellow",
    "quarantined": "bold red",
    "changed": "bold red",
}
_CHOICES = ("newer", "yanked", "retired", "quarantined")


@command(
    "audit",
    examples="""
node-data audit                                  # CI: fails on yanked pins and worse
node-data audit --fail-on newer                  # a weekly job that looks for upgrades
node-data audit --fail-on quarantined --fallback # a robot's boot: only what must not start
""",
)
@click.option(
    "--fail-on",
    type=click.Choice(_CHOICES),
    default="yanked",
    show_default=True,
    help="The mildest finding that fails; worse ones do, too.",
)
@click.option("--offline", is_flag=True, help="Tell what was last heard; never ask the network.")
@click.option("--fallback", is_flag=True, help="Tell what was last heard if no registry answers.")
@click.option("--any-registry", is_flag=True, help="Ask this registry although the lock names another.")
@project_option
@click.pass_obj
def audit(shell: Shell, fail_on: str, offline: bool, fallback: bool, any_registry: bool, project: str) -> int:
    """Say what the registry knows against the revisions in node-data.lock, with reasons.

    Exit codes, by the worst finding: 0 none, or milder than --fail-on; 101 a newer version that the
    request admits; 102 yanked; 103 retired; 104 quarantined; 105 changed, which can never happen;
    2 no answer could be had.
    """
    if offline and fallback:
        raise click.UsageError("--offline never asks the registry, --fallback does: choose one")
    try:
        found = _ask(shell, project, True if offline else "fallback" if fallback else None, any_registry)
    except NodeDataError as error:
        report(shell, error)
        return COULD_NOT_RUN
    shell.answer(found, lambda out: _show(out, found))
    code = CODES[found.level]
    return code if code >= CODES[fail_on] else 0


def _ask(shell: Shell, project: str, offline: bool | str | None, any_registry: bool) -> AuditResult:
    from nodedata_registry.cli.sync import name_registry

    name_registry(shell, project, offline is True)
    with shell.node() as node:
        return node.audit(project=project, offline=offline, any_registry=any_registry)


def _show(out: Console, found: AuditResult) -> None:
    for one in found.findings:
        line = text(f"{one.level}: ", _STYLES[one.level])
        line.append_text(text(one.message))
        out.print(line)
    heard = "" if found.source == "registry" else ", as last heard of"
    bad = len({one.model for one in found.findings if one.level != "newer"})
    against = f"something speaks against {bad}" if bad else "nothing speaks against them"
    out.print(text(f"Audited {words.plural(len(found.models), 'model')}{heard}: {against}"))
