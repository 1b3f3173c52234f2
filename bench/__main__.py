"""Publish, pull, upgrade and diff a model against what a local copy costs, in one run.

    make bench                  256 MB of float32
    make bench ARGS="1024 5"    1 GB, five rounds

Prints seconds (median of the rounds) and ratios to `cp` with fsync of the same file. The registry is
served by a process of its own on loopback; every block is verified on both sides.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nodedata_registry import NodeData

TENSORS = 64
CARD = "---\nlicense: mit\ninputs: {x: [1]}\noutputs: {y: [1]}\n---\n# bench\n"
KEY = "nd_live_" + "b" * 32


def write_model(path: Path, megabytes: int, replaced: int, seed: int) -> None:
    """Write a safetensors file of 64 equal float32 tensors; the first `replaced` follow `seed`."""
    count = megabytes * 1024 * 1024 // 4 // TENSORS
    header = {
        f"layer.{index:02}.weight": {
            "dtype": "F32",
            "shape": [count],
            "data_offsets": [index * count * 4, (index + 1) * count * 4],
        }
        for index in range(TENSORS)
    }
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as out:
        out.write(len(encoded).to_bytes(8, "little") + encoded)
        for index in range(TENSORS):
            rng = np.random.default_rng([seed if index < replaced else 0, index])
            rng.standard_normal(count, dtype=np.float32).tofile(out)


def timed(act: Callable[[], object]) -> float:
    """Return how many seconds `act` took."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def copy_durably(source: Path, target: Path) -> None:
    """Copy a file and wait until it is on the disk."""
    shutil.copyfile(source, target)
    with target.open("rb+") as copied:
        os.fsync(copied.fileno())


class Served:
    """A registry in a process of its own."""

    def __init__(self, folder: Path) -> None:
        command = [Path(sys.executable).with_name("node-data"), "serve", "--data", folder, "--port", "0"]
        environment = {**os.environ, "NODE_DATA_OWNER_KEY": KEY}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = next(
            word for line in self.process.stdout for word in line.split() if word.startswith("http://")
        ).rstrip("/.,")

    def stop(self) -> None:
        """Stop the server and wait for it."""
        self.process.terminate()
        self.process.wait(30)


def one_round(folder: Path, megabytes: int, number: int) -> dict[str, float]:
    """Return the seconds of each step, from an empty registry and an empty cache."""
    os.environ["NODE_DATA_CACHE"] = str(folder / "cache")
    model = folder / "model.safetensors"
    write_model(model, megabytes, 0, 0)
    served = Served(folder / "registry")
    try:
        node = NodeData(served.url, KEY)
        node.workspaces.create("bench")
        node.models.create("bench/model")
        (folder / "README.md").write_text(CARD)
        files = {"model.safetensors": str(model), "README.md": str(folder / "README.md")}
        copied = timed(lambda: copy_durably(model, folder / "copy"))
        first = timed(lambda: node.models.create_revision("bench/model", "1.0.0", files, "first"))
        pulled = timed(lambda: node.models.download("bench/model", "1.0.0"))
        write_model(model, megabytes, TENSORS * 5 // 100 or 1, 1 + number)
        only = {"model.safetensors": str(model)}
        second = timed(lambda: node.models.create_revision("bench/model", "1.0.1", only, "5 %"))
        moved = node.models.forecast("bench/model", "1.0.1")
        upgraded = timed(lambda: node.models.download("bench/model", "1.0.1"))
        compared = timed(lambda: node.models.diff("bench/model", "1.0.0", "1.0.1"))
        resolves = timed(lambda: [node.models.resolve("bench/model", "^1") for _ in range(200)]) / 200
    finally:
        served.stop()
    print(f"round {number + 1}: an upgrade moves {moved}", file=sys.stderr)
    return {
        "cp and fsync": copied,
        "first publish": first,
        "cold pull": pulled,
        "publish, 5 % replaced": second,
        "upgrade, 5 % replaced": upgraded,
        "diff, 5 % replaced": compared,
        "one resolve": resolves,
    }


def main() -> None:
    """Run the rounds and print the table."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    warnings.simplefilter("ignore")
    results = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            results.append(one_round(Path(folder), megabytes, number))
    copied = statistics.median(result["cp and fsync"] for result in results)
    print(f"{megabytes} MiB, {TENSORS} tensors, median of {rounds} rounds")
    for name in results[0]:
        seconds = statistics.median(result[name] for result in results)
        print(f"  {name:24} {seconds:9.4f} s   {seconds / copied:6.2f} of cp")


if __name__ == "__main__":
    main()
