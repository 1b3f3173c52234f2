"""A registry on a disk that runs full: nothing half visible, and it goes on once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodedata_registry import NodeData, errors
from tests.api.actor import Actor, blocks_of, commit_body, policy_files, publish_body
from tests.journeys.policies import MIB, contents, write_policy
from tests.journeys.running import OWNER_KEY, Running, run_command, running, spawn

MODEL = "acme/grasp"
CALLS = f"/v1/models/{MODEL}"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 64 MiB; needs the right to mount."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small filesystem needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def server(disk: Path) -> Iterator[Running]:
    """A registry on that disk, with the model `acme/grasp`."""
    with running(disk / "data") as served:
        with NodeData(served.url, OWNER_KEY) as node:
            node.workspaces.create("acme")
            node.models.create(MODEL)
        yield served


def fill(disk: Path, *, but_bytes: int = 0) -> Path:
    """Take all room of the disk but `but_bytes`; return the file that takes it."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        size = shutil.disk_usage(disk).free - but_bytes
        os.posix_fallocate(file.fileno(), 0, max(1, size))
    return ballast


def left_behind(data: Path) -> list[Path]:
    """Return the files that writes leave under way."""
    return list((data / "blobs" / "tmp").iterdir())


def test_a_publish_larger_than_the_disk_is_refused_and_works_once_there_is_room(
    server: Running, disk: Path, tmp_path: Path
) -> None:
    files = write_policy(tmp_path / "model", 20 * MIB)
    ballast = fill(disk, but_bytes=10 * MIB)
    with NodeData(server.url, OWNER_KEY, cache=tmp_path / "cache") as node:
        with pytest.raises(errors.InsufficientStorage) as found:
            node.models.create_revision(MODEL, "1.0.0", files, "First")
        assert found.value.request_id is not None
        assert "full" in found.value.message
        assert node.models.revisions(MODEL).items == []
        assert left_behind(server.data) == []
        ballast.unlink()
        assert node.models.create_revision(MODEL, "1.0.0", files, "First").version == "1.0.0"
        assert contents(node.models.download(MODEL, "1.0.0")) == contents(files)
    assert left_behind(server.data) == []
    assert run_command("fsck", "--data", str(server.data)).returncode == 0


def test_a_block_that_finds_no_room_is_507(server: Running, disk: Path) -> None:
    owner = Actor(server.url, OWNER_KEY)
    files = {**policy_files(1.0), "notes.dat": os.urandom(3 * MIB)}
    upload = owner.done("POST", f"{CALLS}/uploads", publish_body("1.0.0", files))["upload"]
    ballast = fill(disk, but_bytes=MIB)
    [(digest, data)] = blocks_of("notes.dat", files["notes.dat"])
    reply = owner.ask("PUT", f"{CALLS}/uploads/{upload}/blocks/{digest}", raw=data)
    assert (reply.status, reply.code) == (507, "insufficient_storage")
    assert {"code", "message", "field", "request_id"} <= reply.error.keys()
    assert left_behind(server.data) == []
    ballast.unlink()
    assert owner.ask("PUT", f"{CALLS}/uploads/{upload}/blocks/{digest}", raw=data).status == 201


def test_a_commit_that_finds_no_room_in_the_catalog_publishes_nothing(server: Running, disk: Path) -> None:
    owner = Actor(server.url, OWNER_KEY)
    notes = "".join(f"- line {number}\n" for number in range(3000))
    files = {**policy_files(1.0, 2.0), **{f"part{number}.dat": os.urandom(64) for number in range(150)}}
    upload = owner.done("POST", f"{CALLS}/uploads", publish_body("1.0.0", files, changelog=notes))["upload"]
    for path, data in files.items():
        for digest, piece in blocks_of(path, data):
            reply = owner.ask("PUT", f"{CALLS}/uploads/{upload}/blocks/{digest}", raw=piece)
            assert reply.status == 201
    body = commit_body("1.0.0", files, upload, changelog=notes)
    ballast = fill(disk)
    replies = [owner.ask("POST", f"{CALLS}/revisions", body) for _ in range(3)]
    assert {(reply.status, reply.code) for reply in replies} == {(507, "insufficient_storage")}
    assert owner.get(f"{CALLS}/revisions").json["items"] == []
    ballast.unlink()
    assert owner.ask("POST", f"{CALLS}/revisions", body).status == 201
    assert len(owner.get(f"{CALLS}/revisions").json["items"]) == 1


def test_what_is_published_is_served_from_a_full_disk(server: Running, disk: Path, tmp_path: Path) -> None:
    files = write_policy(tmp_path / "model", 5 * MIB)
    with NodeData(server.url, OWNER_KEY, cache=tmp_path / "cache") as node:
        node.models.create_revision(MODEL, "1.0.0", files, "First")
        fill(disk)
        assert contents(node.models.download(MODEL)) == contents(files)


def test_a_server_does_not_start_on_a_full_disk_and_says_so(disk: Path) -> None:
    fill(disk)
    process = spawn(disk / "data")
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "insufficient_storage" in output
    assert len(output.splitlines()) == 1


def test_a_download_onto_a_full_disk_resumes_once_there_is_room(
    registry: Running, disk: Path, tmp_path: Path
) -> None:
    files = write_policy(tmp_path / "model", 30 * MIB)
    with NodeData(registry.url, OWNER_KEY, cache=disk / "cache") as node:
        node.models.create(MODEL)
        node.models.create_revision(MODEL, "1.0.0", files, "First")
        ballast = fill(disk, but_bytes=10 * MIB)
        with pytest.raises(errors.InsufficientStorage):
            node.models.download(MODEL, "1.0.0")
        ballast.unlink()
        assert contents(node.models.download(MODEL, "1.0.0")) == contents(files)
