"""Locks on a data folder, held by a process and released by its end, however it ends.

- `serve.lock`: the one server of the folder. A second one is refused.
- `jobs.lock`: the one process that works ahead (the diff of what was just published). Others compute
  what they are asked for, and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
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


class Turn:
    """The turn to work ahead in a folder: taken when it is free, kept until `end`.

    Asked each time, so that another process takes over once the first has gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: FolderLock | None = None
        self._ended = False
        self._guard = threading.Lock()

    def is_ours(self) -> bool:
        """Return whether this process has the turn, taking it if nobody has."""
        with self._guard:
            if self._lock is None and not self._ended:
                self._lock = take_lock(self._folder, JOBS)
            return self._lock is not None

    def end(self) -> None:
        """Give the turn up for good; repeating changes nothing."""
        with self._guard:
            self._ended = True
            if self._lock is not None:
                self._lock.release()
                self._lock = None


def holder_of(folder: Path, name: str) -> str:
    """Return the process id that the lock file names, or `?`."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return (folder / name).read_text("ascii").strip() or "?"
    return "?"
