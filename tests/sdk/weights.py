"""Real safetensors files and cards for client tests, small and seeded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

CARD = """---
license: apache-2.0
task: grasping
inputs:
  observation: [batch, 8]
outputs:
  action: [batch, 4]
---
# A small policy
"""


def write_weights(
    path: Path, *, tensors: int = 4, side: int = 300, seed: int = 0, changed: tuple[int, ...] = ()
) -> Path:
    """Write `tensors` square float32 tensors; those in `changed` differ from the seed's in one scalar."""
    random = np.random.default_rng(seed)
    values = {
        f"layer{number}": random.standard_normal((side, side)).astype("f4") for number in range(tensors)
    }
    for number in changed:
        values[f"layer{number}"][0, 0] += 1
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(values, path)
    return path


def write_model(folder: Path, **weights: object) -> Path:
    """Write a folder with a card and weights, ready to publish."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_card.md").write_text(CARD)
    write_weights(folder / "model.safetensors", **weights)  # type: ignore[arg-type]
    return folder
