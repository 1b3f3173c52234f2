"""Which format a path has and which reader reads it: the place where a later format plugs in.

The format is a matter of the path alone, so that facts can be kept by (content, format).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from nodedata_registry.core.layouts import lerobot, onnx, pickles, safetensors
from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.layouts.table import Layout


@dataclass(frozen=True, slots=True)
class Reader:
    """One format: how it is recognised, whether it holds weights, and what reads its header.

    `read` is None for formats that are compared as files only.
    """

    format: str
    suffixes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    weights: bool = True
    read: Callable[[Source], Layout] | None = None

    def reads(self, path: str) -> bool:
        """Return whether a file at this path has the format."""
        name = path.rpartition("/")[2].casefold()
        return name in self.names or name.endswith(self.suffixes)


READERS: tuple[Reader, ...] = (
    Reader("safetensors", (".safetensors",), read=safetensors.read),
    Reader("onnx", (".onnx",), read=onnx.read),
    Reader("onnx_data", (".onnx.data", ".onnx_data")),
    Reader("config", names=("config.json",), weights=False, read=lerobot.read),
    Reader("pickle", pickles.SUFFIXES, read=pickles.read),
    Reader("numpy", (".npy", ".npz"), read=pickles.read),
    Reader("bin", (".bin",), read=pickles.read),
    Reader("gguf", (".gguf",)),
    Reader("keras", (".h5", ".hdf5", ".keras")),
    Reader("flax", (".msgpack",)),
    Reader("tflite", (".tflite",)),
    Reader("torchscript", (".jit", ".torchscript")),
    Reader("card", (".md",), weights=False),
    Reader("text", (".txt", ".json", ".yaml", ".yml", ".toml", ".jinja"), weights=False),
)

OTHER = Reader("other", weights=False)


@lru_cache(maxsize=16_384)
def reader_for(path: str) -> Reader:
    """Return the first reader whose suffix or name fits the path, else one of format `other`."""
    return next((reader for reader in READERS if reader.reads(path)), OTHER)


def format_of(path: str) -> str:
    """Return the name of the format that a path has.

    >>> format_of("weights/policy.onnx"), format_of("config.json"), format_of("Makefile")
    ('onnx', 'config', 'other')
    """
    return reader_for(path).format
