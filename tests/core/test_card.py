from __future__ import annotations

import pytest

from nodedata_registry.core.benchmarks import Benchmark
from nodedata_registry.core.card import Card, find_card_path, parse_card, starter_card
from nodedata_registry.core.schema import Schema, TensorSpec
from nodedata_registry.errors import CardRequired, InvalidCard


def card(front: str, text: str = "") -> Card:
    return parse_card("README.md", f"---\n{front}\n---\n{text}".encode())


def refusal(front: str) -> InvalidCard:
    with pytest.raises(InvalidCard) as caught:
        card(front)
    return caught.value


def test_a_full_card_is_read() -> None:
    read = card(
        """license: apache-2.0
name: Grasp policy
framework: pytorch
task: grasping
authors: [A. Example, B. Example]
training_data: {set: grasps, revision: 3}
benchmarks:
  - {name: pick, metric: success_rate, value: 9e-1, n: 400, stderr: 0.015,
     higher_is_better: true, unit: share}
inputs:
  - observation: {shape: [batch, 93], dtype: float32, description: proprioception}
  - command: {shape: [3], optional: true}
outputs: {action: {shape: [-1, 2], names: [hip, knee]}}
entry: policy.onnx
tags: [robotics]""",
        "# Grasp\n",
    )
    assert (read.license, read.title, read.framework, read.task) == (
        "Apache-2.0",
        "Grasp policy",
        "pytorch",
        "grasping",
    )
    assert read.authors == ("A. Example", "B. Example")
    assert read.training_data == {"set": "grasps", "revision": 3}
    assert read.benchmarks == (Benchmark("pick", "success_rate", 0.9, True, "share", 400, 0.015),)
    assert read.schema == Schema(
        (
            TensorSpec("observation", ("batch", 93), "F32", description="proprioception"),
            TensorSpec("command", (3,), optional=True),
        ),
        (TensorSpec("action", (-1, 2), names=("hip", "knee")),),
        inputs_by_card=True,
        outputs_by_card=True,
    )
    assert (read.entry, read.extra, read.text) == ("policy.onnx", {"tags": ["robotics"]}, "# Grasp\n")


def test_only_a_licence_is_required() -> None:
    assert card("license: mit") == Card("README.md", "MIT")


def test_empty_optional_keys_count_as_absent() -> None:
    assert card("license: mit\nname:\ntask: ~\nauthors:\nbenchmarks:\ninputs:") == Card("README.md", "MIT")


def test_the_order_of_inputs_is_kept_in_a_map_and_in_a_list() -> None:
    for inputs in ("{b: [1], a: [2]}", "[{b: [1]}, {a: [2]}]"):
        schema = card(f"license: mit\ninputs: {inputs}").schema
        assert schema is not None
        assert schema.inputs is not None
        assert [spec.name for spec in schema.inputs] == ["b", "a"]


def test_windows_line_ends_and_a_byte_order_mark_are_read() -> None:
    data = "\ufeff---\r\nlicense: mit\r\n---\r\n# A\r\n".encode()
    assert parse_card("README.md", data).text == "# A\n"


def test_other_with_a_name_becomes_a_reference() -> None:
    assert card("license: other\nlicense_name: acme-research").license == "LicenseRef-acme-research"


def test_other_without_a_name_is_refused() -> None:
    assert refusal("license: other").field == "license_name"


def test_a_list_of_one_licence_is_that_licence() -> None:
    assert card("license: [mit]").license == "MIT"


def test_a_list_of_licences_is_refused_with_what_to_write() -> None:
    error = refusal("license: [mit, apache-2.0]")
    assert error.field == "license"
    assert "MIT OR Apache-2.0" in error.message


@pytest.mark.parametrize("front", ["task: grasping", "license:", "license: ''", ""])
def test_a_card_without_a_licence_is_refused(front: str) -> None:
    error = refusal(front)
    assert error.field == "license"
    assert "license: apache-2.0" in error.message


