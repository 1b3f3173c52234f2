"""What a LeRobot policy's `config.json` states: its input and output features.

    {"input_features": {"observation.state": {"type": "STATE", "shape": [14]}, …}, "output_features": {…}}

Shapes are those of one sample, without a batch axis. Features are passed by name, so their order means
nothing and is made alphabetical. A `config.json` without both keys, or one that is no
JSON object, is an ordinary file and states nothing. Source: lerobot, `PreTrainedConfig`, `PolicyFeature`.
"""

from __future__ import annotations

import json

from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.layouts.table import Layout, refuse, shown
from nodedata_registry.core.schema import Schema, TensorSpec

MAX_CONFIG_BYTES = 1024 * 1024
_INPUTS, _OUTPUTS = "input_features", "output_features"


def read(source: Source) -> Layout:
    """Return a layout without tensors whose schema is what the config states, or None.

    Raises:
        InvalidWeights: it has features, but their names or shapes are malformed.
    """
    if source.size_bytes > MAX_CONFIG_BYTES:
        return Layout("config")
    config = _parse(source.read(0, source.size_bytes))
    if config.get(_INPUTS) is None and config.get(_OUTPUTS) is None:
        return Layout("config")
    schema = Schema(_features(config, _INPUTS), _features(config, _OUTPUTS))
    kind = config.get("type")
    return Layout("config", schema=schema, metadata={"type": kind} if isinstance(kind, str) else {})


def _parse(data: bytes) -> dict[str, object]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _features(config: dict[str, object], key: str) -> tuple[TensorSpec, ...] | None:
    features = config.get(key)
    if features is None:
        return None
    if not isinstance(features, dict):
        refuse(f"`{key}` is not a map of feature names to shapes.")
    return tuple(_feature(key, str(name), feature) for name, feature in sorted(features.items()))


def _feature(key: str, name: str, feature: object) -> TensorSpec:
    shape = feature.get("shape") if isinstance(feature, dict) else None
    if not isinstance(shape, list) or not all(type(axis) is int and axis >= 0 for axis in shape):
        refuse(f"`{key}` gives '{shown(name)}' no shape of whole numbers.", name)
    return TensorSpec(name, tuple(shape))
