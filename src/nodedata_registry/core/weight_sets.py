"""Which weight files belong together: a single file, or the shards of one set and their index.

Re-sharding changes how a set is cut into files, not what it is, so findings and diffs are about
sets. A set is named by the path that its weights would have as a single file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodedata_registry.core.facts import FileFacts

# transformers, diffusers and llama.cpp: <stem>-00001-of-00003.<suffix>
_SHARD = re.compile(r"^(?P<stem>.+)-\d{3,6}-of-\d{3,6}(?P<suffix>\.[A-Za-z0-9]+)$")
_INDEX = re.compile(r"^(?P<set>.+\.(?:safetensors|bin|msgpack|h5))\.index(?:\.[\w-]+)?\.json$")
_EXTERNAL = re.compile(r"^(?P<set>.+\.onnx)[._]data(?:_\d+)?$")


def set_of(path: str) -> str:
    """Return the name of the weight set that a path belongs to; the path itself if it stands alone.

    >>> set_of("weights/model-00001-of-00002.safetensors")
    'weights/model.safetensors'
    >>> set_of("weights/model.safetensors.index.json")
    'weights/model.safetensors'
    >>> set_of("policy.onnx.data"), set_of("config.json")
    ('policy.onnx', 'config.json')
    """
    for pattern in (_INDEX, _EXTERNAL):
        found = pattern.match(path)
        if found is not None:
            return found["set"]
    shard = _SHARD.match(path)
    return path if shard is None else shard["stem"] + shard["suffix"]


@dataclass(frozen=True, slots=True)
class WeightSet:
    """The files of one set and the tensor table that they hold together.

    `digests` is each file's SHA-256 by path, index and external data included. `formats` are those of
    the files with weights of their own. Tables are empty where the format has none that is read.
    """

    name: str
    digests: Mapping[str, str]
    formats: frozenset[str]
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    size_bytes: int

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of its files, sorted."""
        return tuple(sorted(self.digests))


def weight_sets(files: Iterable[FileFacts]) -> dict[str, WeightSet]:
    """Return the weight sets of a revision by name, sorted; files that hold no weights are left out."""
    files = list(files)
    owner = _external_owners(files)
    members: dict[str, list[FileFacts]] = defaultdict(list)
    for file in files:
        members[owner.get(file.path, set_of(file.path))].append(file)
    return {
        name: _gather(name, group, owner)
        for name, group in sorted(members.items())
        # A tokenizer named like a shard is no weight set; an index without its shards neither.
        if any(file.weights for file in group)
    }


def _external_owners(files: Iterable[FileFacts]) -> dict[str, str]:
    """Return the set of the file whose tensors a data file holds, by the data file's path."""
    return {
        tensor.stored_in(file.path): set_of(file.path)
        for file in files
        for tensor in file.tensors
        if tensor.external is not None
    }


def _gather(name: str, group: list[FileFacts], owner: Mapping[str, str]) -> WeightSet:
    own = [file for file in group if file.weights and file.path not in owner]
    tensors = [tensor for file in group for tensor in file.tensors]
    return WeightSet(
        name=name,
        digests={file.path: file.sha256 for file in group},
        formats=frozenset(file.format for file in own),
        shapes={tensor.name: tensor.shape for tensor in tensors},
        dtypes={tensor.name: tensor.dtype for tensor in tensors},
        size_bytes=sum(file.size_bytes for file in group),
    )
