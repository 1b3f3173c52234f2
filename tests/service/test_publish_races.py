"""Many publishers and a sweep at once: one wins, nothing is lost, nothing dangles."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count

import pytest

from nodedata_registry.errors import (
    BlocksMissing,
    NodeDataError,
    UploadExpired,
    UploadNotFound,
    VersionExists,
)
from nodedata_registry.server.service import fsck, marks, publish, sweep
from nodedata_registry.server.service.publish import PublishOrder
from tests.service.worlds import CARD, World, safetensors

REF = "acme/grasp"
FILES = {"model_card.md": CARD, "model.safetensors": safetensors({"w": [1.0] * 8})}


def outcomes(work: Callable[[int], str], workers: int) -> list[str]:
    """Run `work` in that many threads that start together; errors come back as their code."""
    start = threading.Barrier(workers)

    def run(worker: int) -> str:
        start.wait()
        try:
            return work(worker)
        except NodeDataError as error:
            return error.code

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, range(workers)))


def ready(world: World, files: dict[str, bytes]) -> tuple[PublishOrder, str]:
    """Return an order of 1.0.0 and the upload that has all its blocks."""
    order = world.order("1.0.0", files)
    return order, world.send(world.open(order), files)


def test_of_64_publishers_of_one_version_exactly_one_wins(world: World) -> None:
    made = [ready(world, {**FILES, "n.txt": b"%d" % number}) for number in range(64)]

    def work(number: int) -> str:
        order, upload = made[number]
        return publish.commit(world.registry, world.owner, REF, order, upload).view.row.id

    got = outcomes(work, 64)
    assert sum(one.startswith("rev_") for one in got) == 1
    assert got.count(VersionExists.code) == 63
    winner = next(number for number, one in enumerate(got) if one.startswith("rev_"))
    assert world.read_file("1.0.0", "n.txt") == b"%d" % winner
    assert fsck.fsck(world.registry).problems == []


def test_of_64_identical_publishes_all_get_the_same_revision(world: World) -> None:
    made = [ready(world, FILES) for _ in range(64)]
    created: list[bool] = []

    def work(number: int) -> str:
        order, upload = made[number]
        done = publish.commit(world.registry, world.owner, REF, order, upload)
        created.append(done.created)
        return done.view.row.id

    assert len(set(outcomes(work, 64))) == 1
    assert sorted(created) == [False] * 63 + [True]
    assert sum(event.kind == "revision.published" for event in world.events()) == 1


@pytest.mark.parametrize("version", ["1.0.0", "auto"])
def test_one_upload_committed_many_times_at_once_makes_one_revision(world: World, version: str) -> None:
    order = world.order(version, FILES)
    upload = world.send(world.open(order), FILES)

    def work(_: int) -> str:
        return publish.commit(world.registry, world.owner, REF, order, upload).view.row.id

    assert len(set(outcomes(work, 8))) == 1
    assert world.versions() == ["1.0.0"]


def test_events_have_no_gap_after_a_race(world: World) -> None:
    made = [ready(world, {**FILES, "n.txt": b"%d" % number}) for number in range(8)]
    outcomes(lambda n: publish.commit(world.registry, world.owner, REF, *made[n]).view.row.id, 8)
    assert all(event.sequence == place for event, place in zip(world.events(), count(1), strict=False))


@pytest.mark.parametrize("seconds", [4.0])
def test_a_sweep_in_a_loop_takes_nothing_that_publishes_need(world: World, seconds: float) -> None:
    """Publishes, re-publishes of what was retired and retirements, beside sweeps without grace."""
    world.publish("1.0.0", FILES)
    end = time.monotonic() + seconds
    swept: list[int] = []
    done: list[str] = []
    failures: list[BaseException] = []

    def sweeping() -> None:
        jump = time.monotonic()
        while time.monotonic() < end:
            swept.append(sweep.sweep(world.registry, grace_seconds=0).deleted)
            if time.monotonic() >= jump:
                # Every lease runs out, also in the middle of a publish.
                world.clock.pass_hours(24.5)
                jump = time.monotonic() + 0.2

    def publishing(worker: int) -> None:
        for turn in count():
            if time.monotonic() >= end:
                return
            # The same few contents come again and again, after their revisions were retired.
            files = {"n.txt": b"worker %d content %d" % (worker, turn % 3)}
            version = _published(world, files)
            if version is not None:
                done.append(version)
                if turn % 2:
                    marks.retire(world.registry, world.owner, REF, version, "not needed")

    def kept(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
            raise

    with ThreadPoolExecutor(4) as pool:
        pool.submit(kept, sweeping)
        for worker in range(3):
            pool.submit(kept, partial(publishing, worker))
    assert failures == []
    assert done and sum(swept) > 0
    assert fsck.fsck(world.registry).problems == []
    world.clock.pass_hours(25)
    sweep.sweep(world.registry, grace_seconds=0)
    found = fsck.fsck(world.registry)
    assert (found.problems, found.orphans) == ([], 0)


def _published(world: World, files: dict[str, bytes]) -> str | None:
    """Publish as a patient client does: what a sweep took is sent again."""
    for _ in range(50):
        try:
            return str(world.publish("auto", files, f"{time.monotonic_ns()}").row.version)
        except (BlocksMissing, UploadExpired, UploadNotFound):
            continue
        except NodeDataError as error:
            if error.code == "nothing_changed":
                return None
            raise
    raise AssertionError("fifty sweeps in a row came between")