@pytest.mark.parametrize(
    ("front", "field"),
    [
        ("license: 2", "license"),
        ("name: 3", "name"),
        ("task: [a]", "task"),
        ("framework: true", "framework"),
        ("authors: {a: 1}", "authors"),
        ("authors: [1]", "authors[0]"),
        ("entry: 7", "entry"),
        ("benchmarks: {name: a}", "benchmarks"),
        ("benchmarks: [x]", "benchmarks[0]"),
        ("benchmarks: [{metric: m, value: 1}]", "benchmarks[0].name"),
        ("benchmarks: [{name: a, metric: m}]", "benchmarks[0].value"),
        ("benchmarks: [{name: a, metric: m, value: high}]", "benchmarks[0].value"),
        ("benchmarks: [{name: a, metric: m, value: .nan}]", "benchmarks[0].value"),
        ("benchmarks: [{name: a, metric: m, value: true}]", "benchmarks[0].value"),
        ("benchmarks: [{name: a, metric: m, value: 1, n: 0}]", "benchmarks[0].n"),
        ("benchmarks: [{name: a, metric: m, value: 1, n: 1.5}]", "benchmarks[0].n"),
        ("benchmarks: [{name: a, metric: m, value: 1, stderr: -1}]", "benchmarks[0].stderr"),
        (
            "benchmarks: [{name: a, metric: m, value: 1, higher_is_better: no}]",
            "benchmarks[0].higher_is_better",
        ),
        ("benchmarks: [{name: a, metric: m, value: 1}, {name: a, metric: m, value: 2}]", "benchmarks[1]"),
        ("inputs: 3", "inputs"),
        ("inputs: [a]", "inputs[0]"),
        ("inputs: [{a: [1], b: [1]}]", "inputs[0]"),
        ("inputs: [{a: [1]}, {a: [1]}]", "inputs.a"),
        ("inputs: {a: 93}", "inputs.a"),
        ("inputs: {a: {dtype: f32}}", "inputs.a.shape"),
        ("inputs: {a: [1.5]}", "inputs.a[0]"),
        ("inputs: {a: [-2]}", "inputs.a[0]"),
        ("inputs: {a: ['93']}", "inputs.a[0]"),
        ("inputs: {a: [true]}", "inputs.a[0]"),
        ("outputs: {a: {shape: [2], names: [x]}}", "outputs.a.names"),
        ("outputs: {a: {shape: [2], names: x}}", "outputs.a.names"),
        ("outputs: {a: {shape: [2], optional: maybe}}", "outputs.a.optional"),
        ("outputs: {a: {shape: [2], dtype: 32}}", "outputs.a.dtype"),
    ],
)
def test_a_wrong_type_is_refused_by_the_name_of_its_key(front: str, field: str) -> None:
    licensed = front if front.startswith("license") else f"license: mit\n{front}"
    assert refusal(licensed).field == field


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# Grasp\n",
        b"---\nlicense: mit\n",
        b"--- license: mit ---",
        b"---\n- a\n---\n",
        b"\n---\nlicense: mit\n---\n",
    ],
)
def test_a_card_without_front_matter_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidCard, match="`---`") as caught:
        parse_card("README.md", data)
    assert caught.value.field == "front_matter"


def test_a_card_of_five_megabytes_is_refused() -> None:
    with pytest.raises(InvalidCard, match="5,000,000 bytes"):
        parse_card("README.md", b"---\nlicense: mit\n---\n".ljust(5_000_000, b"x"))


def test_front_matter_beyond_its_limit_is_refused() -> None:
    assert "at most" in refusal("license: mit\nx: " + "a" * 70_000).message


@pytest.mark.parametrize("data", [b"---\nlicense: mit\n---\n\xff", b"---\nlicense: mit\n---\nA\0B"])
def test_a_card_that_is_not_utf8_text_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidCard, match="UTF-8") as caught:
        parse_card("README.md", data)
    assert caught.value.field == "README.md"


def test_script_in_the_markdown_is_kept_as_text() -> None:
    assert card("license: mit", "<script>alert(1)</script>").text == "<script>alert(1)</script>"


def test_a_later_rule_between_paragraphs_belongs_to_the_text() -> None:
    assert card("license: mit", "a\n\n---\n\nb").text == "a\n\n---\n\nb"


def test_model_card_wins_over_readme() -> None:
    assert find_card_path(["README.md", "model_card.md"]) == "model_card.md"
    assert find_card_path(["a/model_card.md", "README.md"]) == "README.md"


def test_a_revision_without_a_card_is_told_how_to_make_one() -> None:
    with pytest.raises(CardRequired, match="node-data model init"):
        find_card_path(["readme.md", "docs/README.md"])


def test_the_starter_card_passes_every_check() -> None:
    read = parse_card("model_card.md", starter_card("Grasp policy", license="mit").encode())
    assert (read.title, read.license) == ("Grasp policy", "MIT")


def test_the_starter_card_is_valid_with_its_hashes_removed() -> None:
    lines = (
        starter_card("x")
        .replace("\n# ", "\n")
        .replace("An SPDX", "# An SPDX")
        .replace("Remove the", "# Remove the")
    )
    read = parse_card("model_card.md", lines.encode())
    assert read.schema is not None
    assert len(read.benchmarks) == 1
