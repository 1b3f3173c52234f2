from __future__ import annotations

import json

import pytest

from nodedata_registry.core.facts import read_file_facts
from nodedata_registry.core.layouts import BytesSource
from nodedata_registry.core.layouts.lerobot import MAX_CONFIG_BYTES, read
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.core.schema import Schema, TensorSpec
from nodedata_registry.errors import InvalidWeights

ACT = {
    "type": "act",
    "input_features": {
        "observation.images.top": {"type": "VISUAL", "shape": [3, 480, 640]},
        "observation.state": {"type": "STATE", "shape": [14]},
    },
    "output_features": {"action": {"type": "ACTION", "shape": [14]}},
}


def schema_of(config: object) -> Schema | None:
    return read(BytesSource(json.dumps(config).encode())).schema


def test_features_are_inputs_and_outputs_by_name() -> None:
    assert schema_of(ACT) == Schema(
        inputs=(
            TensorSpec("observation.images.top", (3, 480, 640)),
            TensorSpec("observation.state", (14,)),
        ),
        outputs=(TensorSpec("action", (14,)),),
    )


def test_the_order_in_which_a_config_was_written_means_nothing() -> None:
    features = {"b": {"shape": [2]}, "a": {"shape": [1]}}
    backwards = dict(reversed(features.items()))
    said = [schema_of({"input_features": each}) for each in (features, backwards)]
    assert said[0] == said[1] is not None


def test_the_kind_of_policy_is_metadata() -> None:
    assert read(BytesSource(json.dumps(ACT).encode())).metadata == {"type": "act"}


def test_a_side_without_features_states_nothing() -> None:
    assert schema_of({"output_features": {"action": {"shape": [7]}}, "input_features": None}) == Schema(
        inputs=None, outputs=(TensorSpec("action", (7,)),)
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"model_type": "bert"}',
        b"[" * 200_000,
        b'{"input_features": null}',
        b" " * (MAX_CONFIG_BYTES + 1),
    ],
)
def test_another_config_states_nothing(data: bytes) -> None:
    assert read(BytesSource(data)).schema is None


@pytest.mark.parametrize(
    "features",
    [
        [],
        "action",
        {"action": {}},
        {"action": [14]},
        {"action": {"shape": "14"}},
        {"action": {"shape": [14.0]}},
        {"action": {"shape": [-1]}},
        {"action": {"shape": [True]}},
    ],
)
def test_features_without_shapes_are_refused(features: object) -> None:
    with pytest.raises(InvalidWeights):
        schema_of({"input_features": features})


def test_only_a_file_named_config_json_is_read() -> None:
    data = json.dumps(ACT).encode()
    for path, states in (("config.json", True), ("policy/config.json", True), ("train_config.json", False)):
        facts = read_file_facts(FileEntry(path, len(data), "0" * 64), BytesSource(data))
        assert (facts.schema is not None) == states
