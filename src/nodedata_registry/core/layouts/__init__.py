"""Where tensors lie in a weight file, read from its header: one module a format.

A format plugs in with one module that has `read(source) -> Layout` and one line in `READERS`. Readers
never execute anything, never load a payload, and are bounded in time and memory on any input.
"""

from __future__ import annotations

from nodedata_registry.core.layouts.dtypes import DTYPE_BITS, byte_count, element_count
from nodedata_registry.core.layouts.registry import Reader, format_of, reader_for
from nodedata_registry.core.layouts.source import (
    BytesSource,
    RecordingSource,
    ReplaySource,
    Source,
    merge_ranges,
)
from nodedata_registry.core.layouts.table import Layout, Span, Tensor

__all__ = [
    "DTYPE_BITS",
    "BytesSource",
    "Layout",
    "Reader",
    "RecordingSource",
    "ReplaySource",
    "Source",
    "Span",
    "Tensor",
    "byte_count",
    "element_count",
    "format_of",
    "merge_ranges",
    "reader_for",
]
