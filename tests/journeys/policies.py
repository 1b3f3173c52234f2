"""Models of any size to publish: random weights behind a safetensors header, and a card."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path

MIB = 1024 * 1024

CARD = """---
license: apache-2.0
name: Grasp policy
inputs:
  observation: [batch, 8]
outputs:
  action: [batch, 4]
---
# Grasp policy
"""

_PIECE_BYTES = 8 * MIB


def write_policy(folder: Path, size_bytes: int, *, note: str = "") -> Path:
    """Make a folder with a card and weights that nobody has seen before, ready to publish."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_card.md").write_text(CARD + note)
    write_weights(folder / "model.safetensors", size_bytes)
    return folder


def write_weights(path: Path, size_bytes: int) -> None:
    """Write one large tensor and a small one, both of random bits."""
    rows = max(1, size_bytes // 2 // 1024)
    entries: dict[str, dict[str, object]] = {}
    offset = 0
    for name, shape in (("body.weight", [rows, 1024]), ("head.bias", [1024])):
        length = 2
        for axis in shape:
            length *= axis
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + length]}
        offset += length
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for start in range(0, offset, _PIECE_BYTES):
            file.write(os.urandom(min(_PIECE_BYTES, offset - start)))


def change_weights(path: Path) -> None:
    """Change the last scalar of a file of weights."""
    with path.open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(os.urandom(2))


def contents(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
