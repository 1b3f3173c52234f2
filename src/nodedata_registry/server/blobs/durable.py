"""Files that are whole, durable and made once: the order of system calls that this takes.

    open O_EXCL in the temp folder, flock · write · fsync file · link to the final name · fsync folder

The link refuses to replace (create-only) and appears with all its bytes or not at all; the file's
fsync before it and the folder's after it make both survive a power cut. The same order is used by
Tessera's POSIX storage and Sunlight. A failed fsync is never tried again on the same file: the
kernel may have dropped the dirty pages, and a second call would report success.

A writer holds an exclusive `flock` on its temp file. Killed, it leaves the file unlocked, and
`sweep_temp` of any process can tell it from one in use.

Errors are `OSError` as they come; the adapter above gives them meaning.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

_READ_ONLY = 0o444
_WRITE_BYTES = 256 * 1024
"""One write asks the page cache for so much at once; larger ones wait for larger free pages."""

_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def create(target: Path, data: bytes, temp_folder: Path) -> bool:
    """Create a read-only file durably, unless the name is taken; return whether this call made it.

    `temp_folder` lies on the same filesystem. When the answer is `False` the other file's name is
    durable too, so both callers may acknowledge. On any error no file stands under the name, except
    when the last step, the folder's fsync, failed: then it stands, whole, but perhaps not for long.
    """
    with _temp_file(data, temp_folder) as temp:
        try:
            os.link(temp, target, follow_symlinks=False)
        except FileExistsError:
            made = False
        else:
            made = True
    sync_folder(target.parent)
    return made


def replace(target: Path, data: bytes, temp_folder: Path) -> None:
    """Put a read-only file durably in the place of what stands under the name, in one step."""
    with _temp_file(data, temp_folder) as temp:
        temp.replace(target)
    sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Create the folder and its missing parents so that they survive a power cut.

    An existing folder may be one that another process has just made and not yet synced, so its
    name is synced as well: callers remember which folders they have been through.
    """
    if not folder.parent.is_dir():
        make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Return when the names in the folder are on the disk."""
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        os.fsync(descriptor)


@contextlib.contextmanager
def locked_folder(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold a `flock` on the folder; shared holders exclude the exclusive one, across processes."""
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield


def sweep_temp(temp_folder: Path, older_than_seconds: float) -> int:
    """Remove what killed writers left in the folder; return how many files.

    Spared are files changed within `older_than_seconds` (one may be open, not yet locked) and files
    whose writer lives, however old. Safe beside other processes that write or sweep.
    """
    limit = time.time() - older_than_seconds
    removed = 0
    for entry in os.scandir(temp_folder):
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime <= limit:
                _remove_unless_held(Path(entry.path))
                removed += 1
    return removed


def _remove_unless_held(temp: Path) -> None:
    with _opened(temp, os.O_RDONLY | os.O_NOFOLLOW) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        temp.unlink()


@contextlib.contextmanager
def _temp_file(data: bytes, folder: Path) -> Iterator[Path]:
    """Give a synced, read-only, locked file with the data; its temp name is gone afterwards."""
    temp = folder / f"{os.getpid()}-{secrets.token_hex(12)}"
    with _opened(temp, _NEW_FILE) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _write_all(descriptor, data)
            # The kernel stamps files up to a clock tick early; deletions are judged by this time.
            now_ns = time.time_ns()
            os.utime(descriptor, ns=(now_ns, now_ns))
            os.fsync(descriptor)
            yield temp
        finally:
            temp.unlink(missing_ok=True)


def _write_all(descriptor: int, data: bytes) -> None:
    # A write may be cut short (a full disk, a limit); the next one then says why.
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest[:_WRITE_BYTES]) :]


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, _READ_ONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
