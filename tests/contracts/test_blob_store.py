"""What every block store does; a new adapter joins by one more `Adapter` in the list.

What only a local disk can show (a full disk, system calls, temp files) is in `test_disk_blobs.py`.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from blake3 import blake3

from nodedata_registry.errors import BlockNotFound, DigestMismatch, InvalidRequest
from nodedata_registry.server.blob_port import BlobStore, StoredBlock
from nodedata_registry.server.blobs.disk import DiskBlobStore

MINUTE = timedelta(minutes=1)
ABSENT = blake3(b"never stored").hexdigest()


@dataclass(frozen=True)
class Adapter:
    """`open` opens the store that lives at a place; `script` binds `store` in another process."""

    name: str
    open: Callable[[Path], BlobStore]
    script: str


ADAPTERS = [
    Adapter(
        "disk",
        DiskBlobStore,
        "from pathlib import Path\n"
        "from nodedata_registry.server.blobs.disk import DiskBlobStore\n"
        "store = DiskBlobStore(Path(sys.argv[1]))\n",
    ),
]


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    found: Adapter = request.param
    return found


@pytest.fixture
def store(adapter: Adapter, tmp_path: Path) -> BlobStore:
    return adapter.open(tmp_path)


def put(store: BlobStore, data: bytes) -> str:
    digest = blake3(data).hexdigest()
    store.put(digest, data)
    return digest


def now() -> datetime:
    return datetime.now(timezone.utc)


# --- put and get --------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 16384], ids=["empty", "one", "4 MiB"])
def test_a_block_comes_back_as_it_was_put(store: BlobStore, data: bytes) -> None:
    digest = blake3(data).hexdigest()
    assert store.put(digest, data) is True
    assert store.get(digest) == store.get(digest, verify=True) == data
    assert store.size(digest) == len(data)
    assert store.has(digest)


def test_a_second_put_is_not_new(store: BlobStore) -> None:
    digest = put(store, b"weights")
    assert store.put(digest, b"weights") is False
    assert store.get(digest) == b"weights"


def test_another_store_object_on_the_same_place_sees_the_block(adapter: Adapter, tmp_path: Path) -> None:
    digest = put(adapter.open(tmp_path), b"weights")
    assert adapter.open(tmp_path).get(digest) == b"weights"


def test_bytes_under_a_wrong_digest_are_refused_and_not_stored(store: BlobStore) -> None:
    digest = blake3(b"announced").hexdigest()
    with pytest.raises(DigestMismatch, match=digest):
        store.put(digest, b"sent")
    assert not store.has(digest)
    assert list(store.iterate()) == []


def test_wrong_bytes_do_not_touch_a_block_that_is_there(store: BlobStore) -> None:
    digest = put(store, b"weights")
    with pytest.raises(DigestMismatch):
        store.put(digest, b"weightz")
    assert store.get(digest, verify=True) == b"weights"


@pytest.mark.parametrize(
    "text", ["", "abc", "../" * 21 + "x", "g" * 64, "A" * 64, "0" * 63 + "\n", "0" * 65, "٣" * 64]
)
def test_what_is_no_digest_is_refused_everywhere(store: BlobStore, text: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.put(text, b""),
        lambda: store.get(text),
        lambda: store.read(text, 0, 0),
        lambda: store.path(text),
        lambda: store.has(text),
        lambda: store.size(text),
        lambda: store.delete(text),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest):
            call()


# --- absent blocks ------------------------------------------------------------------------------


def test_an_absent_block_is_not_found(store: BlobStore) -> None:
    for call in (lambda: store.get(ABSENT), lambda: store.read(ABSENT, 0, 1), lambda: store.size(ABSENT)):
        with pytest.raises(BlockNotFound, match=ABSENT):
            call()


def test_an_absent_block_is_neither_had_nor_has_it_a_path(store: BlobStore) -> None:
    assert not store.has(ABSENT)
    assert store.path(ABSENT) is None


# --- read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (0, 10), (3, 4), (9, 1), (10, 0)])
def test_read_gives_exactly_the_span(store: BlobStore, offset: int, length: int) -> None:
    digest = put(store, b"0123456789")
    assert store.read(digest, offset, length) == b"0123456789"[offset : offset + length]


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1), (0, 11), (10, 1), (11, 0)])
def test_a_span_outside_the_block_is_refused(store: BlobStore, offset: int, length: int) -> None:
    digest = put(store, b"0123456789")
    with pytest.raises(InvalidRequest, match="which has 10"):
        store.read(digest, offset, length)


def test_a_path_where_there_is_one_holds_just_the_block(store: BlobStore) -> None:
    path = store.path(put(store, b"weights"))
    assert path is None or path.read_bytes() == b"weights"


# --- delete -------------------------------------------------------------------------------------


def test_a_deleted_block_is_absent_and_can_be_put_again(store: BlobStore) -> None:
    digest = put(store, b"weights")
    assert store.delete(digest) is True
    assert not store.has(digest)
    assert store.put(digest, b"weights") is True


def test_deleting_what_is_absent_is_no_error(store: BlobStore) -> None:
    assert store.delete(ABSENT) is False
    digest = put(store, b"weights")
    store.delete(digest)
    assert store.delete(digest) is False


def test_deleting_one_block_leaves_the_others(store: BlobStore) -> None:
    first, second = put(store, b"1"), put(store, b"2")
    store.delete(first)
    assert store.get(second) == b"2"


def test_a_block_put_since_the_listing_is_not_deleted(store: BlobStore) -> None:
    digest = put(store, b"weights")
    assert store.delete(digest, stored_before=now() - MINUTE) is False
    assert store.has(digest)
    assert store.delete(digest, stored_before=now() + MINUTE) is True


def test_putting_a_present_block_again_keeps_it_from_a_sweep_that_listed_it_before(store: BlobStore) -> None:
    digest = put(store, b"weights")
    listed_at = now()
    store.put(digest, b"weights")
    assert store.delete(digest, stored_before=listed_at) is False
    assert store.has(digest)


def test_a_sweep_racing_with_a_put_never_takes_the_block(store: BlobStore) -> None:
    digest = put(store, b"weights")
    with ThreadPoolExecutor(2) as pool:
        for _ in range(100):
            listed_at = now()
            putting = pool.submit(store.put, digest, b"weights")
            deleting = pool.submit(store.delete, digest, stored_before=listed_at)
            putting.result()
            deleting.result()
            assert store.get(digest) == b"weights"


# --- iterate ------------------------------------------------------------------------------------


def test_an_empty_store_lists_nothing(store: BlobStore) -> None:
    assert list(store.iterate()) == []


def test_iterate_gives_every_block_in_order_of_digest(store: BlobStore) -> None:
    before = now() - MINUTE
    sizes = {put(store, b"x" * n): n for n in range(40)}
    listed = list(store.iterate())
    assert [block.digest for block in listed] == sorted(sizes)
    assert {block.digest: block.size_bytes for block in listed} == sizes
    assert all(before < block.stored_at < now() + MINUTE for block in listed)


def test_blocks_deleted_while_listing_do_not_break_the_list(store: BlobStore) -> None:
    digests = {put(store, bytes([n])) for n in range(20)}
    seen: list[StoredBlock] = []
    for block in store.iterate():
        seen.append(block)
        for digest in digests:
            store.delete(digest)
    assert {block.digest for block in seen} <= digests
    assert list(store.iterate()) == []


def test_check_passes_and_leaves_nothing_behind(store: BlobStore) -> None:
    store.check()
    store.check()
    assert list(store.iterate()) == []


# --- races --------------------------------------------------------------------------------------


def test_of_many_threads_exactly_one_creates_a_block(store: BlobStore) -> None:
    threads = 12
    start = threading.Barrier(threads)

    def race(data: bytes) -> bool:
        start.wait()
        return store.put(blake3(data).hexdigest(), data)

    with ThreadPoolExecutor(threads) as pool:
        for n in range(10):
            data = bytes([n]) * 50_000
            won = list(pool.map(race, [data] * threads))
            assert won.count(True) == 1
            assert store.get(blake3(data).hexdigest(), verify=True) == data


RACE = """
import sys
from blake3 import blake3
{script}
print("ready", flush=True)
sys.stdin.readline()
won = 0
for n in range(40):
    data = bytes([n]) * 100_000
    won += store.put(blake3(data).hexdigest(), data)
print(won)
"""


def test_of_many_processes_exactly_one_creates_each_block(adapter: Adapter, tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACE.format(script=adapter.script), str(tmp_path)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    wins = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(wins) == 40
    store = adapter.open(tmp_path)
    assert all(store.get(block.digest, verify=True) for block in store.iterate())
