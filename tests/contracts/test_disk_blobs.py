"""What the block store on disk does when the disk, the process or a byte fails."""

from __future__ import annotations

import fcntl
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import pytest
from blake3 import blake3

from nodedata_registry.errors import (
    DataFolderNotWritable,
    DigestMismatch,
    InsufficientStorage,
    ServerError,
)
from nodedata_registry.server.blobs import durable
from nodedata_registry.server.blobs.disk import DiskBlobStore

WEIGHTS = b"weights" * 1000
DIGEST = blake3(WEIGHTS).hexdigest()

OPEN = """
import os, resource, sys
from pathlib import Path
from blake3 import blake3
from nodedata_registry.errors import NodeDataError
from nodedata_registry.server.blobs.disk import DiskBlobStore
store = DiskBlobStore(Path(sys.argv[1]))
data = b"weights" * 1000
digest = blake3(data).hexdigest()
"""
PUT_ONE = (
    OPEN
    + """
try:
    print(f"put {store.put(digest, data)}", flush=True)
except NodeDataError as error:
    print(error.code, flush=True)
"""
)


def block_file(root: Path, digest: str = DIGEST) -> Path:
    return root / "blocks" / digest[:2] / digest[2:4] / digest


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def assert_whole(root: Path) -> set[str]:
    """Every file in the tree of blocks is a block with the right bytes; return their digests."""
    found = {path.name: path for path in (root / "blocks").rglob("*") if path.is_file()}
    for name, path in found.items():
        assert blake3(path.read_bytes()).hexdigest() == name
    return set(found)


# --- files --------------------------------------------------------------------------------------


def test_blocks_lie_in_two_levels_of_folders_and_are_read_only(tmp_path: Path) -> None:
    store = DiskBlobStore(tmp_path)
    store.put(DIGEST, WEIGHTS)
    file = block_file(tmp_path)
    assert store.path(DIGEST) == file
    assert file.stat().st_mode & 0o222 == 0
    assert file.stat().st_nlink == 1
    assert list((tmp_path / "tmp").iterdir()) == []


def test_files_that_are_no_blocks_are_not_listed(tmp_path: Path) -> None:
    store = DiskBlobStore(tmp_path)
    store.put(DIGEST, WEIGHTS)
    folder = block_file(tmp_path).parent
    (folder / "note.txt").write_text("x")
    (folder / ("0" * 64)).symlink_to(block_file(tmp_path))
    (tmp_path / "blocks" / "lost+found").mkdir()
    assert [block.digest for block in store.iterate()] == [DIGEST]


def test_a_link_in_the_place_of_a_block_is_not_followed(tmp_path: Path) -> None:
    store = DiskBlobStore(tmp_path)
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    file = block_file(tmp_path)
    file.parent.mkdir(parents=True)
    file.symlink_to(secret)
    assert not store.has(DIGEST)
    with pytest.raises(ServerError):
        store.get(DIGEST)


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("damaged", [b"", WEIGHTS[:-1], b"X" + WEIGHTS[1:], WEIGHTS + b"X"])
def test_a_damaged_block_is_named_by_a_verified_get(tmp_path: Path, damaged: bytes) -> None:
    store = DiskBlobStore(tmp_path)
    store.put(DIGEST, WEIGHTS)
    overwrite(block_file(tmp_path), damaged)
    with pytest.raises(DigestMismatch, match=DIGEST):
        store.get(DIGEST, verify=True)
    assert store.get(DIGEST) == damaged


@pytest.mark.parametrize("damaged", [b"", WEIGHTS[:-1], b"X" + WEIGHTS[1:], WEIGHTS + b"X"])
def test_a_put_replaces_a_damaged_block(tmp_path: Path, damaged: bytes) -> None:
    store = DiskBlobStore(tmp_path)
    store.put(DIGEST, WEIGHTS)
    overwrite(block_file(tmp_path), damaged)
    assert store.put(DIGEST, WEIGHTS) is True
    assert store.get(DIGEST, verify=True) == WEIGHTS
    assert block_file(tmp_path).stat().st_mode & 0o222 == 0


# --- a full disk --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 1 MiB; needs the right to mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small filesystem needs root; the limit on file size is tested instead")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.decode()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_reported_and_nothing_of_the_block_is_visible(small_disk: Path) -> None:
    store = DiskBlobStore(small_disk)
    acknowledged = set()
    with pytest.raises(InsufficientStorage, match="disk is full"):
        for n in range(20):
            data = bytes([n]) * 100_000
            store.put(blake3(data).hexdigest(), data)
            acknowledged.add(blake3(data).hexdigest())
    assert 5 <= len(acknowledged) <= 10
    assert assert_whole(small_disk) == acknowledged
    assert list((small_disk / "tmp").iterdir()) == []


def test_after_a_full_disk_puts_work_again_once_there_is_room(small_disk: Path) -> None:
    store = DiskBlobStore(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(1_000_000))
    large = bytes(200_000)
    digest = blake3(large).hexdigest()
    with pytest.raises(InsufficientStorage):
        store.put(digest, large)
    filler.unlink()
    assert store.put(digest, large) is True


