"""Builds the facts of small revisions: real safetensors, JSON and card bytes, ONNX by its table."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace

from nodedata_registry.core.card_schema import read_schema
from nodedata_registry.core.facts import (
    BytesSource,
    FileFacts,
    RevisionFacts,
    read_file_facts,
    revision_facts,
)
from nodedata_registry.core.layouts.table import Span, Tensor
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.core.schema import Schema
from nodedata_registry.core.yaml12 import parse_yaml

ITEM_BYTES = {"F32": 4, "F16": 2, "I8": 1}
Table = Mapping[str, tuple[str, tuple[int, ...]]]

NET: Table = {"w": ("F32", (4, 3)), "b": ("F32", (4,))}
IO = "inputs: {observation: {shape: [1, 93], dtype: F32}}\noutputs: {action: {shape: [1, 29], dtype: F32}}"


def safetensors(table: Table = NET, fill: int = 0) -> bytes:
    """Return a safetensors file whose tensors all hold the byte `fill`."""
    header: dict[str, object] = {}
    end = 0
    for name, (dtype, shape) in table.items():
        begin, end = end, end + math.prod(shape) * ITEM_BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + bytes([fill]) * end


def file_schema(text: str) -> Schema:
    """Return a schema as a file states it, from the YAML of a card."""
    keys = parse_yaml(text)
    assert isinstance(keys, dict)
    schema = read_schema(keys)
    assert schema is not None
    return replace(schema, inputs_by_card=False, outputs_by_card=False)


def onnx(
    schema: str | None = IO, content: str = "a", table: Table = NET, external: str | None = None
) -> FileFacts:
    """Return the facts of an ONNX file; `content` stands for its bytes, `external` for a data file."""
    return FileFacts(
        path="",
        size_bytes=1000,
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        format="onnx",
        weights=True,
        tensors=tuple(
            Tensor(name, dtype, shape, (Span(0, 1),), external=external)
            for name, (dtype, shape) in table.items()
        ),
        schema=None if schema is None else file_schema(schema),
    )


def revision(
    card: str = "license: mit",
    files: Mapping[str, bytes | FileFacts] | None = None,
    *,
    text: str = "",
    card_path: str = "README.md",
) -> RevisionFacts:
    """Return the facts of a revision with this front matter, Markdown text and files."""
    card_bytes = f"---\n{card}\n---\n{text}".encode()
    contents: dict[str, bytes | FileFacts] = {card_path: card_bytes}
    contents |= {"model.safetensors": safetensors()} if files is None else files
    facts = [
        item.at(path)
        if isinstance(item, FileFacts)
        else read_file_facts(_entry(path, item), BytesSource(item))
        for path, item in contents.items()
    ]
    return revision_facts(facts, card_bytes)


def _entry(path: str, data: bytes) -> FileEntry:
    return FileEntry(path, len(data), hashlib.sha256(data).hexdigest())
