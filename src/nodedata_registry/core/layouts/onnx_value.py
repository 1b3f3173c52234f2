"""One ONNX `ValueInfoProto`: the name, dtype and shape of a graph's input or output.

Field numbers: onnx.proto, `ValueInfoProto`, `TypeProto`, `TensorShapeProto`.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodedata_registry.core.layouts.onnx_tensor import MAX_AXES, STRING, TYPES
from nodedata_registry.core.layouts.protobuf import BYTES, VARINT, Field, Walker
from nodedata_registry.core.layouts.table import Span, refuse
from nodedata_registry.core.schema import UNNAMED, Axis, TensorSpec

UNRANKED: tuple[Axis, ...] = ("...",)
"""The shape of a value whose rank is not stated: one symbol that stands for any axes."""

_NAME, _TYPE = 1, 2
_TENSOR, _SEQUENCE, _MAP, _OPAQUE, _SPARSE, _OPTIONAL = 1, 4, 5, 7, 8, 9
_OTHERS = {_SEQUENCE: "SEQUENCE", _MAP: "MAP", _OPAQUE: "OPAQUE"}
_MAX_OPTIONALS = 8


@dataclass(frozen=True, slots=True)
class _Type:
    dtype: str | None = None
    shape: tuple[Axis, ...] = UNRANKED
    optional: bool = False


def read_value(walker: Walker, message: Span) -> TensorSpec:
    """Return what a `ValueInfoProto` states; raises InvalidWeights where it is malformed."""
    name, found = "", _Type()
    for item in walker.fields(message, once=(_NAME, _TYPE)):
        if item.number == _NAME:
            name = walker.text(item)
        elif item.number == _TYPE:
            found = _type(walker, walker.expect(item, BYTES), 0)
    if not name:
        refuse(f"The input or output at byte {message.offset} has no name.")
    return TensorSpec(name, found.shape, found.dtype, found.optional)


def _type(walker: Walker, message: Span, depth: int) -> _Type:
    if depth > _MAX_OPTIONALS:
        refuse(f"More than {_MAX_OPTIONALS} optional types stand inside each other.")
    found = _Type()
    for item in walker.fields(message, once=(_TENSOR, _SPARSE, _OPTIONAL)):
        if item.number in (_TENSOR, _SPARSE):
            found = _tensor(walker, walker.expect(item, BYTES))
        elif item.number in _OTHERS:
            found = _Type(_OTHERS[item.number], ())
        elif item.number == _OPTIONAL:
            inner = _inner(walker, walker.expect(item, BYTES), depth)
            found = _Type(inner.dtype, inner.shape, True)
    return found


def _inner(walker: Walker, message: Span, depth: int) -> _Type:
    for item in walker.fields(message, once=(1,)):
        if item.number == 1:
            return _type(walker, walker.expect(item, BYTES), depth + 1)
    return _Type()


def _tensor(walker: Walker, message: Span) -> _Type:
    dtype: str | None = None
    shape = UNRANKED
    for item in walker.fields(message, once=(1, 2)):
        if item.number == 1:
            walker.expect(item, VARINT)
            dtype = _dtype(item.value)
        elif item.number == 2:
            shape = _shape(walker, walker.expect(item, BYTES))
    return _Type(dtype, shape)


def _dtype(data_type: int) -> str | None:
    if data_type == STRING:
        return "STRING"
    if data_type and data_type not in TYPES:
        refuse(f"An input or output has the unknown data type {data_type}.")
    return TYPES[data_type][0] if data_type else None


def _shape(walker: Walker, message: Span) -> tuple[Axis, ...]:
    axes = [_axis(walker, item) for item in walker.fields(message) if item.number == 1]
    if len(axes) > MAX_AXES:
        refuse(f"An input or output has more than {MAX_AXES} axes.")
    return tuple(axes)


def _axis(walker: Walker, dimension: Field) -> Axis:
    """Return a size, a symbol, or -1 where the file leaves the axis open (also by a negative size)."""
    axis: Axis = UNNAMED
    for item in walker.fields(walker.expect(dimension, BYTES), once=(1, 2)):
        if item.number == 1:
            walker.expect(item, VARINT)
            axis = item.value if item.value < 2**63 else UNNAMED
        elif item.number == 2:
            axis = walker.text(item)[:256].strip() or UNNAMED
    return axis
