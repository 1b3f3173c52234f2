"""Diffs computed in threads: each pair once, however many callers want it."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field

from nodedata_registry.server.ports import Progress

Key = tuple[str, str]
Compute = Callable[[Callable[[int, int], None]], None]

MAX_KEPT_FAILURES = 256

log = logging.getLogger("nodedata_registry.jobs")


@dataclass(slots=True)
class _Run:
    future: Future[None]
    progress: Progress = field(default_factory=lambda: Progress(0, 0))


class ThreadDiffRunner:
    """The `DiffRunner` of one process: a few threads, no queue on disk.

    A lost run is no loss: whoever asks for the diff starts it again.
    """

    def __init__(self, workers: int = 2, *, works_ahead: Callable[[], bool] = lambda: True) -> None:
        self._works_ahead = works_ahead
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="diff")
        self._lock = threading.Lock()
        self._runs: dict[Key, _Run] = {}
        self._failures: OrderedDict[Key, BaseException] = OrderedDict()

    def submit(self, key: Key, compute: Compute) -> None:
        """Start the computation unless one for the key is under way; see `DiffRunner.submit`."""
        with self._lock:
            if key in self._runs:
                return
            self._failures.pop(key, None)
            run = _Run(Future())
            self._runs[key] = run
        try:
            self._pool.submit(self._execute, key, run, compute)
        except RuntimeError:
            # The pool is closing: this process ends, and the next one will be asked again.
            self._finish(key, run, None)

    def wait(self, key: Key, seconds: float) -> Progress | None:
        """Wait for the run of the key; see `DiffRunner.wait`."""
        with self._lock:
            run = self._runs.get(key)
        if run is not None:
            try:
                run.future.result(timeout=max(0.0, seconds))
            except FutureTimeout:
                return run.progress
        with self._lock:
            failure = self._failures.pop(key, None)
        if failure is not None:
            raise failure
        return None

    def works_ahead(self) -> bool:
        """Tell whether this process has the turn; see `DiffRunner.works_ahead`."""
        return self._works_ahead()

    def close(self) -> None:
        """Drop what has not begun and wait for what has."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _execute(self, key: Key, run: _Run, compute: Compute) -> None:
        def report(done_bytes: int, total_bytes: int) -> None:
            run.progress = Progress(done_bytes, total_bytes)

        failure: BaseException | None = None
        try:
            compute(report)
        except BaseException as error:  # noqa: BLE001 - an outer edge: the waiting caller gets it
            log.warning("the diff of %s and %s failed: %s", *key, error)
            failure = error
        self._finish(key, run, failure)

    def _finish(self, key: Key, run: _Run, failure: BaseException | None) -> None:
        with self._lock:
            self._runs.pop(key, None)
            if failure is not None:
                self._failures[key] = failure
                if len(self._failures) > MAX_KEPT_FAILURES:
                    self._failures.popitem(last=False)
        run.future.set_result(None)
