"""Locks on a data folder, held by a process and released by its end, however it ends.

- `serve.lock`: the one server of the folder. A second one is refused.
- `jobs.lock`: the one process that works ahead (diffs of what was just published, housekeeping).
  Others compute what they are asked for, and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

SERVE = "serve.lock"
JOBS = "jobs.lock"


class FolderLock:
    """A held lock; `release` gives it back. Two in one process exclude each other, too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; repeating changes nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def take_lock(folder: Path, name: str) -> FolderLock | None:
    """Return the lock, or `None` if another process holds it.

    The file stays behind and holds the process id of the last holder, for people to read.
    """
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return FolderLock(descriptor)


def holder_of(folder: Path, name: str) -> str:
    """Return the process id that the lock file names, or `?`."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return (folder / name).read_text("ascii").strip() or "?"
    return "?"
