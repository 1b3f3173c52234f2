"""Counts for the tensor pairs that a diff must read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from nodedata_registry.core.diff_values import ElementChange
from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.tensor_pairs import TensorPair
from nodedata_registry.server.tensors.canonical import canonical_pieces
from nodedata_registry.server.tensors.count import count_touched


def compare_pairs(
    pairs: Iterable[TensorPair],
    open_a: Callable[[str], Source],
    open_b: Callable[[str], Source],
    on_read: Callable[[int], None] = lambda _: None,
) -> dict[tuple[str, str], ElementChange]:
    """Return how each pair changed, by `TensorPair.key`: what `core.diff.diff` takes as `touched`.

    `open_a` and `open_b` give the file at a path of either revision. `on_read` is told the stored bytes of
    both sides after each pair, for progress.

    Raises:
        InvalidWeights: a payload is not what the table says.
    """
    open_a, open_b = cache(open_a), cache(open_b)
    found: dict[tuple[str, str], ElementChange] = {}
    for pair in pairs:
        a, b = pair.a, pair.b
        found[pair.key] = count_touched(
            canonical_pieces(a.tensor, open_a(a.path)),
            canonical_pieces(b.tensor, open_b(b.path)),
            b.tensor.dtype,
            b.tensor.elements,
        )
        on_read(a.tensor.stored_bytes + b.tensor.stored_bytes)
    return found
