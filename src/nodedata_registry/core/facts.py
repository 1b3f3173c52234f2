"""What is known about a file from its header, and about a revision from its files and card.

File facts depend on content and format alone (never on the path), so the catalog keeps them for ever
by (SHA-256, format); `FileFacts.at(path)` gives them to a file with the same content elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec

from nodedata_registry.core.card import Card, find_card_path, parse_card
from nodedata_registry.core.layouts.pickles import SUFFIXES
from nodedata_registry.core.layouts.registry import format_of, reader_for
from nodedata_registry.core.layouts.source import BytesSource, RecordingSource, ReplaySource, Source
from nodedata_registry.core.layouts.table import Layout, Tensor
from nodedata_registry.core.schema import Schema, check_entry, described_path, join
from nodedata_registry.errors import InvalidWeights

__all__ = [
    "BytesSource",
    "FileFacts",
    "RecordingSource",
    "ReplaySource",
    "RevisionFacts",
    "Source",
    "format_of",
    "needs_header",
    "read_file_facts",
    "revision_facts",
]


class Entry(Protocol):
    """A file of a manifest: path, size and SHA-256 (`manifest.FileEntry` is one)."""

    @property
    def path(self) -> str:
        """The path in the revision."""
        ...

    @property
    def size_bytes(self) -> int:
        """The size in bytes."""
        ...

    @property
    def sha256(self) -> str:
        """The SHA-256 as 64 hex."""
        ...


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known about one file.

    `tensors` is empty for files without a readable table. `weights`: the format holds weights. `pickled`:
    loading the file may run code. `metadata` is what the file itself states; show only known keys of it.
    """

    path: str
    size_bytes: int
    sha256: str
    format: str
    weights: bool = False
    pickled: bool = False
    tensors: tuple[Tensor, ...] = ()
    schema: Schema | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    header_bytes: int = 0

    def at(self, path: str) -> FileFacts:
        """Return the same facts for a file with this content at another path of the same format."""
        return replace(self, path=path)

    def with_digests(self, digests: Mapping[str, str]) -> FileFacts:
        """Return the same facts with tensor digests filled in, by tensor name."""
        tensors = tuple(
            tensor.with_digest(digests[tensor.name]) if tensor.name in digests else tensor
            for tensor in self.tensors
        )
        return replace(self, tensors=tensors)

    @property
    def parameter_count(self) -> int:
        """The number of scalars in its tensors, tensors that share one storage counted once."""
        return sum(tensor.elements for tensor in distinct_storages(self.tensors))

    def to_json(self) -> bytes:
        """Return the facts as JSON."""
        return msgspec.json.encode(self)

    @staticmethod
    def from_json(data: bytes) -> FileFacts:
        """Return the facts that `to_json` wrote."""
        return msgspec.json.decode(data, type=FileFacts)


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """What is known about a revision before its payloads are read.

    `files` are sorted by path. `schema` joins what card and file state; None: nothing states it. `schemas`
    are the files' own, by path.
    """

    files: tuple[FileFacts, ...]
    card: Card
    schema: Schema | None = None
    schemas: Mapping[str, Schema] = field(default_factory=dict)

    def get(self, path: str) -> FileFacts | None:
        """Return the facts of the file at a path, or None."""
        return next((file for file in self.files if file.path == path), None)

    @property
    def parameter_count(self) -> int:
        """The number of scalars in all weight files."""
        return sum(file.parameter_count for file in self.files)


def distinct_storages(tensors: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """Return the tensors without those whose bytes are exactly those of an earlier one."""
    seen: dict[object, Tensor] = {}
    for index, tensor in enumerate(tensors):
        seen.setdefault((tensor.external, tensor.spans) if tensor.spans else index, tensor)
    return tuple(seen.values())


def needs_header(path: str) -> bool:
    """Return whether a check reads the file at this path, so that clients send header ranges for it.

    >>> needs_header("model.safetensors"), needs_header("notes.txt")
    (True, False)
    """
    return reader_for(path).read is not None


def read_file_facts(entry: Entry, source: Source) -> FileFacts:
    """Return what the header of a file says; the reader is picked by path.

    Raises:
        InvalidWeights: the file is malformed; `details` has `file` and, where known, `tensor`.
        InvalidRequest: `source` replays ranges that do not cover what the reader needs.
    """
    reader = reader_for(entry.path)
    layout = Layout(reader.format)
    if reader.read is not None:
        try:
            layout = reader.read(source)
        except InvalidWeights as error:
            raise _naming(entry.path, error) from error
    return FileFacts(
        path=entry.path,
        size_bytes=entry.size_bytes,
        sha256=entry.sha256,
        format=reader.format,
        weights=reader.weights,
        pickled=layout.pickled or entry.path.casefold().endswith(SUFFIXES),
        tensors=layout.tensors,
        schema=layout.schema,
        metadata=layout.metadata,
        header_bytes=layout.header_bytes,
    )


def _naming(path: str, error: InvalidWeights) -> InvalidWeights:
    details = {"file": path, "tensor": error.details.get("tensor")}
    return InvalidWeights(f"{path}: {error.message}", field="files", details=details)


def revision_facts(files: Iterable[FileFacts], card_bytes: bytes) -> RevisionFacts:
    """Return the facts of a revision: card parsed, external data checked, schema joined.

    Raises:
        CardRequired, InvalidCard: no card, or a malformed one.
        InvalidWeights: external data lies in a file that the revision lacks, or beyond its end.
        SchemaMismatch: card and file state different inputs or outputs.
    """
    by_path = {file.path: file for file in files}
    card = parse_card(find_card_path(by_path), card_bytes)
    for path in sorted(_external_paths(by_path)):
        by_path[path] = replace(by_path[path], weights=True)
    schemas = {path: file.schema for path, file in sorted(by_path.items()) if file.schema is not None}
    check_entry(card.entry, by_path)
    entry = described_path(card.entry, schemas)
    schema = join(card.schema, schemas.get(entry) if entry is not None else None, path=entry)
    ordered = tuple(file for _, file in sorted(by_path.items()))
    return RevisionFacts(ordered, card, schema, schemas)


def _external_paths(files: Mapping[str, FileFacts]) -> set[str]:
    """Return the paths of files that hold tensors for another file; raises InvalidWeights as documented."""
    found: set[str] = set()
    for file in files.values():
        for tensor in file.tensors:
            if tensor.external is None:
                continue
            path = tensor.stored_in(file.path)
            held = files[path].size_bytes if path in files else None
            needed = max((span.end for span in tensor.spans), default=0)
            if held is None or needed > held:
                raise _external_missing(file.path, tensor.name, path, needed, held)
            found.add(path)
    return found


def _external_missing(file: str, tensor: str, path: str, needed: int, held: int | None) -> InvalidWeights:
    found = "is not among the revision's files" if held is None else f"has only {held} bytes"
    return InvalidWeights(
        f"{file}: tensor {tensor!r} lies in {path!r} up to byte {needed}, which {found};"
        " publish both together.",
        field="files",
        details={"file": file, "tensor": tensor},
    )
