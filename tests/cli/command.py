"""Running the command line in a process, and files to publish with it."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodedata_registry import NodeData

PROGRAM = (sys.executable, "-c", "from nodedata_registry.cli import main; main()")
SECONDS = 60


@dataclass(frozen=True)
class Registry:
    """Where the served registry is, its owner's key and its data folder."""

    url: str
    key: str
    data: Path


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


@dataclass
class Command:
    """Runs the command in a folder; `model` is a name that no other test uses."""

    registry: Registry
    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, stdin: str | None = "", **extra: str) -> Ran:
        """Run and wait."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment(**extra),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, **extra: str) -> Ran:
        """Run what must succeed."""
        ran = self(*arguments, **extra)
        assert ran.code == 0, ran.err
        return ran

    def environment(self, **extra: str) -> dict[str, str]:
        """Return the environment of a command: nobody's own settings."""
        foreign = ("NODE_DATA", "XDG_", "COLUMNS", "NO_COLOR", "FORCE_COLOR")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        ours = {
            "HOME": str(self.folder / "home"),
            "NODE_DATA_BASE_URL": self.registry.url,
            "NODE_DATA_API_KEY": self.registry.key,
        }
        return {name: value for name, value in {**kept, **ours, **self.extra, **extra}.items() if value}

    def revision(self, folder: str = "policy", **parts: Any) -> str:
        """Write a folder that can be published and return its name."""
        place = self.folder / folder
        place.mkdir(exist_ok=True)
        (place / "model_card.md").write_text(card(**parts), encoding="utf-8")
        (place / "model.safetensors").write_bytes(weights(parts.get("touched", 0)))
        return folder

    def published(self, model: str, *versions: str) -> str:
        """Publish versions that differ in as many scalars as their place in the list, and return the name."""
        # Through the client: only the command under test is worth a process of its own.
        with NodeData(self.registry.url, self.registry.key, cache=self.folder / "unused") as node:
            node.models.create(model)
            for number, version in enumerate(versions):
                folder = self.folder / self.revision("published", touched=number)
                node.models.create_revision(model, version, str(folder), f"what {version} brings")
        return model


def card(inputs: int = 93, success: float = 0.8, touched: int = 0) -> str:
    """Return a model card; `touched` is for the weights beside it."""
    return f"""---
name: Grasp policy
license: apache-2.0
task: grasping
inputs:
  observation: {{shape: [batch, {inputs}], dtype: float32}}
benchmarks:
  - {{name: bin-picking, metric: success_rate, value: {success}, n: 2000}}
---
# Grasp policy
"""


def weights(touched: int = 0) -> bytes:
    """Return a safetensors file of 4096 + 64 scalars, of which the first `touched` differ from zero."""
    sizes = {"encoder.attention.weight": [64, 64], "head.bias": [64]}
    header: dict[str, object] = {}
    offset = 0
    for name, shape in sizes.items():
        length = 4
        for axis in shape:
            length *= axis
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + length]}
        offset += length
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    data = struct.pack(f"<{touched}f", *[1.0] * touched).ljust(offset, b"\0")
    return struct.pack("<Q", len(encoded)) + encoded + data
