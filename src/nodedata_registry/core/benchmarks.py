"""Benchmark values of two cards, compared: what moved, and whether it is outside noise."""

from __future__ import annotations

from dataclasses import dataclass


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

    `delta` is b minus a; `relative_delta` is that over |a|, None from 0. `verdict` is one of
    improved, regressed, unchanged, within_noise, changed, added, removed, not_comparable.
    """

    name: str
    metric: str
    value_a: float | None
    value_b: float | None
    delta: float | None
    relative_delta: float | None
    verdict: str
