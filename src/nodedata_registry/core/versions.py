"""Versions and the successor rule: which number a new revision may carry.

A version is exactly `MAJOR.MINOR.PATCH`. Inside a line numbers only grow, and a new version is one of

    next major of the highest        (max major + 1, 0, 0)
    next minor of an existing major  (M, max minor of M + 1, 0)
    next patch of an existing line   (M, m, max patch of M.m + 1)

so `1.4.3` can follow `2.0.0` (a back-port). "Existing" always counts yanked and retired revisions:
a number is never used twice.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from nodedata_registry.errors import InvalidVersion, VersionGap, VersionNotSuccessor

MAX_NUMBER = 2**53 - 1
"""The largest number in a version: what every JSON reader still keeps exactly."""

Triple: TypeAlias = tuple[int, int, int]

_PARTS = ("major", "minor", "patch")
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """One version, ordered by major, then minor, then patch.

    >>> Version.parse("1.10.0") > Version.parse("1.9.7")
    True
    >>> str(Version(1, 4, 0))
    '1.4.0'
    """

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Return the version that `text` spells exactly, with nothing before, after or between.

        Raises `InvalidVersion`, whose message and `details["part"]` show the offending part.

        >>> Version.parse("01.0.0")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        nodedata_registry.errors.InvalidVersion: '01.0.0' is not a version: the major number '01' has a ...
        """
        parts = text.split(".", 2)
        numbers = [_read_number(text, name, part) for name, part in zip(_PARTS, parts, strict=False)]
        if len(numbers) < len(_PARTS):
            raise _invalid(text, text, f"the {_PARTS[len(numbers)]} number is missing")
        return cls(*numbers)

    @property
    def numbers(self) -> Triple:
        """The three numbers as a tuple, for cheap comparisons."""
        return (self.major, self.minor, self.patch)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


class Bump(enum.IntEnum):
    """How far one version lies from another; `name.lower()` is the word on the wire."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


def declared_bump(base: Version, version: Version) -> Bump:
    """Return the leftmost number in which the two differ, `NONE` if they are equal.

    >>> declared_bump(Version(1, 4, 2), Version(1, 5, 0)).name
    'MINOR'
    """
    if base.major != version.major:
        return Bump.MAJOR
    if base.minor != version.minor:
        return Bump.MINOR
    return Bump.PATCH if base.patch != version.patch else Bump.NONE


def next_versions(existing: Collection[Version]) -> tuple[Version, ...]:
    """Return every permitted successor, ascending; linear in `existing`, plus a sort of the lines.

    Without any existing version the first may be any, and `1.0.0` is the suggestion.

    >>> [str(v) for v in next_versions([Version(1, 4, 2), Version(2, 0, 0)])]
    ['1.4.3', '1.5.0', '2.0.1', '2.1.0', '3.0.0']
    """
    if not existing:
        return (Version(1, 0, 0),)
    minors, patches = _tops(existing)
    found = [(max(minors) + 1, 0, 0)]
    found += [(major, minor + 1, 0) for major, minor in minors.items()]
    found += [(major, minor, patch + 1) for (major, minor), patch in patches.items()]
    return tuple(Version(*numbers) for numbers in sorted(found) if max(numbers) <= MAX_NUMBER)


def check_successor(version: Version, existing: Collection[Version], *, allow_gap: bool = False) -> None:
    """Return if `version` may be published next to the `existing` ones.

    `allow_gap` permits numbers that leave a gap above, never ones that lie below what a line holds.

    Raises `VersionNotSuccessor` if the version's line holds the same or a higher number, `VersionGap`
    if it leaves a gap; both list the permitted versions near it in `details["permitted"]`.
    """
    if not existing:
        return
    minors, patches = _tops(existing)
    line, top = _line_and_top(version, minors, patches)
    permitted = _permitted_near(version, existing)
    if version.numbers <= top:
        raise VersionNotSuccessor(
            f"{version} cannot follow {Version(*top)}: numbers only grow inside {line}. {_advice(permitted)}",
            field="version",
            details={"permitted": [str(v) for v in permitted]},
        )
    if version not in permitted and not allow_gap:
        raise VersionGap(
            f"{version} leaves a gap after {Version(*top)}, which mostly is a typo. {_advice(permitted)} "
            "If the gap is meant, pass allow_gap=True.",
            field="version",
            details={"permitted": [str(v) for v in permitted]},
        )


def predecessor(version: Version, candidates: Iterable[Version]) -> Version | None:
    """Return the highest candidate below `version` in the same major, or `None`.

    The caller passes only what may be a base: neither yanked nor quarantined.

    >>> str(predecessor(Version(1, 5, 0), [Version(1, 4, 2), Version(1, 4, 0), Version(2, 0, 0)]))
    '1.4.2'
    """
    return max((c for c in candidates if c.major == version.major and c < version), default=None)


def smallest_successor(base: Version, bump: Bump, existing: Collection[Version]) -> Version:
    """Return the smallest permitted version above `base` that differs from it by at least `bump`.

    Raises `VersionNotSuccessor` if the numbers are exhausted.

    >>> str(smallest_successor(Version(1, 0, 0), Bump.PATCH, [Version(1, 0, 0), Version(1, 0, 1)]))
    '1.0.2'
    """
    for version in next_versions(existing):
        if version > base and declared_bump(base, version) >= bump:
            return version
    raise VersionNotSuccessor(
        f"no version above {base} with a {bump.name.lower()} bump is left: numbers end at {MAX_NUMBER}.",
        field="version",
    )


def _read_number(text: str, name: str, part: str) -> int:
    """Return the number of one part; the length is judged before `int`, whose cost grows with it."""
    digits = part[: len(part) - len(part.lstrip("0123456789"))]
    rest = part[len(digits) :]
    if not part:
        raise _invalid(text, part, f"the {name} number is missing")
    if not digits or rest:
        raise _invalid(
            text, rest or part, f"{_kind(name, rest)} {_shown(rest or part)} does not belong there"
        )
    if len(digits) > 1 and digits[0] == "0":
        raise _invalid(text, part, f"the {name} number {_shown(part)} has a leading zero")
    if len(digits) > len(str(MAX_NUMBER)) or int(digits) > MAX_NUMBER:
        raise _invalid(text, part, f"the {name} number {_shown(part)} is above {MAX_NUMBER}")
    return int(digits)


def _kind(name: str, rest: str) -> str:
    """Return what to call the text after a number's digits."""
    if name == "patch" and rest.startswith("-"):
        return "the pre-release part"
    if name == "patch" and rest.startswith("+"):
        return "the build part"
    return f"in the {name} number"


