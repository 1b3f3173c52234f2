"""YAML front matter with YAML 1.2 core scalars, bounded against hostile input.

What PyYAML's safe loader does otherwise (YAML 1.1) would misread cards: there `1e-3` is text, `no`
is false and `1:30` is ninety. Here, for plain (unquoted) scalars:

    null      empty, ~, null          true false    those words only
    integer   12, -3, 0o17, 0x1f      float         1.5, 1e-3, .5
    text      everything else: no, yes, on, 1:30, 2024-01-31, 1_000

Refused: anchors and aliases (expansion bombs), tags, duplicate or complex keys, more than one
document, nesting beyond `MAX_DEPTH`, NUL and lone surrogates. Source: YAML 1.2.2, section 10.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

import yaml

from nodedata_registry.errors import InvalidCard

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value that JSON can hold; numbers are finite, integers fit 64 bits."""

MAX_DEPTH = 32
"""Levels of lists and maps, the outermost included."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,20}", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]{1,22}", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")


def parse_yaml(text: str, *, first_line: int = 1) -> Json:
    """Return the value of a YAML document; keys of maps are text, whatever they look like.

    A number that JSON cannot hold (`.nan`, beyond 64 bits) stays text. `first_line` is the line of
    the file on which the text starts, for messages. Cost: linear in the text.

    >>> parse_yaml("{lr: 1e-3, ok: no, at: 1:30, mode: 0o17, day: 2024-01-31}")
    {'lr': 0.001, 'ok': 'no', 'at': '1:30', 'mode': 15, 'day': '2024-01-31'}

    Raises:
        InvalidCard: it is not YAML, or uses what is refused here; `field` is the key where known.
    """
    try:
        return _Builder(yaml.parse(text, Loader=yaml.SafeLoader), first_line).document()
    except yaml.MarkedYAMLError as error:
        line = first_line + (error.problem_mark.line if error.problem_mark else 0)
        raise InvalidCard(
            f"the front matter is not valid YAML: {error.problem}, on line {line} of the card; quote"
            " text that holds `: ` or starts with a special character",
            field="front_matter",
        ) from error
    # PyYAML lets chr() and int() fail on escapes such as "\UFFFFFFFF" and on long `%YAML` numbers.
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise InvalidCard(
            "the front matter is not valid YAML: "
            f"{' '.join(str(error).split())[:200]}; remove the characters that it names",
            field="front_matter",
        ) from error


def scalar(text: str) -> Json:
    """Return the value of a plain scalar by the YAML 1.2 core schema.

    >>> [scalar(word) for word in ("~", "True", "08", ".5", "on", "1e999")]
    [None, True, 8, 0.5, 'on', '1e999']
    """
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    number = _whole_number(text)
    if number is not None:
        return number
    if _FLOAT.fullmatch(text) and (len(text) <= 20 or not text.lstrip("+-").isdigit()):
        value = float(text)
        return value if abs(value) != float("inf") else text
    return text


def _whole_number(text: str) -> int | None:
    if _INT.fullmatch(text):
        value = int(text)
    elif _OCTAL.fullmatch(text):
        value = int(text[2:], 8)
    elif _HEX.fullmatch(text):
        value = int(text[2:], 16)
    else:
        return None
    return value if -(2**63) <= value < 2**64 else None


class _Builder:
    """Builds the value from parser events, so that refusals come before anything is expanded."""

    def __init__(self, events: Iterator[yaml.Event], first_line: int) -> None:
        self._events = events
        self._first_line = first_line

    def document(self) -> Json:
        """Return the only document's value; None if there is none."""
        event = next(self._events)
        while isinstance(event, (yaml.StreamStartEvent, yaml.DocumentStartEvent)):
            event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._value(event, "", 1)
        for rest in self._events:
            if isinstance(rest, yaml.DocumentStartEvent):
                raise self._refused(rest, "", "holds a second YAML document", "keep one")
        return value

    def _value(self, event: yaml.Event, key: str, depth: int) -> Json:
        self._refuse_node_extras(event, key)
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_characters(event, key)
            plain = event.implicit[0] and event.style is None
            return scalar(event.value) if plain else event.value
        if depth > MAX_DEPTH:
            raise self._refused(event, key, f"nests deeper than {MAX_DEPTH} levels", "flatten it")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(key, depth)
        return self._map(key, depth)

    def _list(self, key: str, depth: int) -> list[Json]:
        items: list[Json] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, f"{key}[{len(items)}]", depth + 1))
        return items

    def _map(self, key: str, depth: int) -> dict[str, Json]:
        values: dict[str, Json] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            name = self._key(event, key)
            inner = f"{key}.{name}" if key else name
            if name in values:
                raise self._refused(event, inner, f"states the key {name[:60]!r} twice", "keep one of them")
            values[name] = self._value(next(self._events), inner, depth + 1)
        return values

    def _key(self, event: yaml.Event, key: str) -> str:
        self._refuse_node_extras(event, key)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refused(event, key, "has a list or map as a key", "use text as keys")
        self._refuse_characters(event, key)
        return str(event.value)

    def _refuse_node_extras(self, event: yaml.Event, key: str) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._refused(event, key, "uses a YAML anchor or alias", "write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._refused(event, key, f"uses the YAML tag {tag[:60]!r}", "remove the tag")

    def _refuse_characters(self, event: yaml.ScalarEvent, key: str) -> None:
        if _FORBIDDEN.search(event.value):
            raise self._refused(event, key, "holds a NUL or half a surrogate pair", "remove it")

    def _refused(self, event: yaml.Event, key: str, what: str, remedy: str) -> InvalidCard:
        line = self._first_line + (event.start_mark.line if event.start_mark else 0)
        key = key[-120:]  # keys may be as long as the front matter
        where = f"`{key}`" if key else "the front matter"
        return InvalidCard(
            f"{where} {what}, on line {line} of the card; {remedy}", field=key or "front_matter"
        )
