"""Where header bytes come from: a file, blocks, or the ranges that a client sent.

The same readers run three times: in the client over a `RecordingSource` (to learn which ranges to
send), in the server when an upload opens over a `ReplaySource`, and at commit over the stored blocks.
All three give the same facts, since a reader's reads depend on nothing but the bytes it has read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Protocol

from nodedata_registry.errors import InvalidRequest, InvalidWeights


class Source(Protocol):
    """Random access to the bytes of one file."""

    @property
    def size_bytes(self) -> int:
        """The file's length in bytes."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; raises InvalidWeights where the file ends before."""
        ...


class BytesSource:
    """A source over bytes in memory.

    >>> BytesSource(b"abcdef").read(2, 3)
    b'cde'
    """

    __slots__ = ("_data", "size_bytes")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size_bytes = len(data)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; raises InvalidWeights past the end."""
        refuse_outside(self.size_bytes, offset, length)
        return self._data[offset : offset + length]


class RecordingSource:
    """A source that passes reads on to another and remembers what was read.

    `recorded` holds disjoint ranges, sorted, touching ones merged.
    """

    __slots__ = ("_pieces", "_source", "size_bytes")

    def __init__(self, source: Source) -> None:
        self._source = source
        self.size_bytes = source.size_bytes
        self._pieces: list[tuple[int, bytes]] = []

    def read(self, offset: int, length: int) -> bytes:
        """Read from the wrapped source and remember the range."""
        data = self._source.read(offset, length)
        if data:
            self._pieces.append((offset, data))
        return data

    @property
    def recorded(self) -> tuple[tuple[int, bytes], ...]:
        """Every range read so far as (offset, bytes)."""
        return merge_ranges(self._pieces)


class ReplaySource:
    """A source over recorded ranges of a file of `size_bytes`.

    Raises InvalidRequest(field="headers") for a read that no range covers, and for ranges that
    overlap or leave the file: such a request was not made by the reader that asks now.
    """

    __slots__ = ("_pieces", "_starts", "size_bytes")

    def __init__(self, size_bytes: int, ranges: Iterable[tuple[int, bytes]]) -> None:
        self.size_bytes = size_bytes
        self._pieces = sorted(ranges, key=lambda item: item[0])
        self._starts = [offset for offset, _ in self._pieces]
        end = 0
        for offset, data in self._pieces:
            if offset < end or offset + len(data) > size_bytes:
                raise InvalidRequest(
                    f"The header range at byte {offset} overlaps another or leaves the file of {size_bytes} "
                    "bytes; send the ranges that the reader recorded.",
                    field="headers",
                )
            end = offset + len(data)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset` out of one recorded range."""
        refuse_outside(self.size_bytes, offset, length)
        if length == 0:
            return b""
        index = bisect_right(self._starts, offset) - 1
        if index >= 0:
            start, data = self._pieces[index]
            if offset + length <= start + len(data):
                return data[offset - start : offset - start + length]
        raise InvalidRequest(
            f"The header ranges lack bytes {offset} to {offset + length}, which the reader needs; "
            "record them with the reader of this version.",
            field="headers",
        )


def refuse_outside(size_bytes: int, offset: int, length: int) -> None:
    """Raise InvalidWeights unless [offset, offset + length) lies within a file of `size_bytes`."""
    if offset < 0 or length < 0 or offset + length > size_bytes:
        raise InvalidWeights(
            f"The file is truncated: bytes {offset} to {offset + length} are needed, it has {size_bytes}."
        )


def merge_ranges(pieces: Iterable[tuple[int, bytes]]) -> tuple[tuple[int, bytes], ...]:
    """Return the ranges sorted by offset, overlapping and touching ones joined.

    >>> merge_ranges([(4, b"ef"), (0, b"ab"), (1, b"bcd")])
    ((0, b'abcdef'),)
    """
    merged: list[tuple[int, bytearray]] = []
    for offset, data in sorted(pieces, key=lambda item: item[0]):
        if merged and offset <= merged[-1][0] + len(merged[-1][1]):
            start, joined = merged[-1]
            joined += data[max(0, start + len(joined) - offset) :]
        else:
            merged.append((offset, bytearray(data)))
    return tuple((offset, bytes(data)) for offset, data in merged)
