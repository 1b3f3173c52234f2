"""The `inputs` and `outputs` of a card, read into a `Schema`.

    inputs:                                     inputs:
      observation: [batch, 93]                    - observation: [batch, 93]
      command: {shape: [3], optional: true}       - command: {shape: [3], optional: true}

A map or a list of one-key maps; the order is kept in both. Keys of a tensor's map: `shape`, `dtype`,
`optional`, `names` (one for each element of the last axis), `description`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nodedata_registry.core.card_fields import (
    kind,
    mapping,
    optional_flag,
    optional_text,
    refuse,
    text,
    texts,
)
from nodedata_registry.core.schema import UNNAMED, Axis, Schema, TensorSpec, canonical_dtype
from nodedata_registry.core.yaml12 import Json
from nodedata_registry.errors import InvalidCard

_SIZES = "a whole number, -1 (any size) or a symbol such as batch"


def read_schema(keys: Mapping[str, Json]) -> Schema | None:
    """Return what the front matter's `inputs` and `outputs` state; None if neither states anything.

    Raises:
        InvalidCard: a wrong type or shape; `field` is the key, such as `inputs.observation.shape`.
    """
    inputs = _read_side(keys.get("inputs"), "inputs")
    outputs = _read_side(keys.get("outputs"), "outputs")
    if inputs is None and outputs is None:
        return None
    return Schema(inputs, outputs, inputs_by_card=inputs is not None, outputs_by_card=outputs is not None)


def _read_side(value: Json, side: str) -> tuple[TensorSpec, ...] | None:
    if value is None:
        return None
    specs: dict[str, TensorSpec] = {}
    for name, stated in _named(value, side):
        key = f"{side}.{name}"
        if name in specs:
            raise InvalidCard(f"`{side}` names {name!r} twice; keep one of them", field=key)
        if not name.strip() or not name.isprintable():
            raise InvalidCard(f"`{side}` has a tensor without a printable name; name it", field=side)
        specs[name] = _read_tensor(name, stated, key)
    return tuple(specs.values())


def _named(value: Json, side: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield from value.items()
        return
    if not isinstance(value, list):
        raise refuse(side, "a map, or a list of one-key maps, of name and shape", value)
    for index, item in enumerate(value):
        if not isinstance(item, dict) or len(item) != 1:
            raise refuse(f"{side}[{index}]", "a map of one name, such as `observation: [1, 93]`", item)
        yield from item.items()


def _read_tensor(name: str, value: Json, key: str) -> TensorSpec:
    if isinstance(value, list):
        return TensorSpec(name, _read_shape(value, key))
    if not isinstance(value, dict):
        raise refuse(key, "a shape such as [1, 93], or a map with `shape`", value)
    shape = _read_shape(mapping(value, key).get("shape"), f"{key}.shape")
    dtype = optional_text(value.get("dtype"), f"{key}.dtype")
    names = value.get("names")
    return TensorSpec(
        name=name,
        shape=shape,
        dtype=None if dtype is None else canonical_dtype(dtype),
        optional=bool(optional_flag(value.get("optional"), f"{key}.optional")),
        names=None if names is None else _read_names(names, shape, f"{key}.names"),
        description=optional_text(value.get("description"), f"{key}.description"),
    )


def _read_shape(value: Json, key: str) -> tuple[Axis, ...]:
    if not isinstance(value, list):
        raise refuse(key, "a list of axes such as [1, 93]", value)
    return tuple(_read_axis(axis, f"{key}[{index}]") for index, axis in enumerate(value))


def _read_axis(value: Json, key: str) -> Axis:
    if isinstance(value, int) and not isinstance(value, bool) and value >= UNNAMED:
        return value
    if not isinstance(value, str):
        raise refuse(key, _SIZES, value)
    symbol = text(value, key)
    if symbol.lstrip("+-").isdigit():
        raise InvalidCard(f"`{key}` must be {_SIZES}, but is {kind(value)}; remove the quotes", field=key)
    return symbol


def _read_names(value: Json, shape: tuple[Axis, ...], key: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise refuse(key, "a list with a name for each element of the last axis", value)
    names = texts(value, key)
    last = shape[-1] if shape else 0
    if isinstance(last, int) and last not in (UNNAMED, len(names)):
        raise InvalidCard(
            f"`{key}` has {len(names)} names, but the last axis has {last} elements; give one for each",
            field=key,
        )
    return names
