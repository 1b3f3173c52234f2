"""Full disks and `kill -9` in the middle of a publish: nothing half visible, and it works again."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nodedata_registry.errors import InsufficientStorage, RevisionNotFound
from nodedata_registry.server.service import fsck, resolve, sweep
from nodedata_registry.server.service.identify import identify
from tests.service.conftest import closed, opened
from tests.service.killed_publisher import content
from tests.service.worlds import CARD, World, safetensors

REF = "acme/grasp"
ROOT = Path(__file__).parents[2]
TRIALS = 12


# --- a full disk --------------------------------------------------------------------------------


@dataclass
class SmallDisk:
    """A folder on a disk that `fill` leaves no room on and `free` gives it back."""

    folder: Path
    fill: Callable[[int], None]
    free: Callable[[], None]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A tmpfs of 16 MiB where this may be mounted, else a limit on the size of files."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mount)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    yield _tmpfs(mount) if mounted else _limited(mount)
    if mounted:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def _tmpfs(mount: Path) -> SmallDisk:
    filler = mount / "filler"

    def fill(leave_bytes: int) -> None:
        room = shutil.disk_usage(mount).free - leave_bytes
        filler.write_bytes(bytes(max(0, room)))

    return SmallDisk(mount / "data", fill, lambda: filler.unlink(missing_ok=True))


def _limited(mount: Path) -> SmallDisk:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(leave_bytes: int) -> None:
        # Below the catalog's own size the limit is an I/O error to SQLite and not a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(200_000, leave_bytes), hard))

    return SmallDisk(mount / "data", fill, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard)))


@pytest.mark.parametrize("leave_bytes", [0, 16_384, 200_000, 600_000])
def test_a_full_disk_refuses_the_publish_and_it_works_once_there_is_room(
    started: tuple[Path, str], small_disk: SmallDisk, leave_bytes: int
) -> None:
    shutil.copytree(started[0], small_disk.folder)
    registry, clock = opened(small_disk.folder)
    world = World(registry, clock, identify(registry, started[1]), started[1])
    files = {"model_card.md": CARD, "model.safetensors": safetensors({"w": [1.0] * 400_000})}
    small_disk.fill(leave_bytes)
    try:
        with pytest.raises(InsufficientStorage):
            world.publish("1.0.0", files)
    finally:
        small_disk.free()
    with pytest.raises(RevisionNotFound):
        resolve.resolve(registry, world.owner, REF, "*")
    assert fsck.fsck(registry).problems == []
    world.publish("1.0.0", files)
    assert world.read_file("1.0.0", "model.safetensors") == files["model.safetensors"]
    assert fsck.fsck(registry).problems == []
    closed(registry)


# --- kill -9 ------------------------------------------------------------------------------------


@pytest.fixture
def publisher() -> Iterator[subprocess.Popen[str]]:
    """The process that forks publishers."""
    command = [sys.executable, "-m", "tests.service.killed_publisher"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=20)


def killed(process: subprocess.Popen[str], order: str, after_seconds: float) -> dict[int, str]:
    """Let a fork publish, kill it, and return the revision ids that it acknowledged, by number."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(order + "\n")
    process.stdin.flush()
    pid = int(process.stdout.readline().split()[1])
    time.sleep(after_seconds)
    os.kill(pid, signal.SIGKILL)
    acknowledged = {}
    for line in iter(process.stdout.readline, "dead\n"):
        _, number, revision_id = line.split()
        acknowledged[int(number)] = revision_id
    return acknowledged


def test_a_publisher_killed_at_any_moment_leaves_whole_revisions_or_none(
    started: tuple[Path, str], tmp_path: Path, publisher: subprocess.Popen[str]
) -> None:
    folder, key = tmp_path / "data", started[1]
    shutil.copytree(started[0], folder)
    moments = random.Random(int(time.time()))
    published: dict[int, str] = {}
    for trial in range(TRIALS):
        first = len(published)
        seconds = moments.uniform(0.0, 0.15)
        published |= killed(publisher, f"{folder} {key} {first}", seconds)
        published |= _checked(folder, key, published, f"trial {trial}: killed after {seconds:.4f} s")
    assert len(published) >= TRIALS


def _checked(folder: Path, key: str, acknowledged: dict[int, str], where: str) -> dict[int, str]:
    """Check the folder after a kill, publish what comes next, and return that."""
    registry, clock = opened(folder)
    world = World(registry, clock, identify(registry, key), key)
    visible = world.versions()
    number = len(acknowledged)
    assert visible in ([f"1.0.{n}" for n in range(n_max)] for n_max in (number, number + 1)), where
    assert fsck.fsck(registry).problems == [], where
    before = None
    if len(visible) > number:
        before = resolve.resolve(registry, world.owner, REF, f"1.0.{number}").view.row.id
    again = world.publish(f"1.0.{number}", content(number), f"number {number}").row.id
    assert before in (None, again), where
    for known, revision_id in list(acknowledged.items())[-3:]:
        row = resolve.resolve(registry, world.owner, REF, f"1.0.{known}").view.row
        assert row.id == revision_id, where
        assert world.read_file(f"1.0.{known}", "model.safetensors") == content(known)["model.safetensors"]
    clock.pass_hours(25)
    sweep.sweep(registry, grace_seconds=0)
    found = fsck.fsck(registry)
    assert (found.problems, found.orphans) == ([], 0), where
    closed(registry)
    return {number: again}
