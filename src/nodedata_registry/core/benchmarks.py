"""Benchmark values of two cards, compared: what moved, which way, and whether outside noise.

A difference counts where a test says so (two-sided p < 0.05): the two-proportion z test where both
sides give `n` and the values are rates (0 to 1, no unit), Welch's t test where both give `stderr` and
`n`; else where it is at least 0.5 % of the earlier value (from 0: any).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from nodedata_registry.core.metric_directions import direction
from nodedata_registry.core.statistics import two_proportion_p, welch_p

SIGNIFICANT_P = 0.05
SMALLEST_RELATIVE = Fraction(5, 1000)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One measured value of a card, unique there by (name, metric).

    `n` is the number of trials, `stderr` the standard error of `value`, in its unit.
    """

    name: str
    metric: str
    value: float
    higher_is_better: bool | None = None
    unit: str | None = None
    n: int | None = None
    stderr: float | None = None


@dataclass(frozen=True, slots=True)
class BenchmarkChange:
    """How one benchmark moved from a to b.

    `delta` is b minus a in decimal arithmetic (0.31 - 0.3 is 0.01); `relative_delta` is that over
    |a|. Both are None where a side is missing or the units differ; the second also from 0.
    `verdict`: improved, regressed, unchanged, within_noise, changed (direction unknown), added,
    removed, not_comparable (unlike units).
    """

    name: str
    metric: str
    value_a: float | None
    value_b: float | None
    delta: float | None
    relative_delta: float | None
    verdict: str


def compare_benchmarks(a: Iterable[Benchmark], b: Iterable[Benchmark]) -> tuple[BenchmarkChange, ...]:
    """Return how each benchmark moved, in the order of a, then what b added in its order.

    >>> before, after = Benchmark("pick", "success_rate", 0.80), Benchmark("pick", "success_rate", 0.86)
    >>> [change.verdict for change in compare_benchmarks([before], [after])]
    ['improved']
    """
    earlier = {(item.name, item.metric): item for item in a}
    later = {(item.name, item.metric): item for item in b}
    changes = []
    for key, item in earlier.items():
        if key in later:
            changes.append(_moved(item, later[key]))
        else:
            changes.append(BenchmarkChange(*key, item.value, None, None, None, "removed"))
    for key, item in later.items():
        if key not in earlier:
            changes.append(BenchmarkChange(*key, None, item.value, None, None, "added"))
    return tuple(changes)


def _moved(a: Benchmark, b: Benchmark) -> BenchmarkChange:
    if _unit(a) != _unit(b):
        return BenchmarkChange(a.name, a.metric, a.value, b.value, None, None, "not_comparable")
    delta = _exact(b.value) - _exact(a.value)
    relative = None if a.value == 0 else _as_float(delta / abs(_exact(a.value)))
    return BenchmarkChange(
        a.name, a.metric, a.value, b.value, _as_float(delta), relative, _verdict(a, b, delta)
    )


def _verdict(a: Benchmark, b: Benchmark, delta: Fraction) -> str:
    if delta == 0:
        return "unchanged"
    up = _direction(a, b)
    if up is None:
        return "changed"
    if not _outside_noise(a, b, delta):
        return "within_noise"
    return "improved" if (delta > 0) == up else "regressed"


def _direction(a: Benchmark, b: Benchmark) -> bool | None:
    stated = {item.higher_is_better for item in (a, b) if item.higher_is_better is not None}
    if len(stated) == 2:  # the cards contradict each other: nobody knows
        return None
    return stated.pop() if stated else direction(a.metric)


def _outside_noise(a: Benchmark, b: Benchmark, delta: Fraction) -> bool:
    if a.n is not None and b.n is not None:
        if _is_rate(a) and _is_rate(b):
            return two_proportion_p(a.value, a.n, b.value, b.n) < SIGNIFICANT_P
        if a.stderr is not None and b.stderr is not None and min(a.n, b.n) > 1:
            return welch_p(a.value, a.stderr, a.n, b.value, b.stderr, b.n) < SIGNIFICANT_P
    return abs(delta) >= SMALLEST_RELATIVE * abs(_exact(a.value))


def _is_rate(item: Benchmark) -> bool:
    return item.unit is None and 0 <= item.value <= 1


def _unit(item: Benchmark) -> str | None:
    return None if item.unit is None else item.unit.strip().casefold()


def _exact(value: float) -> Fraction:
    """Return the number that the card's author wrote, not its nearest binary one."""
    return Fraction(repr(value))


def _as_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:  # infinity has no JSON form
        return sys.float_info.max if value > 0 else -sys.float_info.max