def test_check_notices_a_full_disk(small_disk: Path) -> None:
    store = DiskBlobStore(small_disk)
    with (small_disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="space"):
        while True:
            filler.write(bytes(4096))
    with pytest.raises(InsufficientStorage):
        store.check()


def test_a_limit_on_file_size_counts_as_a_full_disk(tmp_path: Path) -> None:
    limited = "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
    script = OPEN + limited + PUT_ONE.removeprefix(OPEN)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "insufficient_storage\n"
    assert assert_whole(tmp_path) == set()
    assert list((tmp_path / "tmp").iterdir()) == []


# --- a folder that cannot be written ------------------------------------------------------------


def test_a_file_in_the_place_of_the_folder_is_said_at_start(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DataFolderNotWritable, match="cannot be written"):
        DiskBlobStore(tmp_path / "data")


def test_check_notices_a_lost_folder(tmp_path: Path) -> None:
    store = DiskBlobStore(tmp_path / "data")
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(DataFolderNotWritable):
        store.check()
    with pytest.raises(ServerError):
        store.put(DIGEST, WEIGHTS)


# --- temp files ---------------------------------------------------------------------------------


def left_behind(root: Path, *, age_seconds: float) -> Path:
    temp = root / "tmp" / "123-left"
    temp.write_bytes(b"half a blo")
    changed_at = time.time() - age_seconds
    os.utime(temp, (changed_at, changed_at))
    return temp


def test_a_start_removes_what_a_killed_writer_left(tmp_path: Path) -> None:
    DiskBlobStore(tmp_path)
    temp = left_behind(tmp_path, age_seconds=7200)
    DiskBlobStore(tmp_path)
    assert not temp.exists()


def test_a_start_leaves_young_temp_files(tmp_path: Path) -> None:
    DiskBlobStore(tmp_path)
    temp = left_behind(tmp_path, age_seconds=60)
    DiskBlobStore(tmp_path)
    assert temp.exists()


def test_a_start_leaves_an_old_temp_file_whose_writer_lives(tmp_path: Path) -> None:
    DiskBlobStore(tmp_path)
    temp = left_behind(tmp_path, age_seconds=7200)
    with temp.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        DiskBlobStore(tmp_path)
        assert temp.exists()
    DiskBlobStore(tmp_path)
    assert not temp.exists()


# --- deletions and puts -------------------------------------------------------------------------


def test_a_deletion_waits_for_a_put_in_its_folder_and_sees_that_the_block_is_young(tmp_path: Path) -> None:
    store = DiskBlobStore(tmp_path)
    store.put(DIGEST, WEIGHTS)
    listed_at = datetime.now(timezone.utc)
    with ThreadPoolExecutor(1) as pool:
        with durable.locked_folder(block_file(tmp_path).parent, exclusive=False):
            deleting = pool.submit(store.delete, DIGEST, stored_before=listed_at)
            time.sleep(0.2)
            assert not deleting.done()
            assert store.put(DIGEST, WEIGHTS) is False
        assert deleting.result() is False
    assert store.has(DIGEST)


# --- kill -9 ------------------------------------------------------------------------------------

PUT_MANY = (
    OPEN
    + """
for n in range(10_000):
    data = (sys.argv[2] + str(n)).encode() * 20_000
    store.put(blake3(data).hexdigest(), data)
    print(blake3(data).hexdigest(), flush=True)
"""
)


