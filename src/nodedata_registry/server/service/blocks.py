"""Reading files that lie in the store as blocks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from nodedata_registry.core.blocks import Block
from nodedata_registry.core.layouts.source import refuse_outside
from nodedata_registry.server.ports import BlobStore


class BlockSource:
    """Random access to a file that lies in the store as blocks (a `core` Source)."""

    __slots__ = ("_blobs", "_blocks", "_ends", "size_bytes")

    def __init__(self, blobs: BlobStore, blocks: tuple[Block, ...]) -> None:
        self._blobs = blobs
        self._blocks = blocks
        self._ends = list(accumulate(block.size_bytes for block in blocks))
        self.size_bytes = self._ends[-1] if blocks else 0

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`.

        Raises:
            InvalidWeights: the span leaves the file.
            BlockNotFound: a block is not in the store.
        """
        refuse_outside(self.size_bytes, offset, length)
        return b"".join(self.pieces(offset, length))

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield the bytes of [offset, offset + length) in order, a block at most at a time."""
        index = bisect_right(self._ends, offset)
        while length > 0 and index < len(self._blocks):
            block = self._blocks[index]
            low = offset - (self._ends[index] - block.size_bytes)
            take = min(length, block.size_bytes - low)
            whole = take == block.size_bytes
            yield self._blobs.get(block.digest) if whole else self._blobs.read(block.digest, low, take)
            offset, length, index = offset + take, length - take, index + 1
