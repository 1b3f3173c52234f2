"""The tensor table of a safetensors file, read from its header and never from its payload.

    8 bytes   N, the header's length (unsigned, little-endian)
    N bytes   {"__metadata__": {str: str}, name: {"dtype", "shape", "data_offsets": [begin, end]}, …}
    the rest  the tensors' bytes, without holes; offsets count from here

Refuses everything that the reference parser (Rust, 0.8) refuses, and also: duplicate names, whitespace
before the header, unknown fields, a table without tensors, control characters and `..` elements in names,
more than 64 axes, headers over 25 MB. Unaligned headers are accepted: writers before 0.3 made them.
The header is parsed here, not by a JSON library, so that a hostile one costs time and memory linear in
its length: nothing but this grammar is ever built. Source: the format section of safetensors' README.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import NoReturn

from nodedata_registry.core.layouts.dtypes import DTYPE_BITS, MAX_ELEMENTS, element_count
from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.layouts.table import (
    MAX_TENSORS,
    Layout,
    Span,
    Tensor,
    kept_metadata,
    refuse,
    shown,
)

MAX_HEADER_BYTES = 25_000_000
MAX_AXES = 64
DTYPES = DTYPE_BITS.keys() - {"C128", "I2", "I4", "U2", "U4"}

_METADATA = "__metadata__"
_FIELDS = ("dtype", "shape", "data_offsets")
_SPACE = re.compile(r"[ \t\n\r]*")
_WHOLE = re.compile(r"[ \t\n\r]*(0|[1-9][0-9]{0,19})(?![0-9.eE])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tensor as the header states it; `begin` and `end` count from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read(source: Source) -> Layout:
    """Return the layout of a safetensors file; reads its first 8 + N bytes only.

    Raises:
        InvalidWeights: the file is not a well-formed safetensors file.
    """
    header = _header(source)
    parser = _Header(header)
    entries = sorted(parser.parse(), key=lambda entry: (entry.begin, entry.end))
    if not entries:
        refuse("The header names no tensor.")
    start = 8 + len(header.encode())
    _check_cover(entries, source.size_bytes - start)
    return Layout(
        "safetensors",
        tensors=tuple(_tensor(entry, start) for entry in entries),
        header_bytes=start,
        metadata=kept_metadata(parser.metadata or {}),
    )


def _header(source: Source) -> str:
    if source.size_bytes < 8:
        refuse(f"The file has {source.size_bytes} bytes; a safetensors file has at least 8.")
    length = int.from_bytes(source.read(0, 8), "little")
    if length > MAX_HEADER_BYTES:
        refuse(f"The header claims {length} bytes; at most {MAX_HEADER_BYTES} are accepted.")
    if 8 + length > source.size_bytes:
        refuse(f"The header claims {length} bytes, the file has {source.size_bytes}: it is truncated.")
    try:
        return source.read(8, length).decode("utf-8")
    except UnicodeDecodeError as error:
        refuse(f"The header is not UTF-8 at byte {error.start}.")


def _tensor(entry: _Entry, start: int) -> Tensor:
    spans = (Span(start + entry.begin, entry.end - entry.begin),) if entry.end > entry.begin else ()
    return Tensor(entry.name, entry.dtype, entry.shape, spans)


def _check_cover(entries: Iterable[_Entry], data_bytes: int) -> None:
    """Check sizes, and that the tensors cover the data exactly, each starting where the one before ends."""
    previous = 0
    for entry in entries:
        if entry.begin != previous:
            what = "overlaps the tensor before it" if entry.begin < previous else "leaves a hole before it"
            refuse(
                f"Tensor '{shown(entry.name)}' starts at {entry.begin} and {what} (expected {previous}).",
                entry.name,
            )
        _check_size(entry)
        previous = entry.end
    if previous != data_bytes:
        what = "is truncated" if previous > data_bytes else "has trailing bytes"
        refuse(f"The tensors take {previous} bytes, the file holds {data_bytes} after its header: it {what}.")


def _check_size(entry: _Entry) -> None:
    try:
        bits = element_count(entry.shape) * DTYPE_BITS[entry.dtype]
    except OverflowError:
        bits = MAX_ELEMENTS + 1
    if bits > MAX_ELEMENTS:
        refuse(f"Tensor '{shown(entry.name)}' has a shape of more than 2**64 - 1 bits.", entry.name)
    if bits % 8:
        refuse(f"Tensor '{shown(entry.name)}' of dtype {entry.dtype} does not fill whole bytes.", entry.name)
    if entry.end - entry.begin != bits // 8:
        refuse(
            f"Tensor '{shown(entry.name)}' ({entry.dtype}, shape {list(entry.shape)}) needs "
            f"{bits // 8} bytes, its data_offsets give {entry.end - entry.begin}.",
            entry.name,
        )


class _Header:
    """One pass over the header's text; `tensor` is the name being read, for messages."""

    __slots__ = ("metadata", "position", "tensor", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.tensor: str | None = None
        self.metadata: dict[str, str] | None = None

    def parse(self) -> list[_Entry]:
        """Return the tensors in the order of the header; fills `metadata`."""
        if not self.text.startswith("{"):
            self._fail("it does not start with {")
        entries: dict[str, _Entry] = {}
        self._object(lambda name: self._member(name, entries))
        self._space()
        if self.position != len(self.text):
            self._fail("something follows its closing }")
        return list(entries.values())

    def _member(self, name: str, entries: dict[str, _Entry]) -> None:
        self.tensor = name
        if name == _METADATA:
            self._metadata()
        elif name in entries:
            self._fail(f"tensor '{shown(name)}' is there twice")
        elif len(entries) >= MAX_TENSORS:
            self._fail(f"more than {MAX_TENSORS} tensors")
        else:
            self._check_name(name)
            entries[name] = self._entry(name)
        self.tensor = None

    def _check_name(self, name: str) -> None:
        if _CONTROL.search(name):
            self._fail("a tensor's name holds a control character")
        if ".." in name and ".." in re.split(r"[/\\]", name):
            self._fail("a tensor's name holds a `..` element")

    def _metadata(self) -> None:
        if self.metadata is not None:
            self._fail(f"{_METADATA} is there twice")
        found: dict[str, str] = {}

        def member(key: str) -> None:
            if key in found:
                self._fail(f"{_METADATA} has a key twice")
            if len(found) >= MAX_TENSORS:
                self._fail(f"more than {MAX_TENSORS} entries in {_METADATA}")
            found[key] = self._string()

        self._object(member)
        self.metadata = found

    def _entry(self, name: str) -> _Entry:
        found: dict[str, str | tuple[int, ...]] = {}

        def member(key: str) -> None:
            if key not in _FIELDS:
                self._fail(f"tensor '{shown(name)}' has an unknown field")
            if key in found:
                self._fail(f"tensor '{shown(name)}' has {key} twice")
            found[key] = self._string() if key == "dtype" else self._integers()

        self._object(member)
        dtype, shape, offsets = (found.get(key) for key in _FIELDS)
        if not isinstance(dtype, str) or not isinstance(shape, tuple) or not isinstance(offsets, tuple):
            self._fail(f"tensor '{shown(name)}' lacks dtype, shape or data_offsets")
        if dtype not in DTYPES:
            self._fail(f"tensor '{shown(name)}' has the unknown dtype {dtype[:40]!r}")
        if len(offsets) != 2 or offsets[1] < offsets[0]:
            self._fail(f"tensor '{shown(name)}' has data_offsets that are no [begin, end]")
        return _Entry(name, dtype, shape, offsets[0], offsets[1])

    def _object(self, member: Callable[[str], None]) -> None:
        """Read an object, calling `member` with each key when its value comes next."""
        self._expect("{")
        if self._accept("}"):
            return
        while True:
            key = self._string()
            self._expect(":")
            member(key)
            if self._accept("}"):
                return
            self._expect(",")

    def _integers(self) -> tuple[int, ...]:
        self._expect("[")
        numbers: list[int] = []
        if self._accept("]"):
            return ()
        while True:
            numbers.append(self._integer())
            if self._accept("]"):
                return tuple(numbers)
            if len(numbers) == MAX_AXES:
                self._fail(f"more than {MAX_AXES} numbers in a shape")
            self._expect(",")

    def _integer(self) -> int:
        found = _WHOLE.match(self.text, self.position)
        number = int(found[1]) if found else MAX_ELEMENTS + 1
        if found is None or number > MAX_ELEMENTS:
            self._fail("expected a whole number below 2**64")
        self.position = found.end()
        return number

    def _string(self) -> str:
        self._expect('"')
        try:
            text, self.position = scanstring(self.text, self.position, True)
            text.encode("utf-8")  # refuses lone surrogates
        except ValueError:
            self._fail("a string is not well formed")
        return str(text)

    def _space(self) -> None:
        found = _SPACE.match(self.text, self.position)
        if found is not None:
            self.position = found.end()

    def _accept(self, char: str) -> bool:
        if not self.text.startswith(char, self.position):
            self._space()
            if not self.text.startswith(char, self.position):
                return False
        self.position += 1
        return True

    def _expect(self, char: str) -> None:
        if not self._accept(char):
            self._fail(f"expected {char}")

    def _fail(self, problem: str) -> NoReturn:
        refuse(f"The header is malformed at character {self.position}: {problem}.", self.tensor)
