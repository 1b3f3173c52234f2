"""Which blocks a sweep may take."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from nodedata_registry.core.sweep import (
    LEASE_SECONDS,
    StoredBlock,
    SweepPlan,
    lease_end,
    lease_lives,
    plan_sweep,
)
from nodedata_registry.errors import InvalidRequest

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def block(name: str, *, age: timedelta = 30 * DAY, size_bytes: int = 10) -> StoredBlock:
    return StoredBlock(name, size_bytes, NOW - age)


def test_an_old_block_that_nothing_needs_goes() -> None:
    orphan = block("a", size_bytes=7)
    plan = plan_sweep([orphan], set(), set(), now=NOW)
    assert plan == SweepPlan((orphan,), referenced=0, leased=0, young=0)
    assert plan.delete_bytes == 7


def test_a_referenced_block_stays_however_old() -> None:
    assert plan_sweep([block("a")], {"a"}, set(), now=NOW) == SweepPlan((), 1, 0, 0)


def test_a_leased_block_stays_however_old() -> None:
    assert plan_sweep([block("a")], set(), {"a"}, now=NOW) == SweepPlan((), 0, 1, 0)


def test_a_young_block_stays() -> None:
    assert plan_sweep([block("a", age=DAY - SECOND)], set(), set(), now=NOW) == SweepPlan((), 0, 0, 1)


def test_a_block_exactly_as_old_as_the_grace_period_goes() -> None:
    assert plan_sweep([block("a", age=DAY)], set(), set(), now=NOW).kept == 0


def test_a_block_from_the_future_stays() -> None:
    assert plan_sweep([block("a", age=-DAY)], set(), set(), now=NOW, grace_seconds=0).kept == 1


def test_without_grace_a_fresh_block_goes() -> None:
    assert plan_sweep([block("a", age=SECOND)], set(), set(), now=NOW, grace_seconds=0).kept == 0


def test_a_block_is_counted_once_under_the_strongest_reason() -> None:
    stored = [block("a", age=SECOND), block("b", age=SECOND), block("c")]
    plan = plan_sweep(stored, {"a"}, {"a", "b"}, now=NOW)
    assert (plan.referenced, plan.leased, plan.young, plan.kept) == (1, 1, 0, 2)
    assert [gone.digest for gone in plan.delete] == ["c"]


def test_what_goes_is_in_the_order_of_the_listing() -> None:
    stored = [block(name) for name in "abcde"]
    assert plan_sweep(stored, {"b"}, {"d"}, now=NOW).delete == (stored[0], stored[2], stored[4])


def test_an_empty_store_gives_an_empty_plan() -> None:
    assert plan_sweep(iter(()), set(), set(), now=NOW) == SweepPlan((), 0, 0, 0)


@pytest.mark.parametrize("grace_seconds", [-1, -0.5, float("nan"), float("inf"), 1e12])
def test_a_grace_period_below_zero_or_beyond_ten_years_is_refused(grace_seconds: float) -> None:
    with pytest.raises(InvalidRequest, match="grace_seconds"):
        plan_sweep([], set(), set(), now=NOW, grace_seconds=grace_seconds)


def test_a_lease_runs_24_hours_from_the_last_use() -> None:
    assert lease_end(NOW) == NOW + DAY
    assert LEASE_SECONDS == 86_400
    assert lease_lives(NOW, NOW + DAY - SECOND)
    assert not lease_lives(NOW, NOW + DAY)
