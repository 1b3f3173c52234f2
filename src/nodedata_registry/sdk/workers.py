"""A few threads that work through items and stop together at the first error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


def for_each(items: Iterable[T], action: Callable[[T], None], workers: int) -> None:
    """Call `action` for every item in up to `workers` threads; items are drawn when one is free.

    Returns when all are done. The first error stops the rest at their next item and is raised here;
    an interrupt of the waiting thread stops them too.
    """
    work = _Work(iter(items), action)
    threads = [threading.Thread(target=work.run, name="node-data-work", daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:
        work.stopped = True
    if work.failure is not None:
        raise work.failure


class _Work(Generic[T]):
    def __init__(self, items: Iterator[T], action: Callable[[T], None]) -> None:
        self._items = items
        self._action = action
        self._lock = threading.Lock()
        self.stopped = False
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for item in self._drawn():
                self._action(item)
        except BaseException as error:  # noqa: BLE001 - raised in the waiting thread
            with self._lock:
                self.failure = self.failure or error
                self.stopped = True

    def _drawn(self) -> Iterator[T]:
        while True:
            with self._lock:
                if self.stopped:
                    return
                try:
                    item = next(self._items)
                except StopIteration:
                    return
            yield item
