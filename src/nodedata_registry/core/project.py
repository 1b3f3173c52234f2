"""`node-data.toml`: which models a project wants. Written by people, read here.

min_age = "7d"                       # ranges ignore revisions younger than that

[models]
"acme/grasp" = "^1"
"acme/detector" = { revision = "~2.1", min_age = "0d", allow_young = ["2.1.4"] }
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from nodedata_registry.core.names import parse_model_ref
from nodedata_registry.core.selectors import Selector, parse_selector
from nodedata_registry.core.toml import TomlProblem, read_toml
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidRequest, NodeDataError

PROJECT_NAME = "node-data.toml"
MAX_PROJECT_BYTES = 1024 * 1024

_DURATION = re.compile(r"([0-9]{1,4})([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class AgeRule:
    """How old a revision must be before a range means it; `exempt` versions may be younger.

    `all_exempt` lifts the rule, as somebody said explicitly.
    """

    min_age: timedelta = timedelta(0)
    exempt: frozenset[Version] = frozenset()
    all_exempt: bool = False

    def asks(self, version: Version) -> timedelta:
        """Return the age that this version must have."""
        return timedelta(0) if self.all_exempt or version in self.exempt else self.min_age


@dataclass(frozen=True, slots=True)
class Wish:
    """One model that is wanted, as `workspace/name` or id, and which revisions of it may be locked."""

    model: str
    selector: Selector
    age: AgeRule = AgeRule()

    @classmethod
    def of(cls, model: str, revision: str, age: AgeRule | None = None) -> Wish:
        """Return the wish; raises `InvalidName` or `InvalidSelector`."""
        parse_model_ref(model)
        return cls(model, parse_selector(revision), age or AgeRule())


@dataclass(frozen=True, slots=True)
class Project:
    """The wishes of a project, in the order of the file, and the age that holds for all."""

    wishes: tuple[Wish, ...]
    min_age: timedelta = timedelta(0)


def parse_project(data: bytes) -> Project:
    """Return what the bytes of a `node-data.toml` ask for.

    Raises:
        InvalidRequest: it cannot be read, has an unknown key, or names no model, selector, age or
            version where one must stand; field `node-data.toml`.
    """
    if len(data) > MAX_PROJECT_BYTES:
        raise _invalid(f"has {len(data)} bytes; at most {MAX_PROJECT_BYTES} are read")
    try:
        read = read_toml(data, _ProjectToml)
    except TomlProblem as error:
        raise _invalid(str(error)) from error
    try:
        general = parse_age(read.min_age)
        wishes = tuple(_wish(name, one, general) for name, one in read.models.items())
    except NodeDataError as error:
        raise _invalid(f"is wrong: {error.message}") from error
    return Project(wishes, general)


def parse_age(text: str) -> timedelta:
    """Return the age that a text such as `7d` states: minutes, hours, days or weeks.

    >>> parse_age("36h")
    datetime.timedelta(days=1, seconds=43200)

    Raises:
        InvalidRequest: it is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise InvalidRequest(f"{text[:40]!a} is no age; write 12h, 7d or 2w", field="min_age")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def age_text(age: timedelta) -> str:
    """Return an age in its largest whole unit, rounded down.

    >>> age_text(timedelta(days=2, hours=5)), age_text(timedelta(minutes=61)), age_text(timedelta(0))
    ('2d', '1h', '0m')
    """
    minutes = int(age.total_seconds() // 60)
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes >= size:
            return f"{minutes // size}{unit}"
    return f"{max(minutes, 0)}m"


class _WishToml(msgspec.Struct, forbid_unknown_fields=True):
    revision: str
    min_age: str | None = None
    allow_young: list[str] = []


class _ProjectToml(msgspec.Struct, forbid_unknown_fields=True):
    models: Mapping[str, str | _WishToml] = {}
    min_age: str = "0d"


def _wish(name: str, read: str | _WishToml, general: timedelta) -> Wish:
    if isinstance(read, str):
        return Wish.of(name, read, AgeRule(general))
    own = general if read.min_age is None else parse_age(read.min_age)
    return Wish.of(name, read.revision, AgeRule(own, _versions(read.allow_young)))


def _versions(texts: Iterable[str]) -> frozenset[Version]:
    return frozenset(Version.parse(text) for text in texts)


def _invalid(problem: str) -> InvalidRequest:
    return InvalidRequest(f"{PROJECT_NAME} {problem}", field=PROJECT_NAME)
