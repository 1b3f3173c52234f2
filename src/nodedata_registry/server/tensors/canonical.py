"""The canonical bytes of a tensor: its scalars packed, little-endian, in order.

    raw, external     the stored bytes as they are
    varint:N          each protobuf varint cut to its low N bytes

A tensor's digest is the BLAKE3 of these bytes, so the same weights have the same digest in every format.
Everything streams: memory is bounded by a few pieces, whatever the tensor's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from nodedata_registry.core.blocks import BLOCK_BYTES
from nodedata_registry.core.layouts.dtypes import byte_count
from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.layouts.table import Tensor, shown
from nodedata_registry.errors import InvalidWeights

# A large tensor's blocks start where the tensor starts, so each piece is one block, read once.
PIECE_BYTES = BLOCK_BYTES
# Varints grow up to eightfold when decoded.
VARINT_PIECE_BYTES = 256 * 1024
MAX_VARINT_BYTES = 10


def canonical_pieces(tensor: Tensor, source: Source) -> Iterator[bytes]:
    """Yield the canonical bytes of a tensor in pieces of at most 4 MiB.

    `source` is the file that holds the bytes (`tensor.stored_in`).

    Raises:
        InvalidWeights: the file ends too early, or its varints are not as many as the shape says.
    """
    if not tensor.encoding.startswith("varint:"):
        yield from _stored_pieces(tensor, source, PIECE_BYTES)
        return
    stored = _stored_pieces(tensor, source, VARINT_PIECE_BYTES)
    width = int(tensor.encoding.removeprefix("varint:"))
    expected = byte_count(tensor.dtype, tensor.elements)
    found = 0
    for piece in decode_varints(stored, width):
        found += len(piece)
        yield piece
    if found != expected:
        _refuse(tensor, f"holds {found // width} numbers where its shape needs {expected // width}")


def _stored_pieces(tensor: Tensor, source: Source, size: int) -> Iterator[bytes]:
    for span in tensor.spans:
        for offset in range(span.offset, span.end, size):
            yield source.read(offset, min(size, span.end - offset))


def decode_varints(pieces: Iterable[bytes], width: int) -> Iterator[bytes]:
    """Yield the low `width` bytes of each varint in a stream of bytes, cut anywhere into pieces.

    Raises:
        InvalidWeights: a varint is longer than 10 bytes, or the last one is cut off.
    """
    rest = b""
    for piece in pieces:
        data = np.frombuffer(rest + piece, dtype=np.uint8)
        ends = np.flatnonzero(data < 0x80)
        whole = int(ends[-1]) + 1 if len(ends) else 0
        rest = data[whole:].tobytes()
        if len(rest) > MAX_VARINT_BYTES:
            raise InvalidWeights(f"A number of a tensor has more than {MAX_VARINT_BYTES} bytes.")
        if whole:
            yield _low_bytes(_values(data[:whole], ends), width)
    if rest:
        raise InvalidWeights("The last number of a tensor is cut off.")


def _values(data: NDArray[np.uint8], ends: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Return the value of each varint; `ends` are the positions of their last bytes."""
    starts = np.concatenate(([0], ends[:-1] + 1))
    longest = int((ends - starts).max()) + 1
    if longest > MAX_VARINT_BYTES:
        raise InvalidWeights(f"A number of a tensor has more than {MAX_VARINT_BYTES} bytes.")
    values = np.zeros(len(ends), dtype=np.uint64)
    for index in range(longest):
        at = starts + index
        part = np.where(at <= ends, data[np.minimum(at, len(data) - 1)] & 0x7F, 0).astype(np.uint64)
        values |= part << np.uint64(7 * index)
    return values


def _low_bytes(values: NDArray[np.uint64], width: int) -> bytes:
    return values.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()


def _refuse(tensor: Tensor, problem: str) -> NoReturn:
    name = shown(tensor.name)
    raise InvalidWeights(f"Tensor '{name}' {problem}.", details={"tensor": name})
