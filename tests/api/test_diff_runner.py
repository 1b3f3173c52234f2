"""Diffs in threads: each pair once, progress, failures, the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from nodedata_registry.errors import BlockNotFound
from nodedata_registry.server.jobs.diffs import MAX_KEPT_FAILURES, ThreadDiffRunner
from nodedata_registry.server.ports import Progress

Report = Callable[[int, int], None]
PAIR = ("rev_a", "rev_b")


@pytest.fixture
def runner() -> Iterator[ThreadDiffRunner]:
    made = ThreadDiffRunner()
    yield made
    made.close()


def test_a_pair_that_many_want_is_computed_once(runner: ThreadDiffRunner) -> None:
    runs: list[int] = []
    go = threading.Event()

    def compute(_report: Report) -> None:
        go.wait(10)
        runs.append(1)

    for _ in range(5):
        runner.submit(PAIR, compute)
    go.set()
    assert runner.wait(PAIR, 10) is None
    assert len(runs) == 1


def test_who_does_not_wait_long_enough_is_told_the_progress(runner: ThreadDiffRunner) -> None:
    reported, go = threading.Event(), threading.Event()

    def compute(report: Report) -> None:
        report(3, 10)
        reported.set()
        go.wait(10)

    runner.submit(PAIR, compute)
    reported.wait(10)
    assert runner.wait(PAIR, 0) == Progress(3, 10)
    go.set()
    assert runner.wait(PAIR, 10) is None


def test_a_failure_reaches_one_who_waits_and_is_then_forgotten(runner: ThreadDiffRunner) -> None:
    def compute(_report: Report) -> None:
        raise BlockNotFound("a block is gone")

    runner.submit(PAIR, compute)
    with pytest.raises(BlockNotFound):
        runner.wait(PAIR, 10)
    assert runner.wait(PAIR, 0) is None


def test_a_failed_pair_may_be_tried_again(runner: ThreadDiffRunner) -> None:
    def fail(_report: Report) -> None:
        raise BlockNotFound("a block is gone")

    runner.submit(PAIR, fail)
    with pytest.raises(BlockNotFound):
        runner.wait(PAIR, 10)
    runner.submit(PAIR, lambda _report: None)
    assert runner.wait(PAIR, 10) is None


def test_failures_that_nobody_waits_for_are_bounded(runner: ThreadDiffRunner) -> None:
    def fail(_report: Report) -> None:
        raise BlockNotFound("a block is gone")

    for number in range(MAX_KEPT_FAILURES + 5):
        runner.submit(("a", str(number)), fail)
    for number in range(MAX_KEPT_FAILURES + 5):
        try:
            runner.wait(("a", str(number)), 10)
        except BlockNotFound:
            kept = number
    assert kept == MAX_KEPT_FAILURES + 4


def test_after_the_end_nothing_begins_and_nobody_waits() -> None:
    runner = ThreadDiffRunner()
    runner.close()
    runner.submit(PAIR, lambda _report: None)
    assert runner.wait(PAIR, 10) is None
