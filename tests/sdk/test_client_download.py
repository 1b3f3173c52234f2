"""Downloading through the client, against the real registry behind a socket."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodedata_registry import NodeData, Progress, errors
from tests.sdk.door import Door
from tests.sdk.weights import write_model, write_weights

MODEL = "acme/grasp"


@pytest.fixture
def folder(node: NodeData, tmp_path: Path) -> Path:
    """The files of `acme/grasp` 1.0.0, published."""
    made = write_model(tmp_path / "model", tensors=12)
    (made / "config").mkdir()
    (made / "config" / "empty.txt").touch()
    node.models.create_revision(MODEL, "1.0.0", made, "First")
    return made


@pytest.fixture
def other(door: Door, tmp_path: Path) -> Iterator[NodeData]:
    """A second machine: the same registry, an empty cache of its own."""
    with NodeData(door.base_url, cache=tmp_path / "other") as client:
        yield client


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def publish_next(node: NodeData, folder: Path, version: str = "1.0.1") -> None:
    write_weights(folder / "model.safetensors", tensors=12, changed=(3,))
    node.models.create_revision(MODEL, version, folder, "Tuned")


# --- snapshots ---


def test_a_snapshot_holds_exactly_the_files(node: NodeData, folder: Path) -> None:
    snapshot = node.models.download(MODEL, "^1")
    assert contents(snapshot) == contents(folder)
    assert (snapshot.requested, snapshot.resolved, snapshot.yanked) == ("^1", "1.0.0", None)


def test_a_snapshot_names_digest_and_commit(node: NodeData, folder: Path) -> None:
    snapshot = node.models.download(MODEL)
    answer = node.models.resolve(MODEL)
    assert (snapshot.digest, snapshot.commit) == (answer.digest, answer.commit)


def test_a_second_download_fetches_nothing(node: NodeData, door: Door, folder: Path) -> None:
    first = node.models.download(MODEL)
    before = len(door.requests)
    assert node.models.download(MODEL) == first
    assert [request.split("?")[0] for request in door.requests[before:]] == [
        f"GET /v1/models/{MODEL}/revisions/latest"
    ]


def test_only_blocks_that_no_cached_revision_holds_are_fetched(
    node: NodeData, door: Door, folder: Path
) -> None:
    node.models.download(MODEL)
    publish_next(node, folder)
    before = door.sent_bytes
    snapshot = node.models.download(MODEL)
    assert contents(snapshot) == contents(folder)
    assert door.sent_bytes - before < 0.2 * (folder / "model.safetensors").stat().st_size


def test_a_forecast_is_what_a_download_then_fetches(node: NodeData, door: Door, folder: Path) -> None:
    node.models.download(MODEL)
    publish_next(node, folder)
    forecast = node.models.forecast(MODEL)
    fetched: list[Progress] = []
    node.models.download(MODEL, progress=fetched.append)
    assert forecast.fetch_bytes == fetched[-1].done_bytes == fetched[-1].total_bytes
    assert 0 < forecast.fetch_bytes < forecast.total_bytes
    assert node.models.forecast(MODEL).fetch_bytes == 0


def test_a_part_is_fetched_alone(node: NodeData, folder: Path) -> None:
    snapshot = node.models.download(MODEL, include=("*.md",))
    assert list(contents(snapshot)) == ["model_card.md"]
    assert sorted(contents(node.models.download(MODEL))) == sorted(contents(folder))


def test_a_pattern_matches_across_folders(node: NodeData, folder: Path) -> None:
    assert list(contents(node.models.download(MODEL, include="*.txt"))) == ["config/empty.txt"]
    assert list(contents(node.models.download(MODEL, include=["config/"]))) == ["config/empty.txt"]


def test_a_pattern_that_matches_nothing_lists_the_files(node: NodeData, folder: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"model\.safetensors"):
        node.models.download(MODEL, include=("*.onnx",))


def test_a_digest_is_a_pin(node: NodeData, folder: Path) -> None:
    digest = node.models.resolve(MODEL).digest
    assert node.models.download(MODEL, f"sha256:{digest}").resolved == "1.0.0"


def test_a_spoiled_snapshot_is_made_whole_again(node: NodeData, folder: Path) -> None:
    snapshot = node.models.download(MODEL)
    spoiled = snapshot / "model.safetensors"
    spoiled.chmod(0o644)
    with spoiled.open("r+b") as file:
        file.seek(5000)
        file.write(b"spoiled")
    assert contents(node.models.download(MODEL)) == contents(folder)


@pytest.mark.parametrize(
    ("revision", "kind"),
    [("^2", errors.RevisionNotFound), ("", errors.InvalidSelector), ("1.0.x.x", errors.InvalidSelector)],
)
def test_a_selector_that_means_nothing_is_refused(
    node: NodeData, folder: Path, revision: str, kind: type[errors.NodeDataError]
) -> None:
    with pytest.raises(kind):
        node.models.download(MODEL, revision)


# --- bytes that go wrong ---


def test_a_cut_connection_resumes_behind_the_last_verified_block(
    other: NodeData, door: Door, folder: Path
) -> None:
    door.cut_after = 2_000_000
    before = door.sent_bytes
    snapshot = other.models.download(MODEL)
    assert contents(snapshot) == contents(folder)
    total = sum(len(data) for data in contents(folder).values())
    assert door.sent_bytes - before < total + 5_000_000


def test_damaged_bytes_never_get_a_name(other: NodeData, door: Door, folder: Path, tmp_path: Path) -> None:
    door.damage = True
    with pytest.raises(errors.DigestMismatch):
        other.models.download(MODEL)
    assert list((tmp_path / "other" / "files").iterdir()) == []
    assert not (tmp_path / "other" / "snapshots").exists() or not any(
        (tmp_path / "other" / "snapshots").rglob("*.safetensors")
    )
    door.damage = False
    assert contents(other.models.download(MODEL)) == contents(folder)


def test_bytes_that_were_lost_after_the_journal_was_written_come_again(
    other: NodeData, door: Door, folder: Path, tmp_path: Path
) -> None:
    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.done_bytes > progress.total_bytes / 2:
            raise Stopped

    with pytest.raises(Stopped):
        other.models.download(MODEL, progress=stop)
    sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    partial = tmp_path / "other" / "partial" / sha256
    with partial.open("r+b") as file:
        file.seek(100_000)
        file.write(bytes(1000))
    assert contents(other.models.download(MODEL)) == contents(folder)


_PULL = """
import sys
from nodedata_registry import NodeData
node = NodeData(sys.argv[1], cache=sys.argv[2])
node.models.download("acme/grasp", progress=lambda progress: print(progress.done_bytes, flush=True))
print("done", flush=True)
"""


def pull(door: Door, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PULL, door.base_url, str(cache)], stdout=subprocess.PIPE, text=True
    )


def test_a_killed_download_resumes_in_another_process(door: Door, folder: Path, tmp_path: Path) -> None:
    size = (folder / "model.safetensors").stat().st_size
    with pull(door, tmp_path / "killed") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) > size / 2:
                process.send_signal(signal.SIGKILL)
                break
    before = door.sent_bytes
    with NodeData(door.base_url, cache=tmp_path / "killed") as client:
        assert contents(client.models.download(MODEL)) == contents(folder)
    assert door.sent_bytes - before < 0.6 * size


def test_two_processes_do_the_work_once(door: Door, folder: Path, tmp_path: Path) -> None:
    before = door.sent_bytes
    processes = [pull(door, tmp_path / "shared") for _ in range(3)]
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert output.endswith("done\n")
    assert door.sent_bytes - before < 1.2 * (folder / "model.safetensors").stat().st_size


def test_many_threads_do_the_work_once(other: NodeData, door: Door, folder: Path) -> None:
    before = door.sent_bytes
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(other.models.download(MODEL))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert door.sent_bytes - before < 1.2 * (folder / "model.safetensors").stat().st_size


# --- dest ---


def test_dest_becomes_exactly_the_revision(node: NodeData, folder: Path, tmp_path: Path) -> None:
    dest = tmp_path / "robot" / "model"
    snapshot = node.models.download(MODEL, dest=dest)
    assert snapshot == dest
    assert contents(dest) == contents(folder)
    publish_next(node, folder)
    assert node.models.download(MODEL, dest=dest).resolved == "1.0.1"
    assert contents(dest) == contents(folder)
    assert [path.name for path in dest.parent.iterdir()] == ["model"]


def test_dest_is_never_linked_into_the_cache(node: NodeData, folder: Path, tmp_path: Path) -> None:
    dest = node.models.download(MODEL, dest=tmp_path / "dest")
    assert all(path.stat().st_nlink == 1 for path in dest.rglob("*") if path.is_file())
    (dest / "model_card.md").write_text("mine")
    assert (node.models.download(MODEL) / "model_card.md").read_bytes() == (
        folder / "model_card.md"
    ).read_bytes()


def test_dest_is_repaired_when_it_was_changed(node: NodeData, folder: Path, tmp_path: Path) -> None:
    dest = node.models.download(MODEL, dest=tmp_path / "dest")
    (dest / "model_card.md").write_text("mine")
    (dest / "extra").write_text("mine")
    node.models.download(MODEL, dest=tmp_path / "dest")
    assert contents(dest) == contents(folder)


def test_dest_that_is_right_already_is_left_alone(node: NodeData, folder: Path, tmp_path: Path) -> None:
    inode = node.models.download(MODEL, dest=tmp_path / "dest").stat().st_ino
    assert node.models.download(MODEL, dest=tmp_path / "dest").stat().st_ino == inode


def test_an_empty_dest_is_taken(node: NodeData, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "dest").mkdir()
    assert contents(node.models.download(MODEL, dest=tmp_path / "dest")) == contents(folder)


def test_a_dest_with_files_of_others_is_refused_untouched(
    node: NodeData, door: Door, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "dest").mkdir()
    (tmp_path / "dest" / "thesis.txt").write_text("years of work")
    with pytest.raises(errors.DestNotEmpty) as caught:
        node.models.download(MODEL, dest=tmp_path / "dest")
    assert caught.value.field == "dest"
    assert contents(tmp_path / "dest") == {"thesis.txt": b"years of work"}


def test_a_folder_that_took_the_place_of_ours_is_refused(
    node: NodeData, folder: Path, tmp_path: Path
) -> None:
    dest = tmp_path / "dest"
    node.models.download(MODEL, dest=dest)
    for path in sorted(dest.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (dest / "model_card.md").write_text("written by hand")
    with pytest.raises(errors.DestNotEmpty):
        node.models.download(MODEL, dest=dest)


def test_a_file_as_dest_is_refused(node: NodeData, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "dest").write_text("a file")
    with pytest.raises(errors.DestNotEmpty):
        node.models.download(MODEL, dest=tmp_path / "dest")


def test_with_include_dest_becomes_exactly_that_part(node: NodeData, folder: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    node.models.download(MODEL, dest=dest)
    node.models.download(MODEL, dest=dest, include=("*.safetensors",))
    assert list(contents(dest)) == ["model.safetensors"]
    node.models.download(MODEL, dest=dest)
    assert contents(dest) == contents(folder)


def test_readers_of_dest_always_find_a_whole_file(node: NodeData, folder: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    first = (folder / "model.safetensors").read_bytes()
    node.models.download(MODEL, "1.0.0", dest=dest)
    publish_next(node, folder)
    known = {first, (folder / "model.safetensors").read_bytes()}
    found: list[object] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            try:
                if (dest / "model.safetensors").read_bytes() not in known:
                    found.append("a mixture")
            except FileNotFoundError as error:
                found.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(10):
        node.models.download(MODEL, "1.0.0", dest=dest)
        node.models.download(MODEL, "1.0.1", dest=dest)
    stop.set()
    watcher.join()
    assert found == []


def test_what_a_killed_download_left_beside_dest_is_tidied(
    node: NodeData, folder: Path, tmp_path: Path
) -> None:
    left = tmp_path / "place" / ".dest.node-data-0011223344556677"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    node.models.download(MODEL, dest=tmp_path / "place" / "dest")
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["dest"]


def test_the_cache_is_no_dest(node: NodeData, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match="cache"):
        node.models.download(MODEL, dest=tmp_path / "cache" / "files")


def test_a_large_download_takes_little_time_from_a_warm_cache(node: NodeData, folder: Path) -> None:
    node.models.download(MODEL)
    started = time.monotonic()
    for _ in range(10):
        node.models.download(MODEL)
    assert time.monotonic() - started < 5


_ALTERNATE = """
import sys
from nodedata_registry import NodeData
node = NodeData(sys.argv[1], cache=sys.argv[2])
print("ready", flush=True)
while True:
    for version in ("1.0.0", "1.0.1"):
        node.models.download("acme/grasp", version, dest=sys.argv[3])
"""


@pytest.mark.parametrize("milliseconds", [3, 17, 29, 41, 53, 71])
def test_dest_is_whole_whenever_its_maker_is_killed(
    node: NodeData, door: Door, folder: Path, tmp_path: Path, milliseconds: int
) -> None:
    first = contents(folder)
    publish_next(node, folder)
    second = contents(folder)
    dest = tmp_path / "place" / "dest"
    node.models.download(MODEL, "1.0.0", dest=dest)
    command = [sys.executable, "-c", _ALTERNATE, door.base_url, str(tmp_path / "cache"), str(dest)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(milliseconds / 1000)
        process.kill()
    assert contents(dest) in (first, second)
    node.models.download(MODEL, "1.0.1", dest=dest)
    assert contents(dest) == second
    assert [path.name for path in dest.parent.iterdir()] == ["dest"]
