"""A diff on the terminal: the totals first, then the largest changes, then the verdict.

headline · files · parameters · benchmarks · schema · licence and card · changelogs · bump
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodedata_registry.cli import words
from nodedata_registry.cli.model.check import change_sign
from nodedata_registry.cli.tables import Column, table, text
from nodedata_registry.cli.verdicts import base_line, show_findings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from nodedata_registry.core.benchmarks import BenchmarkChange
    from nodedata_registry.core.diff_values import FileChange, ParametersDiff, RevisionDiff, TensorDiff

_SHOWN = 15
_BAR = 6
_ROOMY = 100
_WIDE_BAR = 40
_GOOD = {"improved": "bold green", "regressed": "bold red"}
_UNMOVED = frozenset({"unchanged", "within_noise"})
_TENSOR_COLUMNS = (
    Column("tensor"),
    Column("type"),
    Column("touched", "right", whole=True),
    Column("", whole=True),
    Column("max |Δ|", "right", whole=True),
    Column("rms Δ", "right", whole=True),
)


def show_diff(out: Console, model: str, diff: RevisionDiff, *, every: bool = False) -> None:
    """Print a diff; without `every` only the largest changes of long lists."""
    shown = None if every else _SHOWN
    out.print(text(f"{model}  {diff.a.version} → {diff.b.version}", "bold"))
    _show_files(out, diff, shown)
    _show_parameters(out, diff.parameters, shown)
    _show_benchmarks(out, diff.benchmarks)
    _show_schema(out, diff)
    _show_card(out, diff)
    _show_changelogs(out, diff)
    _show_bump(out, diff)


def _heading(out: Console, title: str, rest: str = "") -> None:
    out.print()
    out.print(text(title, "bold cyan").append_text(text(f"  {rest}" if rest else "", "not bold default")))


def _more(out: Console, total: int, shown: int | None) -> None:
    if shown is not None and total > shown:
        out.print(text(f"  … and {total - shown:,} more (--all shows them)", "dim"))


# --- files ----------------------------------------------------------------------------------------


def _show_files(out: Console, diff: RevisionDiff, shown: int | None) -> None:
    items = diff.files.items
    if not items:
        _heading(out, "Files", "none changed")
        return
    moved = f"{words.size(diff.files.transfer_bytes)} to fetch for who has {diff.a.version}"
    _heading(out, "Files", f"{len(items):,} changed, {moved}")
    columns = (Column("", whole=True), Column(""), Column("", "right", whole=True))
    rows = [(change_sign(one.change), _file_name(one), _file_size(one)) for one in items[:shown]]
    _print_bare(out, columns, rows)
    _more(out, len(items), shown)


def _file_name(one: FileChange) -> str:
    return f"{one.old_path} → {one.path}" if one.old_path else one.path


def _file_size(one: FileChange) -> str:
    if one.size_a_bytes is None or one.size_b_bytes is None or one.size_a_bytes == one.size_b_bytes:
        known = one.size_b_bytes if one.size_b_bytes is not None else one.size_a_bytes
        return "" if known is None else words.size(known)
    return f"{words.size(one.size_a_bytes)} → {words.size(one.size_b_bytes)}"


# --- parameters -----------------------------------------------------------------------------------


def _show_parameters(out: Console, diff: ParametersDiff, shown: int | None) -> None:
    if not (diff.total.a or diff.total.b):
        return
    part = words.share(diff.touched, diff.total.b)
    _heading(out, "Parameters", f"{diff.touched:,} of {diff.total.b:,} touched ({part})")
    bar = words.bar(diff.touched, diff.total.b, _WIDE_BAR)
    sums = _sums(diff)
    if diff.touched or sums:
        out.print(text("  ").append(bar, "yellow on grey30").append(sums))
    ranked = sorted(diff.tensors, key=lambda one: -one.touched)
    if ranked:
        # Beside long names there is no room for it on 80 columns.
        columns = _TENSOR_COLUMNS if out.width >= _ROOMY else _TENSOR_COLUMNS[:-1]
        rows = [_tensor_row(one)[: len(columns)] for one in ranked[:shown]]
        out.print(table(columns, rows, indent=2))
    _more(out, len(ranked), shown)


def _sums(diff: ParametersDiff) -> str:
    parts = [
        f"{number:,} {word}" for number, word in ((diff.added, "added"), (diff.removed, "removed")) if number
    ]
    if diff.total.a != diff.total.b:
        parts.append(f"{diff.total.a:,} before")
    return "  " + ", ".join(parts) if parts else ""


def _tensor_row(one: TensorDiff) -> tuple[str | Text, ...]:
    scalars = 1
    for axis in one.shape:
        scalars *= axis
    kind = f"{one.dtype} {'×'.join(str(axis) for axis in one.shape)}".strip()
    if one.change in ("added", "removed", "renamed"):
        return (text(one.name), kind, text(one.change, "dim"), "", "–", "–")
    changed = "" if one.change == "modified" else f" {one.change}"
    return (
        text(one.name),
        kind + changed,
        f"{one.touched:,} ({words.share(one.touched, scalars)})",
        text(words.bar(one.touched, scalars, _BAR), "yellow on grey30"),
        words.figure(one.max_abs),
        words.figure(one.rms),
    )


# --- benchmarks -----------------------------------------------------------------------------------


def _show_benchmarks(out: Console, changes: Sequence[BenchmarkChange]) -> None:
    if not changes:
        return
    moved = sum(1 for one in changes if one.verdict not in _UNMOVED)
    _heading(out, "Benchmarks", f"{moved:,} of {len(changes):,} moved")
    columns = (
        Column("", whole=True),
        Column("benchmark"),
        Column("metric"),
        Column("before", "right", whole=True),
        Column("after", "right", whole=True),
        Column("change", "right"),
        Column("", whole=True),
    )
    out.print(table(columns, [_benchmark_row(one) for one in changes], indent=2))


def _benchmark_row(one: BenchmarkChange) -> tuple[str | Text, ...]:
    style = _GOOD.get(one.verdict, "dim" if one.verdict in _UNMOVED else "")
    return (
        text(_arrow(one), style),
        one.name,
        one.metric,
        words.figure(one.value_a),
        words.figure(one.value_b),
        _moved(one),
        text(one.verdict.replace("_", " "), style),
    )


def _arrow(one: BenchmarkChange) -> str:
    if one.delta is None:
        return {"added": "+", "removed": "-"}.get(one.verdict, "?")
    return "▲" if one.delta > 0 else "▼" if one.delta < 0 else "="


def _moved(one: BenchmarkChange) -> str:
    if one.delta is None:
        return "–"
    relative = "" if one.relative_delta is None else f" ({one.relative_delta:+.1%})"
    return f"{one.delta:+.4g}{relative}"


# --- schema, card, changelogs, bump ---------------------------------------------------------------


def _show_schema(out: Console, diff: RevisionDiff) -> None:
    if diff.schema:
        _heading(out, "Schema", "inputs or outputs changed")
        show_findings(out, diff.schema, ())


def _show_card(out: Console, diff: RevisionDiff) -> None:
    rows = [(one.field, _value(one.a), "→", _value(one.b)) for one in diff.card]
    if diff.license.a != diff.license.b:
        rows.insert(0, ("license", diff.license.a, "→", diff.license.b))
    if rows:
        _heading(out, "Card")
        _print_bare(out, (Column(""), Column(""), Column("", whole=True), Column("")), rows)


def _value(value: object) -> str:
    """Return a card's value on one line, cut where it is long."""
    import msgspec

    if value is None:
        return "–"
    line = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    line = " ".join(line.split())
    return line if len(line) <= 120 else f"{line[:119]}…"


def _show_changelogs(out: Console, diff: RevisionDiff) -> None:
    if diff.changelogs:
        _heading(out, "Changelog")
        rows = [(text(one.version, "bold"), one.changelog.strip()) for one in diff.changelogs]
        _print_bare(out, (Column("", whole=True), Column("")), rows)


def _show_bump(out: Console, diff: RevisionDiff) -> None:
    if diff.bump is None:
        return
    _heading(out, "Bump")
    line = base_line(diff.a.version, diff.bump.declared, diff.bump.asked)
    out.print(text("  ").append_text(line))
    show_findings(out, diff.bump.findings, diff.bump.accepted)


def _print_bare(out: Console, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]]) -> None:
    out.print(table(columns, rows, indent=2, head=False))
