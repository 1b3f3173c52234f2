"""The warnings that calls issue, and how they are issued so that they point at the caller's line.

They are issued on every call; Python's own filters decide what is shown
(`warnings.filterwarnings("error", category=YankedRevisionWarning)` makes one fatal).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import ParamSpec, TypeVar

from nodedata_registry import wire


class NodeDataWarning(UserWarning):
    """Base of the warnings of this package."""


class YankedRevisionWarning(NodeDataWarning):
    """A call gave a yanked revision; the message says why, since when and where to go."""


class RegistryUnreachableWarning(NodeDataWarning):
    """The registry did not answer and the cache stood in, with the last known yank state."""


class PublishWarning(NodeDataWarning):
    """Something that a publisher should hear; `code` is the finding's or notice's code."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


P = ParamSpec("P")
R = TypeVar("R")

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_held: ContextVar[list[Warning] | None] = ContextVar("held", default=None)


def issue(warning: Warning) -> None:
    """Issue a warning that points at the first line outside this package."""
    held = _held.get()
    if held is not None:
        held.append(warning)
        return
    warnings.warn(warning, stacklevel=_levels_to_caller())


def collecting(found: list[Warning], function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function and collect its warnings in `found` instead of issuing them.

    Work that runs in another thread has no caller's line to point at; who awaits it issues them.
    """
    token = _held.set(found)
    try:
        return function(*args, **kwargs)
    finally:
        _held.reset(token)


def yank_message(model: str, version: str, yank: wire.Yank) -> str:
    """Return the sentence that every yank warning shows: reason, date and where to go."""
    where = f"use {yank.suggested}" if yank.suggested else "no later version of its major replaces it yet"
    return f"{model} {version} was yanked on {yank.at:%Y-%m-%d}: {yank.reason} ({where})"


def issue_notices(notices: list[wire.Notice]) -> None:
    """Issue what the registry wants a publisher to hear as `PublishWarning`."""
    for notice in notices:
        issue(PublishWarning(notice.message, notice.code))


def _levels_to_caller() -> int:
    """Return the `stacklevel` for `issue`: 1 is its own frame."""
    frame = sys._getframe(1)
    levels = 1
    while frame.f_back is not None and _is_inside(frame):
        frame = frame.f_back
        levels += 1
    return levels


def _is_inside(frame: FrameType) -> bool:
    """Return whether a frame is of this package, or of fsspec that called it."""
    module = str(frame.f_globals.get("__name__", ""))
    return frame.f_code.co_filename.startswith(_PACKAGE) or module.partition(".")[0] == "fsspec"