def killed_while_putting(root: Path, name: str, after_seconds: float) -> set[str]:
    """Kill a writer some time after its first acknowledged block; return what it acknowledged."""
    writer = subprocess.Popen(
        [sys.executable, "-c", PUT_MANY, str(root), name], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    first = writer.stdout.readline()
    time.sleep(after_seconds)
    writer.kill()
    rest = writer.communicate()[0]
    return {line for line in (first + rest).split("\n") if len(line) == 64}


def trials_of_kill(root: Path, trials: int) -> None:
    moments = random.Random(7)
    for trial in range(trials):
        acknowledged = killed_while_putting(root, f"{trial}:", moments.uniform(0, 0.05))
        assert acknowledged
        assert acknowledged <= assert_whole(root)
    DiskBlobStore(root, temp_age_seconds=0)
    assert list((root / "tmp").iterdir()) == []


def test_a_killed_writer_leaves_every_acknowledged_block_and_no_partial_one(tmp_path: Path) -> None:
    trials_of_kill(tmp_path, 6)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_two_hundred_kills_leave_no_partial_block(tmp_path: Path) -> None:
    trials_of_kill(tmp_path, 200)


# --- system calls -------------------------------------------------------------------------------

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
CALLS = "fsync,link,linkat,unlink,unlinkat,mkdir,mkdirat,rename,renameat,write"


def strace(root: Path, *options: str, script: str = PUT_ONE) -> tuple[int, str, list[str]]:
    """Run the script under strace; return exit code, output and the traced calls."""
    log = root.parent / "strace.log"
    command = ["strace", "-f", "-y", "-o", str(log), *options, sys.executable, "-c", script, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr.lower():
        pytest.skip(f"tracing is not allowed here: {done.stderr.strip()}")
    return done.returncode, done.stdout, log.read_text().splitlines()


def position(calls: list[str], pattern: str) -> int:
    found = [n for n, call in enumerate(calls) if re.search(pattern, call)]
    assert found, f"no system call matches {pattern!r} in:\n" + "\n".join(calls)
    return found[0]


@needs_strace
def test_a_put_syncs_the_file_then_links_it_then_syncs_its_folders_then_answers(tmp_path: Path) -> None:
    root = tmp_path / "data"
    code, _, calls = strace(root, "-e", f"trace={CALLS}")
    assert code == 0
    outer, inner = rf"blocks/{DIGEST[:2]}", rf"blocks/{DIGEST[:2]}/{DIGEST[2:4]}"
    steps = [
        position(calls, rf"mkdir\w*\(.*{outer}\""),
        position(calls, r"fsync\(\d+<[^>]*/blocks>"),
        position(calls, rf"mkdir\w*\(.*{inner}\""),
        position(calls, rf"fsync\(\d+<[^>]*{outer}>"),
        position(calls, r"write\(\d+<[^>]*/data/tmp/"),
        position(calls, r"fsync\(\d+<[^>]*/data/tmp/"),
        position(calls, rf"link\w*\(.*/data/tmp/.*{DIGEST}"),
        position(calls, rf"fsync\(\d+<[^>]*{inner}>"),
        position(calls, r"write\(1<.*put True"),
    ]
    assert steps == sorted(steps)


@needs_strace
def test_a_put_of_a_present_block_syncs_its_folders_before_it_answers(tmp_path: Path) -> None:
    root = tmp_path / "data"
    DiskBlobStore(root).put(DIGEST, WEIGHTS)
    _, _, calls = strace(root, "-e", f"trace={CALLS}")
    answer = position(calls, r"write\(1<.*put False")
    for folder in ("blocks", f"blocks/{DIGEST[:2]}", f"blocks/{DIGEST[:2]}/{DIGEST[2:4]}"):
        assert position(calls, rf"fsync\(\d+<[^>]*/{folder}>") < answer


# In a fresh folder: 1 the root's parent, 2 and 3 the root (blocks, tmp), 4 blocks, 5 blocks/ab, 6 the file,
# 7 blocks/ab/cd.
FSYNCS = range(1, 8)


@needs_strace
@pytest.mark.parametrize("when", FSYNCS)
def test_a_kill_at_any_fsync_leaves_no_partial_block_and_the_put_can_be_repeated(
    tmp_path: Path, when: int
) -> None:
    root = tmp_path / "data"
    code, out, _ = strace(root, "-e", "trace=fsync", "-e", f"inject=fsync:signal=KILL:when={when}")
    assert code != 0
    assert out == ""
    store = DiskBlobStore(root, temp_age_seconds=0)
    assert assert_whole(root) <= {DIGEST}
    assert list((root / "tmp").iterdir()) == []
    store.put(DIGEST, WEIGHTS)
    assert store.get(DIGEST, verify=True) == WEIGHTS


@needs_strace
@pytest.mark.parametrize("call", ["link,linkat", "unlink,unlinkat"])
def test_a_kill_at_link_or_unlink_leaves_no_partial_block(tmp_path: Path, call: str) -> None:
    root = tmp_path / "data"
    code, out, _ = strace(root, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when=1")
    assert code != 0
    assert out == ""
    DiskBlobStore(root, temp_age_seconds=0)
    assert assert_whole(root) <= {DIGEST}
    assert list((root / "tmp").iterdir()) == []


@needs_strace
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("fsync:error=EIO:when=6", "internal_error"),
        ("fsync:error=ENOSPC:when=6", "insufficient_storage"),
        ("fsync:error=EDQUOT:when=6", "insufficient_storage"),
        ("link,linkat:error=ENOSPC:when=1", "insufficient_storage"),
        ("mkdir,mkdirat:error=ENOSPC:when=4", "insufficient_storage"),
    ],
)
def test_a_failing_system_call_is_reported_and_nothing_is_visible(
    tmp_path: Path, fault: str, code: str
) -> None:
    root = tmp_path / "data"
    calls = fault.split(":")[0]
    _, out, _ = strace(root, "-e", f"trace={calls}", "-e", f"inject={fault}")
    assert out == f"{code}\n"
    assert assert_whole(root) == set()
    assert list((root / "tmp").iterdir()) == []


@needs_strace
def test_a_failed_sync_of_the_folder_is_not_acknowledged(tmp_path: Path) -> None:
    root = tmp_path / "data"
    _, out, _ = strace(root, "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=7")
    assert out == "internal_error\n"
    assert DiskBlobStore(root).put(DIGEST, WEIGHTS) is False
