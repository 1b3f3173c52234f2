"""Which version each release becomes, decided before anything is fetched. Pure.

    called 1.4.0 or v1.4.0   becomes that version; anything else is left, with the reason
    two of one version       the same content: once; different ones: neither
    published already        from here: done before; from elsewhere: left alone
    the others               lowest version first, as far as the successor rule goes

Gaps are allowed: a history is what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nodedata_registry.core.versions import Version, check_successor
from nodedata_registry.errors import InvalidVersion, VersionNotSuccessor
from nodedata_registry.sdk.imports.release import Release

_ADVICE = " Write MAJOR.MINOR.PATCH"


@dataclass(frozen=True, slots=True)
class Step:
    """A release and the version that it becomes."""

    version: Version
    release: Release


@dataclass(frozen=True, slots=True)
class Left:
    """A release that does not become a version, and why; `refused` if the registry would not have it."""

    name: str
    why: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import does: `steps` ascending, what is `done` already, and what it leaves."""

    steps: tuple[Step, ...]
    done: tuple[Step, ...]
    left: tuple[Left, ...]


def version_of(called: str) -> Version:
    """Return the version that a tag or folder name spells, with or without a `v` before it.

    >>> str(version_of("v1.4.0"))
    '1.4.0'

    Raises:
        InvalidVersion: it spells none; pre-release and build parts have no place in a version.
    """
    marked = called[:1] in ("v", "V") and called[1:2].isdigit()
    return Version.parse(called[1:] if marked else called)


def plan(releases: Sequence[Release], published: Mapping[Version, str | None]) -> Plan:
    """Return what to import and what not.

    `published` maps the model's versions, marked ones included, to the reference that they were
    imported from (`None`: they were not). Cost: quadratic in the versions, as each is judged in turn.
    """
    left: list[Left] = []
    mapped = _mapped(releases, left)
    done: list[Step] = []
    steps: list[Step] = []
    for version in sorted(mapped):
        step = Step(version, mapped[version])
        if version in published:
            _known(step, published[version], done, left)
        else:
            _next(step, published, steps, left)
    return Plan(tuple(steps), tuple(done), tuple(left))


def _mapped(releases: Sequence[Release], left: list[Left]) -> dict[Version, Release]:
    found: dict[Version, list[Release]] = {}
    for release in releases:
        try:
            found.setdefault(version_of(release.called), []).append(release)
        except InvalidVersion as error:
            left.append(Left(release.name, error.message.split(_ADVICE)[0].rstrip(".")))
    mapped = {}
    for version, several in found.items():
        if len({one.revision for one in several}) == 1:
            mapped[version] = several[0]
            left += [Left(one.name, f"the same as {several[0].name}") for one in several[1:]]
        else:
            names = " and ".join(one.name for one in several)
            left += [Left(one.name, f"{names} are both {version}, and differ") for one in several]
    return mapped


def _known(step: Step, reference: str | None, done: list[Step], left: list[Left]) -> None:
    release = step.release
    if reference == release.reference:
        done.append(step)
    elif reference is None:
        left.append(Left(release.name, f"{step.version} is published already, and not by an import"))
    else:
        why = f"{step.version} was imported already, from {reference}; this is {release.reference}"
        left.append(Left(release.name, why))


def _next(step: Step, published: Mapping[Version, str | None], steps: list[Step], left: list[Left]) -> None:
    if steps and steps[-1].release.revision == step.release.revision:
        why = f"nothing changed: it is {steps[-1].release.name}, which becomes {steps[-1].version}"
        left.append(Left(step.release.name, why))
        return
    try:
        check_successor(step.version, [*published, *(one.version for one in steps)], allow_gap=True)
    except VersionNotSuccessor as error:
        left.append(Left(step.release.name, error.message.split(" Permitted")[0].rstrip(".")))
    else:
        steps.append(step)
