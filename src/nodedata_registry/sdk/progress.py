"""How far a long call is, as one value handed to the caller's callback."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done and how far it is.

    `phase` is `scan`, `send`, `fetch` or `diff`. `path` is the file at hand where there is one.
    """

    phase: str
    done_bytes: int
    total_bytes: int
    path: str | None = None


ProgressCallback = Callable[[Progress], None]
"""Called from worker threads too, but never from two at once."""


class Meter:
    """Counts bytes of one phase from many threads and tells the callback, one call at a time."""

    def __init__(self, report: ProgressCallback | None, phase: str, total_bytes: int) -> None:
        self._report = report
        self._phase = phase
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._lock = threading.Lock()

    @property
    def done_bytes(self) -> int:
        """Bytes counted so far."""
        return self._done_bytes

    def add(self, size_bytes: int, path: str | None = None) -> None:
        """Count bytes and report; an exception of the callback reaches the caller."""
        with self._lock:
            self._done_bytes += size_bytes
            if self._report is not None:
                self._report(Progress(self._phase, self._done_bytes, self._total_bytes, path))
