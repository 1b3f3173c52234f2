"""Blocks become files: verified in place, resumed from a journal, repeated blocks moved once."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodedata_registry.core.blocks import Block
from nodedata_registry.errors import (
    DigestMismatch,
    InsufficientStorage,
    RevisionRetired,
    TransferFailed,
)
from nodedata_registry.sdk.cache import Cache
from nodedata_registry.sdk.connection import Patience
from nodedata_registry.sdk.transfer import Content, fetch, missing_bytes, read_journal
from nodedata_registry.sdk.transport import Answer

FAST = Patience(attempts=3, first_pause_seconds=0.001)


@dataclass
class Body:
    """An answer over bytes in memory that may break off."""

    data: bytes
    status: int = 206
    headers: dict[str, str] = field(default_factory=dict)
    broken_at: int | None = None
    source: Shelf | None = None

    def read(self, size_bytes: int = 1024) -> bytes:
        if self.broken_at is not None and self.broken_at <= 0:
            raise TransferFailed("cut on purpose")
        piece, self.data = self.data[: min(size_bytes, 700)], self.data[min(size_bytes, 700) :]
        if self.broken_at is not None:
            self.broken_at -= len(piece)
        if self.source is not None:
            self.source.moved_bytes += len(piece)
        return piece


@dataclass
class Shelf:
    """A source of files in memory: honours ranges or not, breaks off where `cuts` says, once each."""

    files: dict[str, bytes]
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    moved_bytes: int = 0
    opened: int = 0
    patience: Patience = FAST

    @contextmanager
    def open_range(self, path: str, offset: int, length: int) -> Iterator[Answer]:
        self.opened += 1
        cut = self.cuts.pop() if self.cuts else None
        if self.ranges:
            body = Body(self.files[path][offset : offset + length], source=self, broken_at=cut)
            body.headers = {"content-range": f"bytes {offset}-{offset + length - 1}/*"}
        else:
            body = Body(self.files[path], status=200, source=self, broken_at=cut)
        yield body


def content(path: str, data: bytes, block_bytes: int = 1000) -> Content:
    pieces = [data[start : start + block_bytes] for start in range(0, len(data), block_bytes)]
    blocks = tuple(Block(blake3(piece).hexdigest(), len(piece)) for piece in pieces)
    return Content(hashlib.sha256(data).hexdigest(), len(data), path, blocks)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    made = Cache(tmp_path / "cache")
    yield made
    made.close()


def held(cache: Cache, wanted: Content) -> bytes:
    return cache.content_path(wanted.sha256).read_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sizes=st.lists(st.integers(0, 12_000), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 9_000), max_size=6),
    ranges=st.booleans(),
    seed=st.integers(0, 3),
)
def test_wherever_answers_break_off_the_files_arrive_whole(
    sizes: list[int], cuts: list[int], ranges: bool, seed: int
) -> None:
    files = {f"file{number}": noise(size, seed + number) for number, size in enumerate(sizes)}
    contents = {one.sha256: one for one in (content(path, data) for path, data in files.items())}
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder) / "cache")
        # Each cut may land no block: patience must outlast them.
        shelf = Shelf(files, cuts, ranges, patience=Patience(attempts=10, first_pause_seconds=0.0001))
        fetch(shelf, cache, list(contents.values()))
        for wanted in contents.values():
            assert held(cache, wanted) == files[wanted.path]
        assert missing_bytes(cache, contents.values()) == 0
        assert list(cache.partial_folder.iterdir()) == []
        cache.close()


def test_a_cut_costs_at_most_the_block_in_which_it_fell(cache: Cache) -> None:
    data = noise(50_000)
    shelf = Shelf({"a": data}, cuts=[20_500])
    fetch(shelf, cache, [content("a", data)])
    assert shelf.moved_bytes < 50_000 + 2 * 1000
    assert shelf.opened == 2


def test_contiguous_blocks_come_in_one_request(cache: Cache) -> None:
    data = noise(50_000)
    shelf = Shelf({"a": data})
    assert fetch(shelf, cache, [content("a", data)]) == 50_000
    assert shelf.opened == 1


def test_a_repeated_block_is_moved_once(cache: Cache) -> None:
    data = noise(1000) * 20
    files = {"a": data, "b": noise(1000) + noise(1000, 1)}
    shelf = Shelf(files)
    assert fetch(shelf, cache, [content(path, files[path]) for path in files]) == 2000
    assert held(cache, content("a", data)) == data


def test_a_block_of_another_cached_file_is_not_moved(cache: Cache) -> None:
    old = noise(10_000)
    new = old[:4000] + noise(1000, 5) + old[5000:]
    shelf = Shelf({"a": old, "b": new})
    fetch(shelf, cache, [content("a", old)])
    assert missing_bytes(cache, [content("b", new)]) == 1000
    assert fetch(shelf, cache, [content("b", new)]) == 1000
    assert held(cache, content("b", new)) == new


def test_a_cached_file_that_went_bad_is_not_copied_from(cache: Cache) -> None:
    old = noise(10_000)
    new = old[:5000] + noise(5000, 7)
    shelf = Shelf({"a": old, "b": new})
    fetch(shelf, cache, [content("a", old)])
    spoiled = cache.content_path(content("a", old).sha256)
    spoiled.chmod(0o644)
    spoiled.write_bytes(bytes(10_000))
    assert fetch(shelf, cache, [content("b", new)]) == 10_000
    assert held(cache, content("b", new)) == new


def test_what_is_verified_is_not_fetched_again_after_a_failure(cache: Cache) -> None:
    data = noise(50_000)
    wanted = content("a", data)
    with pytest.raises(TransferFailed):
        fetch(Shelf({"a": data}, cuts=[0, 0, 30_500]), cache, [wanted])
    assert missing_bytes(cache, [wanted]) == 20_000
    assert fetch(Shelf({"a": data}), cache, [wanted]) == 20_000
    assert held(cache, wanted) == data


def test_a_torn_journal_counts_up_to_the_tear(cache: Cache) -> None:
    data = noise(50_000)
    wanted = content("a", data)
    with pytest.raises(TransferFailed):
        fetch(Shelf({"a": data}, cuts=[0, 0, 30_500]), cache, [wanted])
    journal = cache.partial_folder / f"{wanted.sha256}.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    assert len(read_journal(journal)) == 29
    fetch(Shelf({"a": data}), cache, [wanted])
    assert held(cache, wanted) == data


def test_bytes_that_are_not_the_block_are_refused(cache: Cache) -> None:
    data = noise(5000)
    shelf = Shelf({"a": bytes([data[0] ^ 1]) + data[1:]})
    with pytest.raises(DigestMismatch) as caught:
        fetch(shelf, cache, [content("a", data)])
    assert caught.value.details["file"] == "a"
    assert not cache.content_path(content("a", data).sha256).exists()


def test_blocks_that_do_not_make_the_announced_file_are_refused(cache: Cache) -> None:
    data = noise(5000)
    honest = content("a", data)
    lying = Content("0" * 64, honest.size_bytes, "a", honest.blocks)
    with pytest.raises(DigestMismatch, match="SHA-256"):
        fetch(Shelf({"a": data}), cache, [lying])
    assert list(cache.partial_folder.iterdir()) == []


def test_an_answer_that_ends_too_early_is_not_taken_for_whole(cache: Cache) -> None:
    data = noise(5000)
    with pytest.raises(TransferFailed):
        fetch(Shelf({"a": data[:4500]}), cache, [content("a", data)])


def test_a_refusal_ends_the_fetch_at_once(cache: Cache) -> None:
    class Retired:
        patience = FAST
        opened = 0

        def open_range(self, path: str, offset: int, length: int) -> AbstractContextManager[Answer]:
            self.opened += 1
            raise RevisionRetired("gone")

    shelf = Retired()
    with pytest.raises(RevisionRetired):
        fetch(shelf, cache, [content("a", noise(100))])
    assert shelf.opened == 1


def test_a_download_that_cannot_fit_is_refused_before_it_starts(cache: Cache) -> None:
    wanted = Content("0" * 64, 0, "a", tuple(Block(f"{n:064x}", 2**31) for n in range(1000)))
    shelf = Shelf({})
    with pytest.raises(InsufficientStorage, match="NODE_DATA_CACHE"):
        fetch(shelf, cache, [wanted])
    assert shelf.opened == 0
