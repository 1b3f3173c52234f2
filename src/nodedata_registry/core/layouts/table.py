"""The tensor table of a weight file: what a reader gives for every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, NoReturn

from nodedata_registry.core.layouts.dtypes import element_count
from nodedata_registry.core.schema import Schema
from nodedata_registry.errors import InvalidWeights

MAX_TENSORS = 100_000
METADATA_ITEMS = 256
METADATA_VALUE_CHARS = 8192


class Span(NamedTuple):
    """A range of bytes in a file: [offset, offset + length)."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The first byte after the range."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named tensor and where its bytes lie.

    `dtype` is a name of `DTYPE_BITS`. `spans` are read one after the other; an empty tensor has none.
    `encoding` says what the bytes are: `raw` (packed little-endian scalars), `varint:N` (protobuf varints,
    each cut to its low N bytes), `external` (raw, in the file named by `external`, which is relative to the
    folder of the file that names it). `digest` is the BLAKE3 of the canonical bytes (packed little-endian
    scalars), filled in at publish.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    spans: tuple[Span, ...]
    encoding: str = "raw"
    external: str | None = None
    digest: str | None = None

    @property
    def elements(self) -> int:
        """The number of scalars."""
        return element_count(self.shape)

    @property
    def stored_bytes(self) -> int:
        """The length of its spans in bytes."""
        return sum(span.length for span in self.spans)

    def stored_in(self, path: str) -> str:
        """Return the path of the file that holds the bytes, for a table read from the file at `path`."""
        if self.external is None:
            return path
        folder, slash, _ = path.rpartition("/")
        return folder + slash + self.external

    def with_digest(self, digest: str) -> Tensor:
        """Return the same tensor with the digest of its canonical bytes."""
        return replace(self, digest=digest)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a reader learns from a file's header: its tensors, sorted by where they lie, and its metadata.

    `header_bytes` is the length of what precedes the first tensor (0 for formats without a header of their
    own). `schema` is what the file states about inputs and outputs, or None. `pickled`: loading may run code.
    """

    format: str
    tensors: tuple[Tensor, ...] = ()
    header_bytes: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    schema: Schema | None = None
    pickled: bool = False


def refuse(message: str, tensor: str | None = None) -> NoReturn:
    """Raise InvalidWeights for the file being read; the name of the file is added by the caller."""
    if tensor is None:
        raise InvalidWeights(message)
    raise InvalidWeights(message, details={"tensor": shown(tensor)})


def shown(name: str) -> str:
    """Return a tensor name fit for a message: escaped and at most 200 characters.

    >>> shown("a" * 300)[-5:]
    'aaaa…'
    """
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= 200 else text[:199] + "…"


def kept_metadata(items: Mapping[str, str]) -> dict[str, str]:
    """Return the first 256 entries with values of at most 8,192 characters: files embed whole robots."""
    kept: dict[str, str] = {}
    for key, value in items.items():
        if len(kept) == METADATA_ITEMS:
            break
        if len(key) <= 256 and len(value) <= METADATA_VALUE_CHARS:
            kept[key] = value
    return kept
