"""The bump verdict as a table: which finding asks for what, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nodedata_registry.cli.tables import Column, table, text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from nodedata_registry import wire
    from nodedata_registry.core.diff_values import ShownAccepted, ShownFinding

_ORDER = ("none", "patch", "minor", "major")
_STYLES = {"major": "bold red", "minor": "yellow", "patch": "green"}


def is_enough(declared: str, asked: str) -> bool:
    """Tell whether a declared bump meets what is asked; words that are not known never do."""
    return declared in _ORDER and asked in _ORDER and _ORDER.index(declared) >= _ORDER.index(asked)


def bump_text(bump: str) -> Text:
    """Return the name of a bump in its colour."""
    return text(bump, _STYLES.get(bump, "dim"))


def show_bases(out: Console, verdict: wire.Verdict) -> None:
    """Print the judgement from each base, with its findings."""
    for base in verdict.bases:
        out.print(base_line(base.version, base.declared, base.asked))
        show_findings(out, base.findings, verdict.accepted)
    if not verdict.bases:
        out.print(text("No earlier revision to judge from: any first version is allowed.", "dim"))


def base_line(version: str, declared: str, asked: str) -> Text:
    """Return `from 1.4.0: declares patch, the evidence asks for minor ✗`."""
    line = text(f"from {version}: declares ").append_text(bump_text(declared))
    line.append(", the evidence asks for ").append_text(bump_text(asked))
    enough = is_enough(declared, asked)
    return line.append(" ✓" if enough else " ✗ too low", "bold green" if enough else "bold red")


def imported_line(verdict: wire.Verdict) -> str | None:
    """Return where a revision was brought in from, which is why its bump was not enforced."""
    found = verdict.imported
    return None if found is None else f"from {found.source}: {found.reference} (findings not enforced)"


def show_findings(
    out: Console,
    findings: Iterable[wire.Finding | ShownFinding],
    accepted: Sequence[wire.Accepted | ShownAccepted],
) -> None:
    """Print findings, the largest first; accepted ones say with which reason."""
    reasons = {one.code: one.reason for one in accepted}
    ranked = sorted(findings, key=lambda one: -_ORDER.index(one.asks) if one.asks in _ORDER else -9)
    rows = [(bump_text(one.asks), one.code, _why(one, reasons.get(one.code))) for one in ranked]
    if rows:
        out.print(table((Column("asks", whole=True), Column("finding"), Column("why")), rows, indent=2))


def _why(finding: wire.Finding | ShownFinding, reason: str | None) -> Text:
    why = text(finding.message)
    return why if reason is None else why.append_text(text(f" (accepted: {reason})", "cyan"))
