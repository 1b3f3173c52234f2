"""How a file is cut into blocks: along its tensors, so that what did not change keeps its blocks.

    [0, first tensor)           the header: a block of its own, every 4 MiB
    tensor of >= 256 KiB        cut at its start, then every 4 MiB from there
    run of smaller pieces       grouped until the next would pass 256 KiB
    no tensors known            every 4 MiB

Inside a large tensor, boundaries depend on nothing but where the tensor starts: when the header grows,
every tensor block keeps its bytes and so its digest. What lies between tensors (protobuf fields, padding)
counts as a piece like a tensor. Client and server cut by this same function; `CUT` names the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nodedata_registry.core.layouts.table import Span, Tensor

CUT = 1
BLOCK_BYTES = 4 * 1024 * 1024
GROUP_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a file, addressed by its BLAKE3 (64 hex); a file is the concatenation of its blocks."""

    digest: str
    size_bytes: int


def cut(size_bytes: int, tensors: Sequence[Tensor] = ()) -> tuple[Span, ...]:
    """Return the spans of the blocks of a file: in order, covering [0, size_bytes) exactly.

    `tensors` is the file's own table; tensors that lie in another file do not count. An empty file has no
    blocks. Deterministic; O(n log n) in the number of tensor spans.

    >>> cut(10), cut(0)
    ((Span(offset=0, length=10),), ())
    >>> [span.length for span in cut(5 * 1024 * 1024)]
    [4194304, 1048576]
    """
    spans = _own_spans(size_bytes, tensors)
    header_bytes = spans[0].offset if spans else size_bytes
    return tuple(_split(Span(0, header_bytes))) + tuple(_blocks(_pieces(spans, size_bytes)))


def _own_spans(size_bytes: int, tensors: Sequence[Tensor]) -> list[Span]:
    """Return the tensors' spans sorted, without empty, overlapping and outside ones."""
    kept: list[Span] = []
    end = 0
    for span in sorted(s for tensor in tensors if tensor.external is None for s in tensor.spans):
        if span.length > 0 and span.offset >= end and span.end <= size_bytes:
            kept.append(span)
            end = span.end
    return kept


def _pieces(spans: Sequence[Span], size_bytes: int) -> Iterator[Span]:
    """Yield the spans and the gaps after each of them, the last gap up to the end of the file."""
    following = [span.offset for span in spans[1:]] + [size_bytes]
    for span, start in zip(spans, following, strict=bool(spans)):
        yield span
        if start > span.end:
            yield Span(span.end, start - span.end)


def _blocks(pieces: Iterable[Span]) -> Iterator[Span]:
    start = end = 0
    for piece in pieces:
        large = piece.length >= GROUP_BYTES
        if end > start and (large or piece.end - start > GROUP_BYTES):
            yield Span(start, end - start)
            start = end
        if large:
            yield from _split(piece)
            start = piece.end
        elif end <= start:
            start = piece.offset
        end = piece.end
    if end > start:
        yield Span(start, end - start)


def _split(span: Span) -> Iterator[Span]:
    for offset in range(span.offset, span.end, BLOCK_BYTES):
        yield Span(offset, min(BLOCK_BYTES, span.end - offset))
