"""How many scalars of a tensor were touched, exactly, and by how much.

    touched    scalars whose stored bits differ: -0.0 is not 0.0, and one NaN is not another
    max_abs, rms, relative    in real units, over the scalars that are finite on both sides
                              (and whose difference float64 can hold)

Both tensors stream in pieces of any size and are compared 256 Ki scalars at a time in buffers that are
used again, so memory does not depend on the tensor's size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nodedata_registry.core.diff_values import ElementChange
from nodedata_registry.core.layouts.dtypes import DTYPE_BITS
from nodedata_registry.errors import InvalidRequest
from nodedata_registry.server.tensors.values import PLAIN, as_numbers

BytesLike: TypeAlias = "bytes | bytearray | memoryview"

PIECE_ELEMENTS = 256 * 1024


def count_touched(
    a: Iterable[BytesLike], b: Iterable[BytesLike], dtype: str, elements: int | None = None
) -> ElementChange:
    """Return how the scalars changed between two tensors of the same dtype and shape.

    `a` and `b` are the canonical bytes of both, in pieces of any size. `elements` is the number of scalars:
    needed for dtypes of fewer than 8 bits, whose last byte may be padded; else the bytes decide. A complex
    number is one scalar; |b - a| is its modulus. An empty tensor gives zeros.

    Raises:
        InvalidRequest: unknown dtype, or the two are not equally long.
    """
    if dtype not in DTYPE_BITS:
        raise InvalidRequest(f"The dtype {dtype!r} is not known.", field="dtype")
    tally = _Tally()
    left = elements
    size = PIECE_ELEMENTS * DTYPE_BITS[dtype] // 8
    for piece_a, piece_b in _side_by_side(a, b, size):
        codes_a, codes_b = _codes(piece_a, dtype), _codes(piece_b, dtype)
        if left is not None:
            codes_a, codes_b = codes_a[:left], codes_b[:left]
            left -= len(codes_a)
        tally.add(codes_a, codes_b, dtype)
    if left:
        raise InvalidRequest(f"The tensors end {left} scalars before their shape does.", field="elements")
    return tally.result()


def _side_by_side(
    a: Iterable[BytesLike], b: Iterable[BytesLike], size: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield both streams in step, `size` bytes at a time; the arrays are valid until the next step."""
    fill_a, fill_b = _Refill(a, size), _Refill(b, size)
    while True:
        piece_a, piece_b = fill_a.next(), fill_b.next()
        if len(piece_a) != len(piece_b):
            raise InvalidRequest("The two tensors are not equally long, so they cannot be compared.")
        if not len(piece_a):
            return
        yield piece_a, piece_b


class _Refill:
    """Pieces of any size made into pieces of one size, in one buffer that is used again."""

    __slots__ = ("_buffer", "_pieces", "_rest")

    def __init__(self, pieces: Iterable[BytesLike], size: int) -> None:
        self._pieces = iter(pieces)
        self._buffer = np.empty(size, dtype=np.uint8)
        self._rest = np.empty(0, dtype=np.uint8)

    def next(self) -> NDArray[np.uint8]:
        """Return the next `size` bytes; fewer at the end, none after it."""
        size, filled = len(self._buffer), 0
        while filled < size:
            if not len(self._rest):
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest = np.frombuffer(piece, dtype=np.uint8)
                continue
            if filled == 0 and len(self._rest) >= size:
                found, self._rest = self._rest[:size], self._rest[size:]
                return found
            taken = min(size - filled, len(self._rest))
            self._buffer[filled : filled + taken] = self._rest[:taken]
            self._rest = self._rest[taken:]
            filled += taken
        return self._buffer[:filled]


