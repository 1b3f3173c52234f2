"""A bounded walker over protobuf's wire format that never loads what it can skip.

A message is a run of fields: a varint key (number * 8 + wire type), then a varint (type 0), 8 bytes (1), a
length and that many bytes (2), or 4 bytes (5). Groups (3, 4) are refused: no format read here has them.
Bytes are read through a window of 4 to 64 KiB; a payload that is skipped is never read. Source: Protocol
Buffers, "Encoding".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.layouts.table import Span, refuse

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

MAX_FIELDS = 1_000_000
MAX_TEXT_BYTES = 65_536
_FIRST_WINDOW = 4096
_WINDOW = 65_536


class Field(NamedTuple):
    """One field: number, wire type, the value of a varint (else 0) and where its bytes lie, key excluded."""

    number: int
    wire: int
    value: int
    span: Span


class Walker:
    """Fields of the messages in one file; counts them over the whole walk.

    All methods raise InvalidWeights where the bytes are not protobuf or a limit is passed.
    """

    __slots__ = ("_fields", "_limit", "_source", "_start", "_window")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._window = b""
        self._start = 0
        self._limit = _FIRST_WINDOW
        self._fields = 0

    @property
    def whole(self) -> Span:
        """The span of the whole file."""
        return Span(0, self._source.size_bytes)

    def fields(self, message: Span, once: Collection[int] = ()) -> Iterator[Field]:
        """Yield the fields of a message in order; a number in `once` may occur one time.

        Protobuf would let a later field override or merge into an earlier one; refusing that keeps two
        readers from seeing two different files.
        """
        seen: set[int] = set()
        position = message.offset
        while position < message.end:
            field = self._field(position, message.end)
            if field.number in seen:
                refuse(f"Field {field.number} stands twice in the message at byte {message.offset}.")
            if field.number in once:
                seen.add(field.number)
            yield field
            position = field.span.end

    def _field(self, position: int, end: int) -> Field:
        self._fields += 1
        if self._fields > MAX_FIELDS:
            refuse(f"The file has more than {MAX_FIELDS} protobuf fields.")
        key, start = self.varint(position, end)
        number, wire = key >> 3, key & 7
        value, length = 0, 0
        if wire == VARINT:
            value, after = self.varint(start, end)
            length = after - start
        elif wire == BYTES:
            length, start = self.varint(start, end)
        elif wire in (FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
        else:
            refuse(f"Byte {position} starts no protobuf field: this is not the format that the name says.")
        if number == 0 or number > 0x1FFFFFFF:
            refuse(f"Byte {position} starts no protobuf field: its number is {number}.")
        if start + length > end:
            refuse(
                f"The field at byte {position} claims {length} bytes and {end - start} are left: truncated."
            )
        return Field(number, wire, value, Span(start, length))

    def varint(self, position: int, end: int) -> tuple[int, int]:
        """Return the varint at a position and the position after it; both lie before or at `end`."""
        need = min(10, end - position)
        if position < self._start or position + need > self._start + len(self._window):
            self._load(position)
        index, value = position - self._start, 0
        if need and self._window[index] < 0x80:  # nearly all of them: keys, short lengths
            return self._window[index], position + 1
        for shift in range(0, 7 * need, 7):
            byte = self._window[index]
            index += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80 and value < 2**64:
                return value, self._start + index
            if byte < 0x80:
                break
        return refuse(f"The number at byte {position} is truncated or longer than 64 bits.")

    def varints(self, field: Field) -> Iterator[int]:
        """Yield the numbers of a repeated field, packed or not."""
        if field.wire == VARINT:
            yield field.value
            return
        position = self.expect(field, BYTES).offset
        while position < field.span.end:
            value, position = self.varint(position, field.span.end)
            yield value

    def text(self, field: Field) -> str:
        """Return a string field of at most 64 KiB; raises InvalidWeights where it is longer or not UTF-8."""
        span = self.expect(field, BYTES)
        if span.length > MAX_TEXT_BYTES:
            refuse(f"The string at byte {span.offset} has {span.length} bytes, over {MAX_TEXT_BYTES}.")
        try:
            return self._bytes(span).decode("utf-8")
        except UnicodeDecodeError:
            refuse(f"The string at byte {span.offset} is not UTF-8.")

    def expect(self, field: Field, wire: int) -> Span:
        """Return the field's span if it has the wire type; raises InvalidWeights if not."""
        if field.wire != wire:
            refuse(
                f"Field {field.number} at byte {field.span.offset} has wire type {field.wire}, not {wire}."
            )
        return field.span

    def _bytes(self, span: Span) -> bytes:
        index = span.offset - self._start
        if index >= 0 and span.end <= self._start + len(self._window):
            return self._window[index : index + span.length]
        return self._source.read(span.offset, span.length)

    def _load(self, position: int) -> None:
        """Fill the window from a position: larger where reads go on, small again after a skip."""
        sequential = self._start <= position <= self._start + len(self._window)
        self._limit = min(_WINDOW, self._limit * 2) if sequential and self._window else _FIRST_WINDOW
        self._start = position
        self._window = self._source.read(position, min(self._limit, self._source.size_bytes - position))
