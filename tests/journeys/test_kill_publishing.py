"""`kill -9` at any moment of publishing: nothing acknowledged is lost, nothing half-done is visible."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nodedata_registry import NodeData, Progress, errors, wire
from nodedata_registry.server.app import open_registry
from nodedata_registry.server.service.fsck import fsck
from nodedata_registry.server.service.sweep import sweep
from tests.api.actor import blocks_of
from tests.journeys.cable import cable_to
from tests.journeys.policies import MIB, contents, write_policy
from tests.journeys.running import OWNER_KEY, Running, python, run_command, running, start, wait_until

MODEL = "acme/grasp"
SIZE = 50 * MIB
TRIALS_OF_A_FOLDER = 25
"""After so many trials a new data folder is begun: each trial leaves 50 MB for ever."""

_PUBLISH = """
import sys
from nodedata_registry import NodeData
node = NodeData(sys.argv[1], sys.argv[2])
print("begun", flush=True)
revision = node.models.create_revision("acme/grasp", sys.argv[4], sys.argv[3], "Trained on")
print(revision.id, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder with the model `acme/grasp`."""
    with running(tmp_path / "data") as server, NodeData(server.url, OWNER_KEY) as node:
        node.workspaces.create("acme")
        node.models.create(MODEL, visibility="public")
    yield tmp_path / "data"


@dataclass
class Attempt:
    """A publish in a thread of its own: the revision that was acknowledged, or the error."""

    url: str
    version: str
    files: Path
    revision: wire.Revision | None = None
    error: errors.NodeDataError | None = None
    all_sent: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            with NodeData(self.url, OWNER_KEY) as node:
                self.revision = publish(node, self.version, self.files, self._hear)
        except errors.NodeDataError as error:
            self.error = error

    def _hear(self, progress: Progress) -> None:
        if progress.phase == "send" and progress.done_bytes == progress.total_bytes:
            self.all_sent.set()

    def end(self) -> None:
        """Wait until the publish has ended, one way or the other."""
        self.thread.join(60)
        assert (self.revision is None) != (self.error is None)


def publish(
    node: NodeData, version: str, files: Path, hear: Callable[[Progress], None] | None = None
) -> wire.Revision:
    """Publish a folder as `acme/grasp`."""
    return node.models.create_revision(MODEL, version, files, "Trained on", progress=hear)


def visible(node: NodeData) -> dict[str, str]:
    """Return the ids of all revisions by version."""
    return {one.version: one.id for one in node.models.revisions(MODEL).items}


def assert_whole(node: NodeData, version: str, files: Path) -> None:
    """Fetch a revision and compare every byte."""
    assert contents(node.models.download(MODEL, version)) == contents(files)


def assert_clean_after_sweep(data: Path) -> None:
    """Sweep without grace beside the server that runs, then check the folder but for its bytes."""
    opened = open_registry(data)
    try:
        sweep(opened.registry, grace_seconds=0)
        assert fsck(opened.registry, read_data=False).problems == []
    finally:
        opened.close()


@dataclass
class Trials:
    """Kills of the server of one data folder, and what was acknowledged so far."""

    data: Path
    work: Path
    server: Running
    acknowledged: dict[str, str] = field(default_factory=dict)
    broken_off: int = 0
    publish_seconds: float = 0.0
    commit_seconds: float = 0.0

    def first(self) -> None:
        """Publish undisturbed, to know how long it takes, and how long its commit."""
        with self.node() as node:
            node.workspaces.create("acme")
            node.models.create(MODEL, visibility="public")
        started = time.monotonic()
        attempt = Attempt(self.server.url, "0.1.0", write_policy(self.work / "model", SIZE))
        assert attempt.all_sent.wait(60)
        sent = time.monotonic()
        attempt.end()
        assert attempt.revision is not None
        self.acknowledged["0.1.0"] = attempt.revision.id
        self.publish_seconds = time.monotonic() - started
        self.commit_seconds = time.monotonic() - sent

    def kill_at(self, moment: float, *, of_commit: bool) -> None:
        """Publish, kill the server when that part (0 to 1) of the time has passed, and check everything."""
        version = f"0.1.{len(self.acknowledged)}"
        files = write_policy(self.work / "model", SIZE, note=version)
        attempt = Attempt(self.server.url, version, files)
        if of_commit:
            attempt.all_sent.wait(60)
        time.sleep(moment * (self.commit_seconds if of_commit else self.publish_seconds))
        self.server.kill()
        # The client is still trying where nobody listens any more: the new port is another.
        self.server = start(self.data)
        with self.node() as node:
            found = self._check(node, version, files)
            again = publish(node, version, files)
            self.acknowledged[version] = again.id
            assert visible(node) == self.acknowledged
            assert_whole(node, version, files)
        attempt.end()
        assert found in (None, again.id)
        if attempt.revision is not None:
            assert found == attempt.revision.id
        self.broken_off += attempt.revision is None

    def _check(self, node: NodeData, version: str, files: Path) -> str | None:
        """Check what is visible; return the id of the version that was tried, if it is there."""
        found = visible(node)
        tried = found.pop(version, None)
        assert found == self.acknowledged
        if tried is not None:
            assert_whole(node, version, files)
        assert_clean_after_sweep(self.data)
        return tried

    def node(self) -> NodeData:
        """Return a client whose cache is emptied now and then, for it only costs room."""
        shutil.rmtree(self.work / "cache", ignore_errors=True)
        return NodeData(self.server.url, OWNER_KEY, cache=self.work / "cache")

    def finish(self) -> None:
        """Stop the server; every byte of every revision is as it was acknowledged."""
        assert self.server.stop() == 0
        swept = run_command("sweep", "--data", str(self.data), "--grace", "0s", "--json")
        checked = run_command("fsck", "--data", str(self.data), "--json")
        assert (swept.returncode, checked.returncode) == (0, 0), checked.stdout
        assert json.loads(checked.stdout)["revisions"] == len(self.acknowledged)


def kill_at_random_moments(work: Path, count: int) -> None:
    """Kill at `count` random moments: half of them anywhere in a publish, half while it commits."""
    seed = random.SystemRandom().randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    moments = [(number + chance.random()) / count for number in range(count)]
    chance.shuffle(moments)
    broken_off = 0
    for begin in range(0, count, TRIALS_OF_A_FOLDER):
        data = work / f"data{begin}"
        trials = Trials(data, work, start(data))
        try:
            trials.first()
            for number in range(begin, min(begin + TRIALS_OF_A_FOLDER, count)):
                trials.kill_at(moments[number] * 1.1, of_commit=number % 2 == 1)
            trials.finish()
        finally:
            trials.server.stop()
        shutil.rmtree(data)
        broken_off += trials.broken_off
    sys.stdout.write(f"{count} kills: {broken_off} publishes broken off, the others were acknowledged\n")
    assert broken_off >= count / 3, "the kills came too late to mean anything"


def test_a_server_killed_while_publishing_loses_nothing_and_shows_nothing_half(tmp_path: Path) -> None:
    kill_at_random_moments(tmp_path, 6)


@pytest.mark.soak
def test_two_hundred_kills_of_the_server_lose_nothing_and_show_nothing_half(tmp_path: Path) -> None:
    kill_at_random_moments(tmp_path, 200)


def test_a_commit_whose_answer_was_lost_gives_the_same_revision_again(folder: Path, tmp_path: Path) -> None:
    files = write_policy(tmp_path / "model", MIB)
    with running(folder) as server, cable_to(server.url) as cable:
        cable.deaf_to = b"/revisions HTTP/1.1"
        attempt = Attempt(cable.url, "1.0.0", files)
        wait_until(lambda: cable.answers_kept > 0)
        server.kill()
        with running(folder) as again, NodeData(again.url, OWNER_KEY) as node:
            done = visible(node)
            assert list(done) == ["1.0.0"]
            assert publish(node, "1.0.0", files).id == done["1.0.0"]
            assert visible(node) == done
        attempt.end()
    assert attempt.revision is None


def test_an_answer_that_is_lost_is_asked_for_again_by_the_client(folder: Path, tmp_path: Path) -> None:
    files = write_policy(tmp_path / "model", MIB)
    with running(folder) as server, cable_to(server.url) as cable:
        cable.deaf_to = b"/revisions HTTP/1.1"
        attempt = Attempt(cable.url, "1.0.0", files)
        wait_until(lambda: cable.answers_kept > 0)
        cable.deaf_to = None
        attempt.end()
        assert attempt.revision is not None
        with NodeData(server.url, OWNER_KEY) as node:
            assert visible(node) == {"1.0.0": attempt.revision.id}


# --- the client is killed -----------------------------------------------------------------------


def stored_bytes(data: Path) -> int:
    """Return the bytes of all stored blocks."""
    return sum(path.stat().st_size for path in (data / "blobs" / "blocks").rglob("*") if path.is_file())


def missing_bytes(data: Path, files: Path) -> int:
    """Return the bytes of a folder's blocks that are not stored."""
    blocks = {block for path in files.iterdir() for block in blocks_of(path.name, path.read_bytes())}
    stored = {path.name for path in (data / "blobs" / "blocks").rglob("*")}
    return sum(len(piece) for digest, piece in blocks if digest not in stored)


def kill_client_after(data: Path, version: str, files: Path, seconds: float) -> None:
    """Publish in another process and kill that after `seconds`; then publish here, and check."""
    with running(data) as server, NodeData(server.url, OWNER_KEY, cache=files.parent / "cache") as node:
        before = visible(node)
        process = python(_PUBLISH, [server.url, OWNER_KEY, str(files), version])
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        wait_until(lambda: server_is_idle(data))
        tried = set(visible(node)) - set(before)
        rest = missing_bytes(data, files)
        sent: list[Progress] = []
        again = publish(node, version, files, sent.append)
        assert max((one.done_bytes for one in sent if one.phase == "send"), default=0) == rest
        assert not (tried and rest)
        assert visible(node) == {**before, version: again.id}
        assert_whole(node, version, files)
        assert_clean_after_sweep(data)


def server_is_idle(data: Path) -> bool:
    """Return whether no block arrives any more: what a killed client sent last is dealt with."""
    before = stored_bytes(data)
    time.sleep(0.3)
    return stored_bytes(data) == before and not any((data / "blobs" / "tmp").iterdir())


def kill_clients(data: Path, work: Path, count: int) -> None:
    """Kill publishing clients at `count` random moments."""
    chance = random.SystemRandom()
    for number in range(count):
        files = write_policy(work / f"model{number}", SIZE, note=str(number))
        kill_client_after(data, f"1.0.{number}", files, (number + chance.random()) / count)
        shutil.rmtree(files)


def test_a_client_killed_while_publishing_sends_only_the_rest_when_run_again(
    folder: Path, tmp_path: Path
) -> None:
    kill_clients(folder, tmp_path, 2)


@pytest.mark.soak
def test_fifty_clients_killed_while_publishing_send_only_the_rest(folder: Path, tmp_path: Path) -> None:
    kill_clients(folder, tmp_path, 50)
