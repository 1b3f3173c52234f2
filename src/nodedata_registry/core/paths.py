r"""Paths of files in a revision: ones that every file system of a consumer can hold, and hold apart.

Rules, for one path:
    relative, `/` between elements, none of them empty, `.` or `..`; NFC; at most 1024 bytes of UTF-8, 255 an
    element, 32 elements; no control character, none of `\ : * ? " < > |`; no element ends in a dot or a
    space; no element is a device name of Windows, in any case, with any extension.
For all paths of a revision together:
    no two are equal under case-folding, their folders included; none is the folder of another.

Sources: Go's `module.CheckFilePath` and its zip rules; Microsoft, "Naming Files, Paths, and Namespaces".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from nodedata_registry.errors import InvalidPath

MAX_PATH_BYTES = 1024
MAX_ELEMENT_BYTES = 255
MAX_ELEMENTS = 32

_FORBIDDEN = frozenset('\\:*?"<>|')
_LINE_BREAKING = ("Cc", "Cs", "Zl", "Zp")
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [device + digit for device in ("com", "lpt") for digit in "0123456789¹²³"]
)
_SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class _Place:
    """A file, or a folder and one of the paths in it."""

    spelling: str
    path: str
    is_file: bool


def check_path(text: str, *, field: str = "files") -> str:
    """Return `text` if it may stand in a manifest.

    Raises `InvalidPath`, saying which rule it breaks.

    >>> check_path("weights/model.safetensors")
    'weights/model.safetensors'
    >>> check_path("../secret")
    Traceback (most recent call last):
    nodedata_registry.errors.InvalidPath: the path '../secret' is refused: `..` is not allowed in a path.
    """
    problem = _path_problem(text)
    if problem is None:
        problem = next(filter(None, map(_element_problem, text.split("/"))), None)
    if problem is not None:
        raise _refused(text, problem, field)
    return text


def check_paths(paths: Iterable[str], *, field: str = "files") -> None:
    """Return if each path passes `check_path` and they can lie side by side on any file system.

    Linear in the total number of elements.

    Raises `InvalidPath`, naming both paths of a clash.
    """
    seen: dict[str, _Place] = {}
    for path in paths:
        check_path(path, field=field)
        _claim(seen, _Place(path, path, is_file=True), field)
        at = path.find("/")
        while at >= 0:
            _claim(seen, _Place(path[:at], path, is_file=False), field)
            at = path.find("/", at + 1)


def fold_path(path: str) -> str:
    """Return the form under which paths that a file system may confuse are equal.

    Canonical caseless matching: The Unicode Standard, section 3.13, D145.

    >>> fold_path("README.md") == fold_path("readme.md")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def _claim(seen: dict[str, _Place], claim: _Place, field: str) -> None:
    """Record a file or folder, or refuse it because another holds its place."""
    other = seen.setdefault(fold_path(claim.spelling), claim)
    if other is claim:
        return
    if other.spelling != claim.spelling:
        problem = f"{_shown(claim.spelling)} and {_shown(other.spelling)} differ only in upper and lower case"
        raise _refused(claim.path, problem, field)
    if other.is_file and claim.is_file:
        raise _refused(claim.path, "it is given twice", field)
    if other.is_file or claim.is_file:
        clash = other if claim.is_file else claim
        problem = f"{_shown(clash.spelling)} cannot be a file and the folder of {_shown(clash.path)} at once"
        raise _refused(claim.path, problem, field)


def _path_problem(text: str) -> str | None:
    """Return the first rule about whole paths that `text` breaks, or `None`."""
    if not text:
        return "it is empty"
    strange = next((c for c in text if c in _FORBIDDEN or unicodedata.category(c) in _LINE_BREAKING), None)
    if strange is not None:
        return f"the character {strange!a} is not allowed in a path"
    if text.startswith("/"):
        return "a path is relative and starts with no `/`"
    if not unicodedata.is_normalized("NFC", text):
        return "it is not in Unicode's composed form (NFC); rename the file"
    if len(text.encode()) > MAX_PATH_BYTES:
        return f"it is longer than {MAX_PATH_BYTES} bytes"
    if text.count("/") >= MAX_ELEMENTS:
        return f"it has more than {MAX_ELEMENTS} elements"
    return None


def _element_problem(element: str) -> str | None:
    """Return the first rule that one element breaks, or `None`."""
    if not element:
        return "it has an empty element (`//`, or `/` at its end)"
    if element in (".", ".."):
        return f"`{element}` is not allowed in a path"
    if element[-1] in ". ":
        return f"{_shown(element)} ends in a dot or a space"
    if len(element.encode()) > MAX_ELEMENT_BYTES:
        return f"an element is longer than {MAX_ELEMENT_BYTES} bytes"
    if element.partition(".")[0].rstrip(" ").lower() in _DEVICES:
        return f"{_shown(element)} is a device name on Windows"
    return None


def _refused(path: str, problem: str, field: str) -> InvalidPath:
    """Return the error for a path."""
    return InvalidPath(
        f"the path {_shown(path)} is refused: {problem}.",
        field=field,
        details={"path": path[:MAX_PATH_BYTES]},
    )


def _shown(text: str) -> str:
    """Return `text` quoted, cut where it is long."""
    if len(text) <= _SHOWN_CHARACTERS:
        return repr(text)
    return f"{text[:_SHOWN_CHARACTERS]!r}…"
