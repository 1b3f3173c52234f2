"""Large safetensors files that take little room: holes, and one tensor that is no hole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MIB = 1024 * 1024
WANTED_BYTES = 4_000_000


def write_sparse(path: Path, size_bytes: int) -> NDArray[np.float32]:
    """Write a file of about `size_bytes`: zeros in tensors of 16 MiB, and in their midst `wanted`.

    Returns the values of `wanted`, 4 MB.
    """
    values = np.random.default_rng(0).standard_normal(WANTED_BYTES // 4).astype("f4")
    zeros = (size_bytes - WANTED_BYTES) // (16 * MIB)
    sizes = {f"zeros.{number:04d}": 16 * MIB for number in range(zeros)}
    names = [*list(sizes)[: zeros // 2], "wanted", *list(sizes)[zeros // 2 :]]
    header: dict[str, object] = {}
    offset = start = 0
    for name in names:
        length = sizes.get(name, WANTED_BYTES)
        header[name] = {"dtype": "F32", "shape": [length // 4], "data_offsets": [offset, offset + length]}
        start = offset if name == "wanted" else start
        offset += length
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.seek(8 + len(text) + start)
        file.write(values.tobytes())
        file.truncate(8 + len(text) + offset)
    return values