def _codes(data: NDArray[np.uint8], dtype: str) -> NDArray[np.generic]:
    """Return one unsigned integer per scalar; complex scalars as rows of two or pairs of bytes viewed."""
    bits = DTYPE_BITS[dtype]
    if bits in (2, 4):
        return _split_bits(data, bits)
    if bits == 6:
        return _split_sixes(data)
    if len(data) % (bits // 8):
        raise InvalidRequest(f"The bytes of a {dtype} tensor do not fill whole scalars.")
    codes: NDArray[np.generic] = data.view(np.dtype("<c16" if bits == 128 else f"<u{bits // 8}"))
    return codes


def _split_bits(data: NDArray[np.uint8], bits: int) -> NDArray[np.generic]:
    """Return the scalars of 2 or 4 bits, the first in the low bits of each byte."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    return np.asarray((data[:, None] >> shifts) & np.uint8((1 << bits) - 1)).reshape(-1)


def _split_sixes(data: NDArray[np.uint8]) -> NDArray[np.generic]:
    """Return scalars of 6 bits, four to three bytes, the first in the low bits."""
    if len(data) % 3:
        raise InvalidRequest("The bytes of a tensor of 6-bit scalars do not fill groups of four.")
    groups = data.reshape(-1, 3).astype(np.uint32)
    words = groups[:, 0] | groups[:, 1] << np.uint32(8) | groups[:, 2] << np.uint32(16)
    shifts = np.array([0, 6, 12, 18], dtype=np.uint32)
    return np.asarray((words[:, None] >> shifts) & np.uint32(63), dtype=np.uint8).reshape(-1)


class _Norm:
    """A Euclidean norm summed piece by piece without overflow or underflow (as BLAS `nrm2` does)."""

    __slots__ = ("_scale", "_squares")

    def __init__(self) -> None:
        self._scale = 0.0
        self._squares = 0.0

    def add(self, magnitudes: NDArray[np.float64]) -> float:
        """Add a piece of magnitudes; returns the largest of them."""
        largest = float(magnitudes.max()) if len(magnitudes) else 0.0
        if largest == 0.0:
            return largest
        if largest > self._scale:
            self._squares *= (self._scale / largest) ** 2
            self._scale = largest
        scaled = magnitudes / self._scale
        self._squares += float(np.dot(scaled, scaled))
        return largest

    def mean(self, count: int) -> float:
        """Return the root of the mean of `count` squares, numbers not added counted as zeros."""
        return self._scale * math.sqrt(self._squares / count)

    def over(self, other: _Norm) -> float | None:
        """Return this norm over another; None where that is zero and this is not, or past float64."""
        if self._scale == 0.0:
            return 0.0
        if other._scale == 0.0:
            return None
        ratio = self._scale / other._scale * math.sqrt(self._squares / other._squares)
        return ratio if math.isfinite(ratio) else None


class _Tally:
    """Sums over all pieces."""

    __slots__ = ("_change", "_compared", "_elements", "_max_abs", "_norm_a", "_touched")

    def __init__(self) -> None:
        self._touched = self._elements = self._compared = 0
        self._max_abs = 0.0
        self._change, self._norm_a = _Norm(), _Norm()

    def add(self, codes_a: NDArray[np.generic], codes_b: NDArray[np.generic], dtype: str) -> None:
        """Compare one piece; scalars with equal bits changed by exactly nothing."""
        differs = _differing(codes_a, codes_b)
        touched = int(np.count_nonzero(differs))
        numbers_a = as_numbers(codes_a, dtype)
        comparable = np.isfinite(numbers_a)
        if touched:
            change = _magnitudes(codes_a[differs], codes_b[differs], dtype)
            finite = np.isfinite(change)
            comparable[differs] &= finite
            self._max_abs = max(self._max_abs, self._change.add(change[finite]))
        compared = int(np.count_nonzero(comparable))
        self._norm_a.add(np.abs(numbers_a if compared == len(comparable) else numbers_a[comparable]))
        self._elements += len(comparable)
        self._compared += compared
        self._touched += touched

    def result(self) -> ElementChange:
        """Return the figures over everything added."""
        if self._elements and not self._compared:
            return ElementChange(self._touched)
        rms = self._change.mean(max(self._compared, 1))
        return ElementChange(self._touched, self._max_abs, rms, self._change.over(self._norm_a))


def _differing(codes_a: NDArray[np.generic], codes_b: NDArray[np.generic]) -> NDArray[np.bool_]:
    if codes_a.dtype.kind != "c":
        return np.asarray(codes_a != codes_b)
    halves_a, halves_b = codes_a.view("<u8").reshape(-1, 2), codes_b.view("<u8").reshape(-1, 2)
    return np.asarray((halves_a != halves_b).any(axis=1))


def _magnitudes(
    codes_a: NDArray[np.generic], codes_b: NDArray[np.generic], dtype: str
) -> NDArray[np.float64]:
    """Return |b - a| of scalars; those of 64-bit integers are exact before they are rounded once."""
    if dtype in ("I64", "U64"):
        a, b = codes_a.view(PLAIN[dtype]), codes_b.view(PLAIN[dtype])
        gaps = np.maximum(a, b).view("<u8") - np.minimum(a, b).view("<u8")
        return np.asarray(gaps, dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.abs(as_numbers(codes_b, dtype) - as_numbers(codes_a, dtype)))
