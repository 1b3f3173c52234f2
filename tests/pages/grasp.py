"""The model that page tests look at: `acme/grasp-policy-v2`, made up, with every kind of mark."""

from __future__ import annotations

from nodedata_registry import wire
from nodedata_registry.core.benchmarks import BenchmarkChange
from nodedata_registry.core.diff_values import (
    BumpSummary,
    CardChange,
    Changelog,
    FileChange,
    FilesDiff,
    LicenseDiff,
    ParametersDiff,
    RevisionDiff,
    SetDiff,
    ShownAccepted,
    ShownFinding,
    Side,
    TensorDiff,
    Total,
)
from nodedata_registry.server.pages.data import FileFigures, RevisionContent
from tests.pages.shelf import Shelf, at, make_model, make_revision

REF = "acme/grasp-policy-v2"
SECRET_PATH = "/home/somebody/checkpoints/run-17"

CARD = """# Grasp policy v2

A closed-loop grasping policy for a parallel-jaw gripper. It maps two camera embeddings and the
arm's joint state to a joint velocity command at 20 Hz.

## Intended use

- Bin picking of rigid household objects, **one arm**, table height 70 to 80 cm.
- Not for use near people without a rated safety system.

## How to run it

```python
import onnxruntime

session = onnxruntime.InferenceSession(folder / "policy.onnx")
action = session.run(["action"], {"observation": observation})[0]
```

| setting | value | unit |
|---|---:|---|
| control rate | 20 | Hz |
| action clip | 0.35 | rad/s |
| history | 4 | frames |

> The gripper command is the last element and is *not* clipped.

See [the training config](configs/train.yaml) and ![curve](https://tracker.example/curve.png).
"""

JOINTS = ["shoulder_pan", "shoulder_lift", "elbow", "wrist_1", "wrist_2", "wrist_3", "gripper"]

SCHEMA = wire.Schema(
    inputs=[
        wire.Tensor(
            name="observation", shape=["batch", 4, 93], dtype="f32", optional=False, names=None,
            description="Camera embeddings and joint state, four frames",
        ),
        wire.Tensor(
            name="goal", shape=["batch", -1], dtype="f32", optional=True, names=None, description=None
        ),
    ],
    outputs=[
        wire.Tensor(
            name="action", shape=["batch", 7], dtype="f32", optional=False, names=JOINTS, description=None
        )
    ],
)  # fmt: skip


def benchmark(metric: str, value: float, better: bool | None, **more: object) -> wire.Benchmark:
    fields = {"unit": None, "n": None, "stderr": None, **more}
    return wire.Benchmark(name="bin picking", metric=metric, value=value, higher_is_better=better, **fields)  # type: ignore[arg-type]


def file(path: str, size_bytes: int, kind: str, fill: str) -> wire.File:
    pickled = kind == "pickle"
    return wire.File(path=path, size_bytes=size_bytes, sha256=fill * 32, format=kind, pickled=pickled)


FILES = (
    file("configs/train.yaml", 2_317, "text", "b1"),
    file("legacy/optimizer.pt", 18_400_211, "pickle", "c2"),
    file("model.safetensors", 90_868_376, "safetensors", "d3"),
    file("model_card.md", 1_204, "card", "e4"),
    file("policy.onnx", 4_180_922, "onnx", "f5"),
)

FIGURES = {
    "model.safetensors": FileFigures(103, 22_713_216, {"format": "pt", "run_dir": SECRET_PATH}),
    "policy.onnx": FileFigures(
        24, 1_042_311, {"dof_names": ",".join(JOINTS), "experiment_config": SECRET_PATH}
    ),
}


def verdict(base: str, declared: str, asked: str, *findings: wire.Finding) -> wire.Verdict:
    judged = wire.BaseVerdict(version=base, declared=declared, asked=asked, findings=list(findings))
    return wire.Verdict(rules=1, asked=asked, bases=[judged], accepted=[])


def finding(code: str, asks: str, message: str) -> wire.Finding:
    return wire.Finding(code=code, asks=asks, message=message, subject=None)


def revision(version: str, sequence: int, **changes: object) -> wire.Revision:
    fields: dict[str, object] = {
        "sequence": sequence,
        "title": "Grasp policy v2",
        "size_bytes": 113_453_030 + sequence * 131_072,
        "file_count": len(FILES),
        "parameter_count": 23_755_527,
        "created_at": at(sequence * 11.3),
        "schema": SCHEMA,
        "benchmarks": [
            benchmark("success_rate", 0.78 + sequence / 100, True, n=500),
            benchmark("cycle_time", 6.42 - sequence / 10, False, unit="s", stderr=0.08, n=500),
        ],
        **changes,
    }
    return make_revision(REF, version, **fields)


MESSAGE_WEIGHTS = "the weights of model.safetensors changed"
YANK_REASON = "Closes the gripper on contact with transparent objects; see incident 41."

