"""Axes that a symbol ties together, compared: `[N, 3]` and `[N, 4]` promise one size, `[-1, 3]` none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nodedata_registry.core.findings import Finding, finding
from nodedata_registry.core.schema import UNNAMED, Axis


@dataclass(frozen=True, slots=True)
class TiedAxis:
    """An axis that is dynamic in both schemas, with what each calls it. `noun` is input or output."""

    noun: str
    tensor: str
    base: Axis
    candidate: Axis


def tie_findings(axes: Sequence[TiedAxis]) -> Iterator[Finding]:
    """Yield what changed about which dynamic axes have one size; nothing for renamed symbols.

    Tying asks more of a caller (MAJOR); untying inputs frees them (MINOR); ties of outputs are MAJOR.
    """
    base, candidate = [axis.base for axis in axes], [axis.candidate for axis in axes]
    for group in _split_groups(candidate, base):
        yield _finding(
            "shape_changed", [axes[index] for index in group], "are tied to one size and were free"
        )
    for group in _split_groups(base, candidate):
        members = [axes[index] for index in group]
        outputs = any(axis.noun == "output" for axis in members)
        kind = "shape_changed" if outputs else "axis_freed"
        yield _finding(kind, members, "were tied to one size and are free")


def _split_groups(tied: Sequence[Axis], other: Sequence[Axis]) -> Iterator[list[int]]:
    """Yield the positions of each group that a symbol ties on one side and nothing does on the other."""
    groups: dict[Axis, list[int]] = defaultdict(list)
    for index, symbol in enumerate(tied):
        if symbol != UNNAMED:
            groups[symbol].append(index)
    for group in groups.values():
        symbols = {other[index] for index in group}
        if len(group) > 1 and (len(symbols) > 1 or UNNAMED in symbols):
            yield group


def _finding(kind: str, members: Sequence[TiedAxis], what: str) -> Finding:
    # An output is named where one is involved: its promise is what a consumer relies on.
    first = next((axis for axis in members if axis.noun == "output"), members[0])
    named = " and ".join(
        f"{axis.noun} `{axis.tensor}` [{axis.base} → {axis.candidate}]" for axis in members[:3]
    )
    return finding(f"{first.noun}_{kind}", f"dynamic axes of {named} {what}", first.tensor)
