"""Typed values out of a card's front matter; a wrong type is refused by the name of its key."""

from __future__ import annotations

from nodedata_registry.core.yaml12 import Json
from nodedata_registry.errors import InvalidCard


def kind(value: Json) -> str:
    """Return what a value is, in words for a message.

    >>> kind(True), kind(["a"]), kind("x")
    ('true or false', 'a list', "the text 'x'")
    """
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    return "a list" if isinstance(value, list) else "a map"


def refuse(key: str, wanted: str, value: Json) -> InvalidCard:
    """Return the error for a key whose value is not what is wanted."""
    return InvalidCard(f"`{key}` must be {wanted}, but is {kind(value)}", field=key)


def text(value: Json, key: str) -> str:
    """Return text on one line: runs of white space become one space. Raises InvalidCard."""
    if not isinstance(value, str):
        hint = " (quote it)" if isinstance(value, (bool, int, float)) else ""
        raise refuse(key, f"text{hint}", value)
    line = " ".join(value.split())
    if not line:
        raise refuse(key, "text", None)
    return line


def optional_text(value: Json, key: str) -> str | None:
    """Return text on one line, or None where the key is absent or empty. Raises InvalidCard."""
    return None if value is None else text(value, key)


def texts(value: Json, key: str) -> tuple[str, ...]:
    """Return a list of texts; one text counts as a list of it. Raises InvalidCard."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (text(value, key),)
    if not isinstance(value, list):
        raise refuse(key, "a list of texts", value)
    return tuple(text(item, f"{key}[{index}]") for index, item in enumerate(value))


def optional_flag(value: Json, key: str) -> bool | None:
    """Return true or false, or None where absent. Raises InvalidCard."""
    if value is None or isinstance(value, bool):
        return value
    raise refuse(key, "true or false", value)


def number(value: Json, key: str) -> float:
    """Return a finite number. Raises InvalidCard."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise refuse(key, "a number", value)
    return float(value)


def optional_size(value: Json, key: str) -> float | None:
    """Return a number that is not negative, or None where absent. Raises InvalidCard."""
    if value is None:
        return None
    size = number(value, key)
    if size < 0:
        raise refuse(key, "0 or more", value)
    return size


def optional_count(value: Json, key: str) -> int | None:
    """Return a whole number of at least 1, or None where absent. Raises InvalidCard."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise refuse(key, "a whole number of at least 1", value)
    return value


def mapping(value: Json, key: str) -> dict[str, Json]:
    """Return a map. Raises InvalidCard."""
    if not isinstance(value, dict):
        raise refuse(key, "a map", value)
    return value
