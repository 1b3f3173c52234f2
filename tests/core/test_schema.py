from __future__ import annotations

import pytest

from nodedata_registry.core.card_schema import read_schema
from nodedata_registry.core.schema import (
    Schema,
    TensorSpec,
    canonical_dtype,
    check_entry,
    described_path,
    join,
)
from nodedata_registry.core.schema_findings import compare
from nodedata_registry.core.yaml12 import parse_yaml
from nodedata_registry.errors import InvalidCard, SchemaMismatch
from tests.core.revision_builder import file_schema


def card_schema(text: str) -> Schema:
    keys = parse_yaml(text)
    assert isinstance(keys, dict)
    schema = read_schema(keys)
    assert schema is not None
    return schema


def joined(card: str, file: str) -> TensorSpec:
    schema = join(card_schema(f"inputs: {{x: {card}}}"), file_schema(f"inputs: {{x: {file}}}"))
    assert schema is not None
    assert schema.inputs is not None
    return schema.inputs[0]


def codes(before: Schema, after: Schema) -> list[str]:
    return [found.code for found in compare(before, after)]


@pytest.mark.parametrize(
    "text", ["float32", "F32", "fp32", "tensor(float)", "torch.float32", "np.float32", " Float "]
)
def test_every_spelling_of_a_dtype_is_one_dtype(text: str) -> None:
    assert canonical_dtype(text) == "F32"


@pytest.mark.parametrize("card", ["[93]", "[1, 93]", "[batch, 93]", "[-1, 93]"])
def test_a_card_agrees_with_a_dynamic_leading_axis_of_the_file(card: str) -> None:
    file = "[N, 93]"
    if card == "[1, 93]":
        with pytest.raises(SchemaMismatch):
            joined(card, file)
    else:
        assert joined(card, file).shape == ("N", 93)


def test_a_card_may_leave_out_a_leading_axis_of_one() -> None:
    assert joined("[93]", "[1, 93]").shape == (1, 93)


def test_a_card_may_not_leave_out_a_leading_axis_of_two() -> None:
    with pytest.raises(SchemaMismatch):
        joined("[93]", "[2, 93]")


def test_a_card_may_not_leave_out_two_axes() -> None:
    with pytest.raises(SchemaMismatch):
        joined("[93]", "[1, 1, 93]")


def test_the_card_adds_what_the_file_leaves_open() -> None:
    spec = joined("{shape: [batch, 2], dtype: f32, names: [a, b], description: d}", "[-1, 2]")
    assert spec == TensorSpec("x", ("batch", 2), "F32", names=("a", "b"), description="d")


def test_the_names_of_the_card_win_over_those_of_the_file() -> None:
    assert joined("{shape: [2], names: [a, b]}", "{shape: [1, 2], names: [c, d]}").names == ("a", "b")


def test_a_mismatch_shows_both_sides() -> None:
    card, file = card_schema("inputs: {observation: [100]}"), file_schema("inputs: {observation: [1, 93]}")
    with pytest.raises(SchemaMismatch) as caught:
        join(card, file, path="policy.onnx")
    message = caught.value.message
    assert "policy.onnx" in message
    assert "observation [100]" in message
    assert "observation [1, 93]" in message
    assert caught.value.details["card_states"] == ["observation [100]"]


@pytest.mark.parametrize(
    ("card", "file"),
    [
        ("inputs: {x: [1]}", "inputs: {y: [1]}"),
        ("inputs: {x: [1]}", "inputs: {x: [1], y: [1]}"),
        ("inputs: {x: {shape: [1], dtype: f32}}", "inputs: {x: {shape: [1], dtype: f16}}"),
        ("outputs: {x: {shape: [n], names: [a]}}", "outputs: {x: [n, 2]}"),
        ("outputs: {x: [3, 3]}", "outputs: {x: [3, 4]}"),
    ],
)
def test_card_and_file_that_disagree_are_refused(card: str, file: str) -> None:
    with pytest.raises(SchemaMismatch):
        join(card_schema(card), file_schema(file))


def test_a_side_that_only_the_card_states_is_marked_so() -> None:
    schema = join(card_schema("outputs: {a: [29]}"), file_schema("inputs: {x: [1, 93]}"))
    assert schema is not None
    assert (schema.inputs_by_card, schema.outputs_by_card) == (False, True)


def test_nothing_stated_gives_no_schema() -> None:
    assert join(None, None) is None


def test_the_entry_decides_which_file_the_card_describes() -> None:
    assert described_path("b.onnx", ["a.onnx", "b.onnx"]) == "b.onnx"
    assert described_path(None, ["a.onnx"]) == "a.onnx"
    assert described_path(None, ["a.onnx", "b.onnx"]) is None
    assert described_path("c.bin", ["a.onnx"]) is None


def test_an_entry_that_is_no_file_is_refused() -> None:
    with pytest.raises(InvalidCard, match=r"policy\.onnx") as caught:
        check_entry("policy.onnx", ["model.onnx"])
    assert caught.value.field == "entry"


def test_a_card_alone_and_a_file_compare_without_the_batch_axis() -> None:
    card, file = card_schema("inputs: {x: [93]}"), file_schema("inputs: {x: [N, 93]}")
    assert codes(card, file) == []
    assert codes(file, card) == []


def test_two_cards_compare_with_every_axis() -> None:
    assert codes(card_schema("inputs: {x: [93]}"), card_schema("inputs: {x: [1, 93]}")) == [
        "input_shape_changed"
    ]


def test_a_shape_finding_shows_both_shapes() -> None:
    found = compare(
        file_schema("inputs: {observation: [1, 93]}"), file_schema("inputs: {observation: [1, 100]}")
    )
    assert [item.message for item in found] == ["input `observation` changed shape from [1, 93] to [1, 100]"]


def test_a_renamed_input_is_not_a_removed_and_an_added_one() -> None:
    assert codes(file_schema("inputs: {a: [3]}"), file_schema("inputs: {b: [3]}")) == ["input_renamed"]


def test_a_renamed_input_of_another_shape_is_a_removed_and_an_added_one() -> None:
    found = codes(file_schema("inputs: {a: [3]}"), file_schema("inputs: {b: [4]}"))
    assert found == ["input_removed", "required_input_added"]


def test_symbols_are_compared_up_to_renaming() -> None:
    before = file_schema("inputs: {a: [N, 3], b: [N, M]}\noutputs: {c: [M]}")
    after = file_schema("inputs: {a: [x, 3], b: [x, N]}\noutputs: {c: [N]}")
    assert codes(before, after) == []


def test_an_output_that_no_longer_shares_the_batch_of_its_input_changed() -> None:
    before = file_schema("inputs: {a: [N, 3]}\noutputs: {c: [N]}")
    after = file_schema("inputs: {a: [N, 3]}\noutputs: {c: [M]}")
    assert codes(before, after) == ["output_shape_changed"]


def test_unnamed_axes_are_not_equal_to_tied_ones() -> None:
    before = file_schema("inputs: {a: [-1, 3], b: [-1, 3]}")
    after = file_schema("inputs: {a: [N, 3], b: [N, 3]}")
    assert codes(before, after) == ["input_shape_changed"]
    assert codes(after, before) == ["input_axis_freed"]


def test_changed_joint_names_are_shown_by_position() -> None:
    before = file_schema("outputs: {q: {shape: [3], names: [hip, knee, ankle]}}")
    after = file_schema("outputs: {q: {shape: [3], names: [hip, ankle, knee]}}")
    message = compare(before, after)[0].message
    assert "element 1 was `knee` and is `ankle`" in message
    assert "2 of 3" in message
