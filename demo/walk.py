"""What the demo measures of a policy: how its action answers a walk through observation space."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

SEED = 7
STEPS = 400
_STEP_SIZE = 0.05


@dataclass(frozen=True, slots=True)
class Walked:
    """Figures of one walk. `mean_action_change` is in units of the action, per step and joint.

    `ms_per_step` is the median on this machine; it jitters, so it is shown and never published.
    """

    seed: int
    steps: int
    mean_action_change: float
    ms_per_step: float


def walk(path: Path, *, seed: int = SEED, steps: int = STEPS) -> Walked:
    """Run a policy along a random walk from the zero observation; the same seed gives the same walk."""
    session = _session(path)
    generator = np.random.default_rng(seed)
    shapes = {item.name: tuple(item.shape) for item in session.get_inputs()}
    feed = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    actions: list[NDArray[np.float32]] = []
    seconds: list[float] = []
    for step in range(steps):
        for name, values in feed.items():
            if name == "time_step":
                values[...] = step
            else:
                values += _STEP_SIZE * generator.standard_normal(values.shape, np.float32)
        started = time.perf_counter()
        actions.append(session.run(None, feed)[0].copy())
        seconds.append(time.perf_counter() - started)
    change = np.abs(np.diff(np.concatenate(actions), axis=0)).mean(dtype=np.float64)
    return Walked(seed, steps, float(change), 1000 * statistics.median(seconds))


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
