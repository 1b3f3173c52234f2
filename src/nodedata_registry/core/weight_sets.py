"""Which weight files belong together: a single file, or the shards of one set and their index.

Re-sharding changes how a set is cut into files, not what it is, so findings and diffs are about
sets. A set is named by the path that its weights would have as a single file.
"""

from __future__ import annotations

import re

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