REVISIONS = (
    revision("1.0.0", 1, changelog="First release.\n\nTrained on 14 bins."),
    revision(
        "1.3.1",
        2,
        parent="1.0.0",
        changelog="Retire-able intermediate.",
        retired=wire.Mark(reason="kept the last five", at=at(60), by="usr_1"),
    ),
    revision(
        "1.3.2",
        3,
        parent="1.3.1",
        changelog="Faster release of small parts.\nThe release threshold moved from 0.4 to 0.3.",
        yanked=wire.Yank(reason=YANK_REASON, at=at(45.2), suggested="1.5.0"),
        verdict=verdict("1.3.1", "patch", "patch", finding("weights_changed", "patch", MESSAGE_WEIGHTS)),
        warnings=[
            wire.Notice(code="benchmark_regressed", message="cycle_time went from 6.2 s to 6.5 s"),
        ],
    ),
    revision("1.4.0", 4, parent="1.3.2", changelog="Adds the optional goal input."),
    revision(
        "1.4.1",
        5,
        parent="1.4.0",
        changelog="Contained a customer's bin scans.",
        quarantined=wire.Mark(reason="contains personal data", at=at(58), by="usr_1"),
    ),
    revision(
        "1.5.0",
        6,
        parent="1.4.0",
        changelog="Retrained with 400 more hours of bin picking.\n\n"
        "- one more attention layer touched\n- the card states the clip",
        verdict=verdict(
            "1.4.0",
            "minor",
            "minor",
            finding("benchmark_improved", "minor", "success_rate of bin picking rose from 0.82 to 0.84"),
            finding("weights_changed", "patch", MESSAGE_WEIGHTS),
        ),
    ),
)


def tensor(name: str, touched: int, shape: tuple[int, ...], change: str = "modified") -> TensorDiff:
    compared = change == "modified"
    return TensorDiff(
        set="model.safetensors",
        name=name,
        change=change,
        dtype="F32",
        shape=shape,
        touched=touched,
        max_abs=0.03127 if compared else None,
        rms=0.00412 if compared else None,
        relative=0.0121 if compared else None,
    )


TENSORS = (
    *(tensor(f"encoder.layer.{n}.attention.query.weight", 147_456 - n * 9_000, (384, 384)) for n in range(6)),
    *(tensor(f"encoder.layer.{n}.output.dense.bias", 3 + n, (384,)) for n in range(24)),
    tensor("head.goal.weight", 0, (64, 384), "added"),
)


def change(metric: str, a: float, b: float, verdict: str) -> BenchmarkChange:
    return BenchmarkChange("bin picking", metric, a, b, round(b - a, 6), (b - a) / a, verdict)


DIFF = RevisionDiff(
    a=Side("1.4.0", "a" * 64),
    b=Side("1.5.0", "b" * 64),
    rules=1,
    files=FilesDiff(
        transfer_bytes=3_540_992,
        items=(
            FileChange("configs/train.yaml", "renamed", "train.yaml", 2_317, 2_317),
            FileChange("model.safetensors", "modified", None, 90_737_304, 90_868_376),
            FileChange("model_card.md", "modified", None, 1_150, 1_204),
        ),
    ),
    parameters=ParametersDiff(
        total=Total(23_730_951, 23_755_527),
        touched=sum(item.touched for item in TENSORS),
        added=24_576,
        removed=0,
        by_set=(SetDiff("model.safetensors", Total(22_688_640, 22_713_216), 750_084, 24_576, 0),),
        tensors=TENSORS,
    ),
    benchmarks=(
        change("success_rate", 0.82, 0.84, "improved"),
        change("cycle_time", 6.02, 6.1, "regressed"),
        change("peak_force", 11.8, 11.8, "unchanged"),
    ),
    schema=(ShownFinding("optional_input_added", "minor", "the optional input goal was added", "goal"),),
    license=LicenseDiff("Apache-2.0", "Apache-2.0"),
    card=(
        CardChange("training_data", "14 bins", "414 bins"),
        CardChange("authors", None, ["ACME perception"]),
        CardChange("text", None, None),
    ),
    changelogs=(Changelog("1.5.0", "Retrained with 400 more hours of bin picking."),),
    bump=BumpSummary(
        declared="minor",
        asked="minor",
        findings=(
            ShownFinding(
                "benchmark_improved", "minor", "success_rate of bin picking rose from 0.82 to 0.84", None
            ),
            ShownFinding("weights_changed", "patch", MESSAGE_WEIGHTS, "model.safetensors"),
        ),
        accepted=(ShownAccepted("processor_changed", "The crop is done in the driver since May."),),
    ),
)


def content(shown: wire.Revision) -> RevisionContent:
    if shown.quarantined is not None:
        return RevisionContent(shown, "", ())
    card = CARD if shown.version != "1.4.0" else CARD.replace("| action clip | 0.35 | rad/s |\n", "")
    card = (
        card.replace("# Grasp policy v2", "# Grasp policy v2\n\nThis is the card of 1.3.2.")
        if shown.version == "1.3.2"
        else card
    )
    return RevisionContent(shown, card, FILES, FIGURES)


def grasp_shelf() -> Shelf:
    """Return a registry with the grasping policy and a few others beside it."""
    shelf = Shelf()
    shelf.put(
        make_model(
            REF,
            title="Grasp policy v2",
            latest="1.5.0",
            revision_count=len(REVISIONS),
            updated_at=at(68),
        ),
        [content(one) for one in REVISIONS],
    )
    shelf.diffs[REF, "1.4.0", "1.5.0"] = DIFF
    for ref, title, task, framework in (
        ("acme/g1-locomotion", "Walking for a 29-joint humanoid", "locomotion", "onnx"),
        ("acme/bin-detector", "Bin and tray detector", "object-detection", "pytorch"),
        ("north-lab/sentence-embedder", "Sentence embeddings, 384 dimensions", "embedding", "pytorch"),
    ):
        shown = make_revision(ref, "1.0.0", title=title, task=task, framework=framework)
        model = make_model(
            ref,
            title=title,
            task=task,
            framework=framework,
            latest="1.0.0",
            revision_count=1,
            updated_at=at(30),
        )
        shelf.put(model, [RevisionContent(shown, f"# {title}\n", ())])
    shelf.put(make_model("acme/secret-sauce", visibility="private", title="Private policy"), [])
    shelf.put(make_model("acme/empty"), [])
    return shelf
