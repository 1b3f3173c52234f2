r"""TOML as this package reads and writes it: strict reading into structs, and a writer of few forms.

The writer knows strings, whole numbers, UTC times, arrays of strings and inline tables: what
`node-data.lock` needs. What it writes, any reader of TOML 1.0 reads back equal.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TypeAlias, TypeVar

import msgspec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

TomlValue: TypeAlias = int | str | datetime | Sequence[str] | Mapping[str, "TomlValue"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SHORT = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_MARKER = re.compile(r"(<{7}|\|{7}|={7}|>{7})( |$)")


class TomlProblem(Exception):
    """Why a text cannot be read, as the end of a sentence; callers turn it into an error of theirs."""


def read_toml(data: bytes, shape: type[T]) -> T:
    """Return what the TOML document `data` says, in the given struct.

    A byte order mark and line ends of any kind are accepted.

    Raises:
        TomlProblem: not UTF-8, merge conflict markers, no TOML, or not of that shape.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TomlProblem(f"is not UTF-8 (byte {error.start})") from error
    refuse_conflict_markers(text)
    try:
        return msgspec.convert(tomllib.loads(text), shape)
    except msgspec.ValidationError as error:
        raise TomlProblem(f"says what it may not: {error}") from error
    except (ValueError, RecursionError) as error:
        raise TomlProblem(f"is no TOML: {error}") from error


def refuse_conflict_markers(text: str) -> None:
    """Return if no line looks like a merge conflict's; raises `TomlProblem` naming the first."""
    for number, line in enumerate(text.splitlines(), 1):
        if _MARKER.match(line):
            raise TomlProblem(f"has merge conflict markers (line {number}: {line[:7]})")


def toml_value(value: TomlValue) -> str:
    r"""Return a value on one line.

    >>> toml_value({"path": "a\"b", "size": 3}), toml_value(["1.0.0"])
    ('{ path = "a\\"b", size = 3 }', '["1.0.0"]')
    """
    if isinstance(value, str):
        return '"' + "".join(_escaped(character) for character in value) + '"'
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(toml_pair(key, inner) for key, inner in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return str(value)


def toml_pair(key: str, value: TomlValue) -> str:
    """Return `key = value` on one line.

    >>> toml_pair("acme/x", "^1")
    '"acme/x" = "^1"'
    """
    return f"{key if _BARE_KEY.fullmatch(key) else toml_value(key)} = {toml_value(value)}"


def _escaped(character: str) -> str:
    short = _SHORT.get(character)
    if short is not None:
        return short
    # Half a surrogate pair has no UTF-8, and what ends a line in some editors would break a diff.
    if "\ud800" <= character <= "\udfff":
        return "\N{REPLACEMENT CHARACTER}"
    if character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029":
        return f"\\u{ord(character):04x}"
    return character
