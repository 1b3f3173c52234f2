"""What the resolution rule sees of each model, remembered in this process and never stale.

A list is filed under the model's `changes`, a number that the database itself raises with every new
revision and every changed mark, whoever makes it. It is read in the caller's own snapshot, so equal
numbers mean equal lists, across threads and processes. Only reading transactions use it: a number seen
inside a write may come again with another meaning after a rollback.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

from nodedata_registry.core.selectors import Candidate


class CandidateCache:
    """Lists of candidates by model, the least recently used forgotten first. Safe from many threads."""

    def __init__(self, most_candidates: int = 200_000) -> None:
        self._most = most_candidates
        self._kept: OrderedDict[str, tuple[int, Sequence[Candidate]]] = OrderedDict()
        self._count = 0
        self._lock = Lock()

    def get(
        self, model_id: str, changes: int, load: Callable[[], Sequence[Candidate]]
    ) -> Sequence[Candidate]:
        """Return the model's candidates as of `changes`, from memory or from `load`."""
        with self._lock:
            kept = self._kept.get(model_id)
            if kept is not None and kept[0] == changes:
                self._kept.move_to_end(model_id)
                return kept[1]
        loaded = load()
        self._keep(model_id, changes, loaded)
        return loaded

    def _keep(self, model_id: str, changes: int, loaded: Sequence[Candidate]) -> None:
        with self._lock:
            self._forget(model_id)
            self._kept[model_id] = (changes, loaded)
            self._count += len(loaded)
            while self._count > self._most and self._kept:
                self._forget(next(iter(self._kept)))

    def _forget(self, model_id: str) -> None:
        kept = self._kept.pop(model_id, None)
        if kept is not None:
            self._count -= len(kept[1])
