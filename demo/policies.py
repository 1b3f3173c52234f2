"""The policies that the demo publishes, their cards, and what it changes in one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from demo.packages import unpack
from demo.walk import Walked, walk

_MODELS = "holosoma_inference/models"


@dataclass(frozen=True, slots=True)
class Source:
    """One policy in the wheel. `title` and `task` go into its card."""

    member: str
    title: str
    task: str


G1_PPO = Source(f"{_MODELS}/loco/g1_29dof/ppo_g1_29dof.onnx", "Unitree G1 walking, PPO", "locomotion")
G1_SAC = Source(f"{_MODELS}/loco/g1_29dof/fastsac_g1_29dof.onnx", "Unitree G1 walking, FastSAC", "locomotion")
T1_PPO = Source(f"{_MODELS}/loco/t1_29dof/ppo_t1_29dof.onnx", "Booster T1 walking, PPO", "locomotion")
T1_SAC = Source(f"{_MODELS}/loco/t1_29dof/fastsac_t1_29dof.onnx", "Booster T1 walking, FastSAC", "locomotion")
DANCE_PPO = Source(
    f"{_MODELS}/wbt/ppo_g1_29dof_dancing.onnx", "Unitree G1 dancing, PPO", "whole-body tracking"
)
DANCE_SAC = Source(
    f"{_MODELS}/wbt/fastsac_g1_29dof_dancing.onnx", "Unitree G1 dancing, FastSAC", "whole-body tracking"
)
SOURCES = (G1_PPO, G1_SAC, T1_PPO, T1_SAC, DANCE_PPO, DANCE_SAC)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy on disk, measured, with its card beside it."""

    title: str
    task: str
    path: Path
    card: Path
    walked: Walked

    @property
    def files(self) -> dict[str, Path]:
        """What a revision of it consists of: {path in the revision: local path}."""
        return {"policy.onnx": self.path, "model_card.md": self.card}

    def parameter_count(self) -> int:
        """Return the number of scalars in its initializers and constants, counted with the onnx package."""
        graph = onnx.load(str(self.path)).graph
        constants = [node.attribute[0].t for node in graph.node if node.op_type == "Constant"]
        return sum(numpy_helper.to_array(tensor).size for tensor in (*graph.initializer, *constants))


def unpack_policy(wheel: Path, source: Source, folder: Path) -> Policy:
    """Take a policy out of the wheel, measure it, and write its card."""
    path = unpack(wheel, source.member, folder / Path(source.member).name)
    return describe(source.title, source.task, path, "Taken as it is from the wheel.")


def describe(title: str, task: str, path: Path, remark: str) -> Policy:
    """Measure a policy and write the card that says what was measured."""
    walked = walk(path)
    card = path.with_suffix(".md")
    card.write_text(_CARD.format(title=title, task=task, remark=remark, walked=walked), encoding="utf-8")
    return Policy(title, task, path, card, walked)


# The wheel states no licence, and a card must not invent one.
_CARD = """\
---
name: {title}
license: LicenseRef-unstated
framework: onnx
task: {task}
benchmarks:
  - name: seeded walk of {walked.steps} steps
    metric: mean_action_change
    value: {walked.mean_action_change:.6g}
---
# {title}

A policy from the package `holosoma-inference` 0.1.1. {remark}

The benchmark is the mean absolute change of the action from one step to the next on a random walk
through observation space (seed {walked.seed}, {walked.steps} steps), computed with ONNX Runtime. It
describes how nervously the policy answers; neither more nor less of it is better as such.
"""


def soften(policy: Policy, concerns: Callable[[str], bool], title: str, target: Path) -> Policy:
    """Return a copy whose last layer gives 2 % less for the joints that `concerns` picks."""
    model = onnx.load(str(policy.path))
    names = joints(policy.path)
    rows = [index for index, name in enumerate(names) if concerns(name)]
    for tensor in _last_layer(model, len(names)):
        values = numpy_helper.to_array(tensor).copy()
        values[rows] *= np.float32(0.98)
        tensor.raw_data = values.tobytes()
    onnx.save(model, str(target))
    changed = ", ".join(f"`{names[row]}`" for row in rows)
    remark = f"Changed: the last layer's rows of {changed}, times 0.98."
    return describe(title, policy.task, target, remark)


def joints(path: Path) -> list[str]:
    """Return the joint names that a policy states, in the order of its action."""
    stated = {item.key: item.value for item in onnx.load(str(path)).metadata_props}
    names: list[str] = json.loads(stated["dof_names"])
    return names


def _last_layer(model: onnx.ModelProto, joint_count: int) -> list[onnx.TensorProto]:
    """Return weight and bias of the layer that gives one value a joint."""
    named = {tensor.name: tensor for tensor in model.graph.initializer}
    (weight,) = (t.name for t in named.values() if len(t.dims) == 2 and t.dims[0] == joint_count)
    return [named[weight], named[weight.removesuffix("weight") + "bias"]]


def initializers(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return a policy's weights as arrays by name, read with the onnx package."""
    model = onnx.load(str(path))
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def count_changed(a: Path, b: Path) -> int:
    """Count by brute force the float32 scalars whose bits differ between two policies of equal shape."""
    before, after = initializers(a), initializers(b)
    return sum(
        int(np.count_nonzero(before[name].view(np.uint32) != after[name].view(np.uint32))) for name in before
    )
