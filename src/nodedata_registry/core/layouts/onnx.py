"""ONNX."""

from __future__ import annotations

from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.layouts.table import Layout


def read(source: Source) -> Layout:
    """Return the layout of an ONNX file."""
    return Layout("onnx")
