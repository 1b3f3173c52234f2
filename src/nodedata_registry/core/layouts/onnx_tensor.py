"""One ONNX `TensorProto`: dtype, shape and where its scalars lie, inside the file or beside it.

Scalars are `raw_data`, or typed data (`float_data`, `int32_data`, …: packed floats are raw as they are,
the others are varints), or external data. Field numbers and rules: onnx.proto, `TensorProto`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nodedata_registry.core.layouts.dtypes import DTYPE_BITS, byte_count, element_count
from nodedata_registry.core.layouts.protobuf import BYTES, FIXED32, FIXED64, VARINT, Field, Walker
from nodedata_registry.core.layouts.table import Span, Tensor, refuse, shown
from nodedata_registry.core.paths import check_path
from nodedata_registry.errors import InvalidPath

MAX_AXES = 64
MAX_SPANS = 65_536

STRING = 8
_DIMS, _TYPE, _SEGMENT, _FLOAT, _INT32, _STRING, _INT64, _NAME = 1, 2, 3, 4, 5, 6, 7, 8
_RAW, _DOUBLE, _UINT64, _EXTERNAL, _LOCATION = 9, 10, 11, 13, 14
_WIRES = {_FLOAT: FIXED32, _DOUBLE: FIXED64, _INT32: VARINT, _INT64: VARINT, _UINT64: VARINT}

# data_type -> (dtype, the field that holds its typed data)
TYPES: dict[int, tuple[str, int]] = {
    1: ("F32", _FLOAT),
    2: ("U8", _INT32),
    3: ("I8", _INT32),
    4: ("U16", _INT32),
    5: ("I16", _INT32),
    6: ("I32", _INT32),
    7: ("I64", _INT64),
    9: ("BOOL", _INT32),
    10: ("F16", _INT32),
    11: ("F64", _DOUBLE),
    12: ("U32", _UINT64),
    13: ("U64", _UINT64),
    14: ("C64", _FLOAT),
    15: ("C128", _DOUBLE),
    16: ("BF16", _INT32),
    17: ("F8_E4M3", _INT32),
    18: ("F8_E4M3FNUZ", _INT32),
    19: ("F8_E5M2", _INT32),
    20: ("F8_E5M2FNUZ", _INT32),
    21: ("U4", _INT32),
    22: ("I4", _INT32),
    23: ("F4", _INT32),
    24: ("F8_E8M0", _INT32),
    25: ("U2", _INT32),
    26: ("I2", _INT32),
}


@dataclass(slots=True)
class _Draft:
    """A tensor while its fields are being read."""

    name: str = ""
    dims: list[int] = field(default_factory=list)
    data_type: int = 0
    external: bool = False
    entries: dict[str, str] = field(default_factory=dict)
    data: dict[int, list[Span]] = field(default_factory=dict)


def read_tensor(walker: Walker, message: Span, name: str | None = None) -> Tensor | None:
    """Return the tensor of a `TensorProto`, under its own name or the given one; None for strings.

    Raises:
        InvalidWeights: unknown type, shape and data disagree, or external data that may not be followed.
    """
    draft = _Draft()
    for item in walker.fields(message, once=(_TYPE, _NAME, _RAW, _LOCATION)):
        _take(walker, draft, item)
    if name is not None:
        draft.name = name
    if draft.data_type == STRING:
        return None
    if draft.data_type not in TYPES:
        refuse(f"Tensor '{shown(draft.name)}' has the unknown data type {draft.data_type}.", draft.name)
    dtype, typed = TYPES[draft.data_type]
    shape = tuple(draft.dims)
    size_bytes = byte_count(dtype, _elements(draft.name, shape))
    if draft.external:
        return _external(draft, dtype, shape, size_bytes)
    return _inline(draft, dtype, typed, shape, size_bytes)


def _take(walker: Walker, draft: _Draft, item: Field) -> None:
    if item.number == _DIMS:
        draft.dims.extend(_signed(value) for value in walker.varints(item))
        if len(draft.dims) > MAX_AXES:
            refuse(f"A tensor has more than {MAX_AXES} axes.")
    elif item.number == _NAME:
        draft.name = walker.text(item)
    elif item.number == _TYPE:
        walker.expect(item, VARINT)
        draft.data_type = item.value
    elif item.number == _LOCATION:
        walker.expect(item, VARINT)
        draft.external = item.value == 1
    elif item.number == _EXTERNAL:
        key, value = read_entry(walker, walker.expect(item, BYTES))
        draft.entries[key] = value
    elif item.number == _SEGMENT:
        refuse("A tensor is one segment of a larger one, which ONNX never came to define.")
    elif item.number == _RAW or item.number in _WIRES:
        _take_data(walker, draft, item)


def _take_data(walker: Walker, draft: _Draft, item: Field) -> None:
    if item.wire != BYTES:
        walker.expect(item, _WIRES.get(item.number, BYTES))
    spans = draft.data.setdefault(item.number, [])
    spans.append(item.span)
    if len(spans) > MAX_SPANS:
        refuse(f"A tensor is in more than {MAX_SPANS} pieces; write its data packed or raw.")


def read_entry(walker: Walker, message: Span) -> tuple[str, str]:
    """Return key and value of a `StringStringEntryProto`."""
    texts = {
        item.number: walker.text(item) for item in walker.fields(message, once=(1, 2)) if item.number < 3
    }
    return texts.get(1, ""), texts.get(2, "")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _elements(name: str, shape: tuple[int, ...]) -> int:
    if any(axis < 0 for axis in shape):
        refuse(f"Tensor '{shown(name)}' has the negative shape {list(shape)}.", name)
    try:
        return element_count(shape)
    except OverflowError:
        refuse(f"Tensor '{shown(name)}' has a shape of more than 2**64 - 1 elements.", name)


def _inline(draft: _Draft, dtype: str, typed: int, shape: tuple[int, ...], size_bytes: int) -> Tensor:
    held = {number: spans for number, spans in draft.data.items() if any(span.length for span in spans)}
    if len(held) > 1 or not held.keys() <= {typed, _RAW}:
        refuse(f"Tensor '{shown(draft.name)}' has data that does not belong to its type {dtype}.", draft.name)
    number, spans = next(iter(held.items()), (_RAW, []))
    stored = sum(span.length for span in spans)
    encoding, fits = "raw", stored == size_bytes
    if number != _RAW and _WIRES[number] == VARINT:
        # How many varints there are shows when the payload is read; here only that it can be right.
        width = max(1, DTYPE_BITS[dtype] // 8)
        encoding, fits = f"varint:{width}", size_bytes // width <= stored <= 10 * (size_bytes // width)
    if not fits:
        refuse(
            f"Tensor '{shown(draft.name)}' ({dtype}, shape {list(shape)}) needs {size_bytes} bytes, "
            f"its data has {stored}.",
            draft.name,
        )
    return Tensor(draft.name, dtype, shape, tuple(span for span in spans if span.length), encoding)


def _external(draft: _Draft, dtype: str, shape: tuple[int, ...], size_bytes: int) -> Tensor:
    name = draft.name
    if any(span.length for spans in draft.data.values() for span in spans):
        refuse(f"Tensor '{shown(name)}' is external and has data in the file as well.", name)
    location = _location(name, draft.entries.get("location", ""))
    offset = _number(name, draft.entries.get("offset", "0"))
    length = _number(name, draft.entries.get("length", str(size_bytes)))
    if length != size_bytes:
        refuse(
            f"Tensor '{shown(name)}' ({dtype}, shape {list(shape)}) needs {size_bytes} bytes, "
            f"its external data has {length}.",
            name,
        )
    spans = (Span(offset, length),) if length else ()
    return Tensor(name, dtype, shape, spans, "external", location)


def _location(name: str, location: str) -> str:
    """Return the path of external data; it may not leave the folder of the file (CVE-2022-25882)."""
    try:
        return check_path(location.removeprefix("./"))
    except InvalidPath as error:
        refuse(
            f"Tensor '{shown(name)}' has external data at '{shown(location)}', which may not be followed: "
            f"{error.message}",
            name,
        )


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        refuse(f"Tensor '{shown(name)}' has external data with the offset or length '{shown(text)}'.", name)
    return int(text)
