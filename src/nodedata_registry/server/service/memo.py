"""Remembering what never changes: values derived from immutable rows, the least recently used dropped."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Values by key, up to a total weight. Safe from many threads; two may load one value at once."""

    def __init__(self, most: int, weigh: Callable[[V], int]) -> None:
        self._most = most
        self._weigh = weigh
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._total = 0
        self._lock = Lock()

    def get(self, key: K, load: Callable[[], V]) -> V:
        """Return the value of the key, from memory or from `load`."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = load()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = value
                self._total += self._weigh(value)
            while self._total > self._most and self._kept:
                self._total -= self._weigh(self._kept.popitem(last=False)[1])
        return value
