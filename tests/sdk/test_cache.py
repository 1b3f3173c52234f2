"""The download cache: contents, snapshots, locks, and what it remembers."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import stat
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from blake3 import blake3

from nodedata_registry import wire
from nodedata_registry.core.blocks import Block
from nodedata_registry.errors import DataFolderNotWritable
from nodedata_registry.sdk.cache import Cache
from nodedata_registry.sdk.folders import clone_or_copy, exchange
from nodedata_registry.sdk.index import KnownRevision

MODEL = "mdl_" + "0" * 26
COMMIT = "c" * 40


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    made = Cache(tmp_path / "cache")
    yield made
    made.close()


def adopt(cache: Cache, data: bytes) -> tuple[str, tuple[Block, ...]]:
    sha256 = hashlib.sha256(data).hexdigest()
    blocks = (Block(blake3(data).hexdigest(), len(data)),) if data else ()
    partial = cache.partial_folder / sha256
    partial.write_bytes(data)
    cache.adopt(partial, sha256, blocks)
    return sha256, blocks


def test_an_adopted_content_is_here_and_read_only(cache: Cache) -> None:
    sha256, blocks = adopt(cache, b"weights")
    assert cache.has(sha256, blocks)
    assert stat.S_IMODE(cache.content_path(sha256).stat().st_mode) == 0o444


def test_the_blocks_of_a_content_are_found(cache: Cache) -> None:
    sha256, blocks = adopt(cache, b"weights")
    found = cache.index.find_blocks([blocks[0].digest, "f" * 64])
    assert list(found) == [blocks[0].digest]
    assert (found[blocks[0].digest].sha256, found[blocks[0].digest].offset) == (sha256, 0)


def test_a_content_that_was_damaged_is_no_longer_here(cache: Cache) -> None:
    sha256, blocks = adopt(cache, b"weights")
    path = cache.content_path(sha256)
    path.chmod(0o644)
    path.write_bytes(b"wrights")
    assert not cache.has(sha256, blocks)
    assert not path.exists()
    assert cache.index.find_blocks([blocks[0].digest]) == {}


def test_a_content_that_was_only_touched_is_hashed_and_kept(cache: Cache) -> None:
    sha256, blocks = adopt(cache, b"weights")
    os.utime(cache.content_path(sha256), ns=(1, 1))
    assert cache.has(sha256, blocks)


def test_a_lost_index_is_made_anew_from_the_files(cache: Cache, tmp_path: Path) -> None:
    sha256, blocks = adopt(cache, b"weights")
    cache.close()
    (tmp_path / "cache" / "index-1.db").write_bytes(b"this is no database" * 100)
    again = Cache(tmp_path / "cache")
    assert again.has(sha256, blocks)
    assert list(again.index.find_blocks([blocks[0].digest])) == [blocks[0].digest]
    again.close()


def test_a_snapshot_holds_its_files_without_symlinks(cache: Cache) -> None:
    sha256, _ = adopt(cache, b"weights")
    folder = cache.make_snapshot(MODEL, COMMIT, {"sub/a": sha256, "b": sha256}, whole=True)
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(folder).as_posix() for path in found) == ["b", "sub/a"]
    assert not any(path.is_symlink() for path in found)
    assert all(path.read_bytes() == b"weights" for path in found)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o444 for path in found)


def test_a_snapshot_is_made_once(cache: Cache) -> None:
    sha256, _ = adopt(cache, b"weights")
    first = cache.make_snapshot(MODEL, COMMIT, {"a": sha256}, whole=True)
    inode = first.stat().st_ino
    assert cache.snapshot(MODEL, COMMIT, {"a": sha256}, whole=True) == first
    assert cache.make_snapshot(MODEL, COMMIT, {"a": sha256}, whole=True).stat().st_ino == inode


def test_a_snapshot_that_lost_a_file_is_made_again(cache: Cache) -> None:
    sha256, _ = adopt(cache, b"weights")
    folder = cache.make_snapshot(MODEL, COMMIT, {"a": sha256, "b": sha256}, whole=True)
    (folder / "a").unlink()
    assert cache.snapshot(MODEL, COMMIT, {"a": sha256, "b": sha256}, whole=True) is None
    again = cache.make_snapshot(MODEL, COMMIT, {"a": sha256, "b": sha256}, whole=True)
    assert sorted(path.name for path in again.iterdir()) == ["a", "b"]


def test_a_part_of_a_revision_has_a_folder_of_its_own(cache: Cache) -> None:
    sha256, _ = adopt(cache, b"weights")
    whole = cache.make_snapshot(MODEL, COMMIT, {"a": sha256, "b": sha256}, whole=True)
    part = cache.make_snapshot(MODEL, COMMIT, {"a": sha256}, whole=False)
    assert part != whole
    assert [path.name for path in part.iterdir()] == ["a"]


def _hold(root: Path, order: str, written: Path) -> None:
    cache = Cache(root)
    with cache.contents_locked([order]), written.open("a") as file:
        file.write("in ")
        file.flush()
        for _ in range(200_000):
            pass
        file.write("out ")
    cache.close()


def test_a_lock_keeps_other_processes_out(cache: Cache, tmp_path: Path) -> None:
    written = tmp_path / "written"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_hold, args=(cache.root, "ab" + "0" * 62, written)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert written.read_text() == "in out in out in out "


def test_what_the_registry_said_is_remembered(cache: Cache) -> None:
    yank = wire.Yank(reason="bad", at=datetime(2026, 1, 2, tzinfo=timezone.utc), suggested="1.0.1")
    known = KnownRevision(MODEL, "acme/x", "1.0.0", "d" * 64, COMMIT, yank)
    cache.index.put_revision("http://r", MODEL, known)
    assert cache.index.model_id("http://r", "acme/x") == MODEL
    assert cache.index.model_id("http://other", "acme/x") is None
    assert cache.index.revisions(MODEL) == [known]


def test_a_copy_shares_nothing_with_the_cache(cache: Cache, tmp_path: Path) -> None:
    sha256, _ = adopt(cache, b"weights")
    clone_or_copy(cache.content_path(sha256), tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_ino != cache.content_path(sha256).stat().st_ino
    (tmp_path / "copy").write_bytes(b"mine")
    assert cache.content_path(sha256).read_bytes() == b"weights"


def test_two_folders_exchange_their_names(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchange(tmp_path / "first", tmp_path / "second")
    assert (tmp_path / "first" / "second").exists()
    assert (tmp_path / "second" / "first").exists()


def test_a_cache_that_cannot_be_made_says_how_to_choose_another(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "cache"):
        with pytest.raises(DataFolderNotWritable, match="NODE_DATA_CACHE"):
            Cache(place)


def test_only_its_owner_can_look_into_a_new_cache(cache: Cache) -> None:
    assert stat.S_IMODE(cache.root.stat().st_mode) == 0o700
