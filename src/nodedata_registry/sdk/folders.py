"""Copying without copying where the file system can, and exchanging two folders in one step."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sys
from pathlib import Path

_FICLONE = 0x40049409
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CHUNK_BYTES = 64 * 1024 * 1024


def clone_or_link(source: Path, target: Path) -> None:
    """Make `target` a read-only file with the content and times of `source`.

    A reflink where the file system has them, else a hard link, else a copy. Never a symlink.
    """
    if _cloned(source, target, 0o444):
        _keep_times(source, target)
        return
    try:
        os.link(source, target)
    except OSError:
        # No hard links here (FAT, some network file systems), or too many to one file.
        _copied(source, target, 0o444)
        _keep_times(source, target)


def clone_or_copy(source: Path, target: Path) -> None:
    """Make `target` a writable file of its own with the content of `source`."""
    if not _cloned(source, target, 0o666):
        _copied(source, target, 0o666)


def exchange(first: Path, second: Path) -> None:
    """Give two folders each other's names.

    In one step where the kernel can (`renameat2`, Linux 3.15); else in three renames, between
    which `second` is absent for a moment.
    """
    if _exchanged(first, second):
        return
    aside = first.with_name(first.name + ".aside")
    second.rename(aside)
    first.rename(second)
    aside.rename(first)


def remove_folder(folder: Path) -> None:
    """Remove a folder and all in it; what is gone already is no error."""
    shutil.rmtree(folder, ignore_errors=True)


def _cloned(source: Path, target: Path, mode: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    with source.open("rb") as reading:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            fcntl.ioctl(writing, _FICLONE, reading.fileno())
        except OSError:
            target.unlink()
            return False
        finally:
            os.close(writing)
    return True


def _copied(source: Path, target: Path, mode: int) -> None:
    with source.open("rb") as reading:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(writing, "wb") as file:
            try:
                while os.sendfile(file.fileno(), reading.fileno(), None, _CHUNK_BYTES):
                    pass
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK, errno.EOPNOTSUPP):
                    raise
                reading.seek(0)
                file.truncate(0)
                shutil.copyfileobj(reading, file, 1024 * 1024)


def _keep_times(source: Path, target: Path) -> None:
    status = source.stat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _exchanged(first: Path, second: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    result = call(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    if result == 0:
        return True
    failed = ctypes.get_errno()
    if failed in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(failed, os.strerror(failed), str(second))
