"""The rules by example: a parent, a candidate, the bump it needs and every finding that says so."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from nodedata_registry.core.bump import asked_bump, judge
from nodedata_registry.core.facts import RevisionFacts
from nodedata_registry.core.versions import Bump
from tests.core.revision_builder import NET, onnx, revision, safetensors

S = "model.safetensors"
OLD = {S: safetensors(fill=0)}
NEW = {S: safetensors(fill=1)}
WIDER = {S: safetensors({**NET, "head": ("F32", (2, 2))}, fill=1)}
IN = "inputs: {observation: [1, 93], command: [3]}"
OUT = "outputs: {action: [1, 29]}"
SHARDS = {
    "model-00001-of-00002.safetensors": safetensors({"w": ("F32", (4, 3))}),
    "model-00002-of-00002.safetensors": safetensors({"b": ("F32", (4,))}),
    "model.safetensors.index.json": b'{"weight_map": {}}',
}
LEROBOT = (
    b'{"input_features": {"observation.state": {"type": "STATE", "shape": [6]}},'
    b' "output_features": {"action": {"type": "ACTION", "shape": [6]}}}'
)


@dataclass(frozen=True)
class Case:
    """Two revisions, the bump that the change needs and the codes of every finding."""

    before: RevisionFacts
    after: RevisionFacts
    bump: Bump
    codes: list[str]


def card(lines: str, files: object = None) -> RevisionFacts:
    return revision("license: mit\n" + lines, OLD if files is None else files)  # type: ignore[arg-type]


def graph(schema: str | None, content: str = "b", lines: str = "") -> RevisionFacts:
    return revision("license: mit\n" + lines, {"policy.onnx": onnx(schema, content)})


def major(before: RevisionFacts, after: RevisionFacts, *codes: str) -> Case:
    return Case(before, after, Bump.MAJOR, sorted(codes))


def minor(before: RevisionFacts, after: RevisionFacts, *codes: str) -> Case:
    return Case(before, after, Bump.MINOR, sorted(codes))


def patch(before: RevisionFacts, after: RevisionFacts, *codes: str) -> Case:
    return Case(before, after, Bump.PATCH, sorted(codes))


def rate(value: str, more: str = "") -> str:
    return f"benchmarks: [{{name: pick, metric: success_rate, value: {value}{more}}}]"


CASES = {
    # --- nothing, licences, plain card changes ---
    "the same files": Case(card(""), card(""), Bump.NONE, []),
    "another licence": major(card(""), revision("license: apache-2.0", OLD), "license_changed"),
    "another licence and other weights": major(
        card(""), revision("license: gpl-3.0", NEW), "license_changed", "weights_changed"
    ),
    "a narrower licence choice": major(
        revision("license: MIT OR Apache-2.0", OLD), revision("license: MIT", OLD), "license_changed"
    ),
    "the licence's operands swapped": patch(
        revision("license: MIT OR Apache-2.0", OLD),
        revision("license: apache-2.0 or mit", OLD),
        "metadata_changed",
    ),
    "a deprecated licence id renewed": patch(
        revision("license: GPL-3.0", OLD), revision("license: GPL-3.0-only", OLD), "metadata_changed"
    ),
    "a LicenseRef by another name": major(
        revision("license: other\nlicense_name: acme-1", OLD),
        revision("license: other\nlicense_name: acme-2", OLD),
        "license_changed",
        "metadata_changed",
    ),
    "the text of the card": patch(
        revision(files=OLD, text="# A"), revision(files=OLD, text="# B"), "metadata_changed"
    ),
    "only the card's formatting": patch(card("task: grasping"), card("task: 'grasping'"), "metadata_changed"),
    "the card moved to model_card.md": patch(
        card(""), revision(files=OLD, card_path="model_card.md"), "metadata_changed"
    ),
    "an unknown key of the card": patch(card("tags: [a]"), card("tags: [a, b]"), "metadata_changed"),
    # --- what the card claims, with and without a changed model ---
    "another task, new weights": major(
        card("task: grasping"), card("task: stacking", NEW), "task_changed", "weights_changed"
    ),
    "another task, same weights": patch(card("task: grasping"), card("task: stacking"), "metadata_changed"),
    "a task in other letter case": patch(
        card("task: grasping"), card("task: Grasping", NEW), "metadata_changed", "weights_changed"
    ),
    "a task stated for the first time": patch(
        card(""), card("task: grasping", NEW), "metadata_changed", "weights_changed"
    ),
    "another framework, new weights": major(
        card("framework: pytorch"), card("framework: jax", NEW), "framework_changed", "weights_changed"
    ),
    "other training data, new weights": minor(
        card("training_data: [a]"),
        card("training_data: [a, b]", NEW),
        "training_data_changed",
        "weights_changed",
    ),
    "other training data, same weights": patch(
        card("training_data: [a]"), card("training_data: [a, b]"), "metadata_changed"
    ),
    "training data with its keys reordered": patch(
        card("training_data: {a: 1, b: 2}"),
        card("training_data: {b: 2, a: 1}", NEW),
        "metadata_changed",
        "weights_changed",
    ),
    "other training data, a new config": minor(
        card("training_data: [a]", {**OLD, "train.yaml": b"lr: 1"}),
        card("training_data: [b]", {**OLD, "train.yaml": b"lr: 2"}),
        "training_data_changed",
        "file_changed",
    ),
    # --- weights ---
    "the same net trained on": patch(card(""), card("", NEW), "weights_changed"),
    "a tensor added": minor(card(""), card("", WIDER), "architecture_changed"),
    "a tensor removed": minor(card("", WIDER), card(""), "architecture_changed"),
    "a tensor reshaped": minor(
        card(""), card("", {S: safetensors({**NET, "b": ("F32", (5,))})}), "architecture_changed"
    ),
    "the weights quantised in place": minor(
        card(""), card("", {S: safetensors({**NET, "w": ("F16", (4, 3))})}), "weights_retyped"
    ),
    "one file split into shards": patch(card(""), card("", SHARDS), "weights_resharded"),
    "shards merged into one file": patch(card("", SHARDS), card(""), "weights_resharded"),
    "shards with another net": minor(card("", SHARDS), card("", WIDER), "architecture_changed"),
    "the weight file renamed": major(
        card(""), card("", {"policy.safetensors": safetensors()}), "weight_file_removed", "file_added"
    ),
    "the weight file in another format": major(
        card(""), card("", {"model.gguf": b"GGUF"}), "weight_file_removed", "file_added"
    ),
    "one of two weight files removed": major(
        card("", {**OLD, "critic.safetensors": safetensors()}), card(""), "weight_file_removed"
    ),
    "a half-precision variant beside it": minor(
        card(""),
        card(
            "", {**OLD, "model.fp16.safetensors": safetensors({k: ("F16", s) for k, (_, s) in NET.items()})}
        ),
        "weight_variant_added",
    ),
    "another net beside it": patch(
        card(""), card("", {**OLD, "critic.safetensors": safetensors({"v": ("F32", (1,))})}), "file_added"
    ),
    "weights of a format without a table": patch(
        card("", {"model.gguf": b"GGUF1"}), card("", {"model.gguf": b"GGUF2"}), "weights_changed"
    ),
    "a new network of the same graph interface": patch(graph(IN), graph(IN, "c"), "weights_changed"),
    "external data moved into the graph file": patch(
        revision(files={"p.onnx": onnx(IN, "a", external="p.bin"), "p.bin": b"1234"}),
        revision(files={"p.onnx": onnx(IN, "b")}),
        "weights_resharded",
    ),
    # --- other files ---
    "a config added": patch(card(""), card("", {**OLD, "train.yaml": b"lr: 1"}), "file_added"),
    "a config removed": patch(card("", {**OLD, "train.yaml": b"lr: 1"}), card(""), "file_removed"),
    "a tokenizer file changed": patch(
        card("", {**OLD, "merges.txt": b"a"}), card("", {**OLD, "merges.txt": b"b"}), "file_changed"
    ),
    "a pickle added": patch(
        card(""), card("", {**OLD, "stats.pkl": b"\x80\x04N."}), "file_added", "pickle_added"
    ),
    # --- inputs ---
    "an input removed": major(
        graph(IN), graph("inputs: {observation: [1, 93]}", "c"), "input_removed", "weights_changed"
    ),
    "an input renamed": major(
        graph("inputs: {obs: [1, 93]}"),
        graph("inputs: {observation: [1, 93]}", "c"),
        "input_renamed",
        "weights_changed",
    ),
    "an input wider": major(
        graph("inputs: {obs: [1, 93]}"),
        graph("inputs: {obs: [1, 100]}", "c"),
        "input_shape_changed",
        "weights_changed",
    ),
    "an input's axis fixed": major(
        graph("inputs: {obs: [batch, 93]}"),
        graph("inputs: {obs: [1, 93]}", "c"),
        "input_shape_changed",
        "weights_changed",
    ),
    "an input's axis freed": minor(
        graph("inputs: {obs: [1, 93]}"),
        graph("inputs: {obs: [batch, 93]}", "c"),
        "input_axis_freed",
        "weights_changed",
    ),
    "an input's symbol renamed": patch(
        graph("inputs: {obs: [batch, 93]}"), graph("inputs: {obs: [N, 93]}", "c"), "weights_changed"
    ),
    "an input's symbol made unnamed": patch(
        graph("inputs: {obs: [batch, 93]}"), graph("inputs: {obs: [-1, 93]}", "c"), "weights_changed"
    ),
    "two inputs tied by a symbol": major(
        graph("inputs: {a: [N, 3], b: [M, 4]}"),
        graph("inputs: {a: [N, 3], b: [N, 4]}", "c"),
        "input_shape_changed",
        "weights_changed",
    ),
    "two inputs untied": minor(
        graph("inputs: {a: [N, 3], b: [N, 4]}"),
        graph("inputs: {a: [N, 3], b: [M, 4]}", "c"),
        "input_axis_freed",
        "weights_changed",
    ),
    "an input of another dtype": major(
        graph("inputs: {obs: {shape: [3], dtype: float32}}"),
        graph("inputs: {obs: {shape: [3], dtype: float16}}", "c"),
        "input_dtype_changed",
        "weights_changed",
    ),
    "the inputs reordered": major(
        graph("inputs: {a: [1], b: [2]}"),
        graph("inputs: {b: [2], a: [1]}", "c"),
        "inputs_reordered",
        "weights_changed",
    ),
    "a required input added": major(
        graph("inputs: {a: [1]}"),
        graph("inputs: {a: [1], b: [2]}", "c"),
        "required_input_added",
        "weights_changed",
    ),
    "an optional input added": minor(
        graph("inputs: {a: [1]}"),
        graph("inputs: {a: [1], b: {shape: [2], optional: true}}", "c"),
        "optional_input_added",
        "weights_changed",
    ),
    "an optional input added before the others": major(
        graph("inputs: {a: [1]}"),
        graph("inputs: {b: {shape: [2], optional: true}, a: [1]}", "c"),
        "optional_input_added",
        "inputs_reordered",
        "weights_changed",
    ),
    "an input made optional": minor(
        graph("inputs: {a: {shape: [1]}}"),
        graph("inputs: {a: {shape: [1], optional: true}}", "c"),
        "input_made_optional",
        "weights_changed",
    ),
    "an input made required": major(
        graph("inputs: {a: {shape: [1], optional: true}}"),
        graph("inputs: {a: {shape: [1]}}", "c"),
        "input_made_required",
        "weights_changed",
    ),
    "an input's joints in another order": major(
        graph("inputs: {q: {shape: [2], names: [hip, knee]}}"),
        graph("inputs: {q: {shape: [2], names: [knee, hip]}}", "c"),
        "input_names_changed",
        "weights_changed",
    ),
    "only the description of an input": patch(
        card("inputs: {q: {shape: [2], description: angles}}"),
        card("inputs: {q: {shape: [2], description: joint angles}}"),
        "metadata_changed",
    ),
    # --- outputs ---
    "an output added": major(
        graph(OUT), graph("outputs: {action: [1, 29], value: [1]}", "c"), "output_added", "weights_changed"
    ),
    "an output removed": major(
        graph("outputs: {action: [1, 29], value: [1]}"), graph(OUT, "c"), "output_removed", "weights_changed"
    ),
    "an output renamed": major(
        graph(OUT), graph("outputs: {actions: [1, 29]}", "c"), "output_renamed", "weights_changed"
    ),
    "an output narrower": major(
        graph(OUT), graph("outputs: {action: [1, 23]}", "c"), "output_shape_changed", "weights_changed"
    ),
    "an output's axis freed": major(
        graph(OUT), graph("outputs: {action: [N, 29]}", "c"), "output_axis_freed", "weights_changed"
    ),
    "the joints of an output changed": major(
        graph("outputs: {action: {shape: [1, 2], names: [hip, knee]}}"),
        graph("outputs: {action: {shape: [1, 2], names: [hip, ankle]}}", "c"),
        "output_names_changed",
        "weights_changed",
    ),
    # --- stated, withdrawn, card against file ---
    "a schema stated for the first time": patch(card(""), card("inputs: {obs: [93]}"), "schema_stated"),
    "a schema withdrawn": major(card("inputs: {obs: [93]}"), card(""), "schema_withdrawn"),
    "a dtype stated for the first time": patch(
        card("inputs: {obs: [93]}"), card("inputs: {obs: {shape: [93], dtype: f32}}"), "schema_stated"
    ),
    "element names withdrawn": major(
        card("inputs: {q: {shape: [2], names: [a, b]}}"), card("inputs: {q: [2]}"), "schema_withdrawn"
    ),
    "a card's shape now stated by a file with a batch axis": patch(
        card("inputs: {obs: [93]}\noutputs: {action: [29]}"),
        card(
            "inputs: {obs: [93]}\noutputs: {action: [29]}",
            {**OLD, "policy.onnx": onnx("inputs: {obs: [N, 93]}\noutputs: {action: [N, 29]}", table={})},
        ),
        "file_added",
    ),
    "a config file's features change": major(
        card("", {**OLD, "config.json": LEROBOT}),
        card("", {**OLD, "config.json": LEROBOT.replace(b"[6]", b"[7]")}),
        "input_shape_changed",
        "output_shape_changed",
        "file_changed",
    ),
    "a second graph's input changes": major(
        card("", {"a.onnx": onnx(IN), "b.onnx": onnx("inputs: {x: [1]}")}),
        card("", {"a.onnx": onnx(IN), "b.onnx": onnx("inputs: {x: [2]}", "c")}),
        "input_shape_changed",
        "weights_changed",
    ),
    "the described graph lies elsewhere": major(
        card("entry: a.onnx", {"a.onnx": onnx("inputs: {x: [1]}"), "z.onnx": onnx(IN, table={})}),
        card("entry: b.onnx", {"b.onnx": onnx("inputs: {x: [1]}"), "z.onnx": onnx(IN, table={})}),
        "weight_file_removed",
        "file_added",
        "metadata_changed",
    ),
    "a second graph joins a described one": patch(
        card("inputs: {x: {shape: [1], names: [hip]}}", {"a.onnx": onnx("inputs: {x: [1]}")}),
        card(
            "inputs: {x: {shape: [1], names: [hip]}}",
            {"a.onnx": onnx("inputs: {x: [1]}"), "b.onnx": onnx(IN, table={})},
        ),
        "file_added",
    ),
    # --- benchmarks ---
    "a benchmark improved outside noise": minor(
        card(rate("0.80", ", n: 400")),
        card(rate("0.86", ", n: 400"), NEW),
        "benchmark_improved",
        "weights_changed",
    ),
    "a benchmark improved within noise": patch(
        card(rate("0.80", ", n: 40")),
        card(rate("0.86", ", n: 40"), NEW),
        "weights_changed",
        "metadata_changed",
    ),
    "a benchmark regressed": patch(
        card(rate("0.86")), card(rate("0.80"), NEW), "benchmark_regressed", "weights_changed"
    ),
    "a benchmark without known direction": patch(
        card("benchmarks: [{name: walk, metric: mean action change, value: 1}]"),
        card("benchmarks: [{name: walk, metric: mean action change, value: 2}]", NEW),
        "benchmark_changed",
        "weights_changed",
    ),
    "a benchmark in another unit": patch(
        card("benchmarks: [{name: step, metric: latency, value: 4, unit: ms}]"),
        card("benchmarks: [{name: step, metric: latency, value: 0.004, unit: s}]", NEW),
        "benchmark_changed",
        "weights_changed",
    ),
    "a benchmark added": patch(card(""), card(rate("0.9"), NEW), "benchmark_added", "weights_changed"),
    "a benchmark removed": patch(card(rate("0.9")), card("", NEW), "benchmark_removed", "weights_changed"),
    "a benchmark corrected, same weights": patch(card(rate("0.80")), card(rate("0.95")), "metadata_changed"),
    # --- combinations ---
    "improved on the same data with a freed axis": minor(
        graph("inputs: {obs: [1, 3]}", lines=rate("0.5")),
        graph("inputs: {obs: [N, 3]}", "c", lines=rate("0.7")),
        "input_axis_freed",
        "benchmark_improved",
        "weights_changed",
    ),
    "a dancing policy in place of a walking one": major(
        graph("inputs: {obs: [1, 93]}\noutputs: {action: [1, 29]}", lines="task: walking"),
        graph("inputs: {obs: [1, 160], t: [1]}\noutputs: {action: [1, 23]}", "c", lines="task: dancing"),
        "input_shape_changed",
        "required_input_added",
        "output_shape_changed",
        "task_changed",
        "weights_changed",
    ),
    "a robot with the same sizes and other joints": major(
        graph("outputs: {action: {shape: [1, 2], names: [hip, knee]}}"),
        graph("outputs: {action: {shape: [1, 2], names: [waist, elbow]}}", "c", lines="authors: [A]"),
        "output_names_changed",
        "weights_changed",
        "metadata_changed",
    ),
    "relicensed, renamed, retrained at once": major(
        card("training_data: [a]"),
        revision("license: gpl-3.0\ntraining_data: [b]", {"policy.safetensors": safetensors(fill=1)}),
        "license_changed",
        "weight_file_removed",
        "training_data_changed",
        "file_added",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_bump_that_a_change_needs(case: Case) -> None:
    found = judge(case.before, case.after)
    assert sorted(item.code for item in found) == case.codes, [item.message for item in found]
    assert asked_bump(found, {}) == case.bump