def _invalid(text: str, part: str, problem: str) -> InvalidVersion:
    """Return the error for `text`, with the offending part shortened for display."""
    return InvalidVersion(
        f"{_shown(text)} is not a version: {problem}. Write MAJOR.MINOR.PATCH, such as 1.4.0.",
        field="version",
        details={"part": part[:_SHOWN_CHARACTERS]},
    )


def _shown(text: str) -> str:
    """Return `text` quoted, cut where it is long."""
    if len(text) <= _SHOWN_CHARACTERS:
        return ascii(text)
    return f"{text[:_SHOWN_CHARACTERS]!a}… ({len(text)} characters)"


def _tops(existing: Iterable[Version]) -> tuple[dict[int, int], dict[tuple[int, int], int]]:
    """Return the highest minor of each major and the highest patch of each minor line."""
    minors: dict[int, int] = {}
    patches: dict[tuple[int, int], int] = {}
    for version in existing:
        line = (version.major, version.minor)
        minors[version.major] = max(version.minor, minors.get(version.major, 0))
        patches[line] = max(version.patch, patches.get(line, 0))
    return minors, patches


def _line_and_top(
    version: Version, minors: dict[int, int], patches: dict[tuple[int, int], int]
) -> tuple[str, Triple]:
    """Return the innermost existing line that `version` would extend, and the highest it holds."""
    major, minor = version.major, version.minor
    if (major, minor) in patches:
        return f"{major}.{minor}", (major, minor, patches[major, minor])
    if major not in minors:
        major = max(minors)
        return "the model", (major, minors[major], patches[major, minors[major]])
    return f"{major}", (major, minors[major], patches[major, minors[major]])


def _permitted_near(version: Version, existing: Collection[Version]) -> tuple[Version, ...]:
    """Return the permitted successors in the version's major, and the next major."""
    permitted = next_versions(existing)
    near = [v for v in permitted if v.numbers[:2] == version.numbers[:2]]
    highest_minor = [v for v in permitted if v.major == version.major][-1:]
    return tuple(sorted({*near, *highest_minor, *permitted[-1:]}))


def _advice(permitted: Collection[Version]) -> str:
    """Return the sentence that names what is permitted."""
    return f"Permitted here: {', '.join(str(v) for v in permitted)}."
