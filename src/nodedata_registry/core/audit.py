"""What is to be said of a locked revision, given what the registry says now: the rules of `audit`.

finding         means                                                          level
pin_changed     the version has other content, or is gone: can never happen    CHANGED
pin_quarantined an operator took it down                                       QUARANTINED
pin_retired     its files were removed; only copies that exist can be used     RETIRED
pin_yanked      it should not be started with                                  YANKED
newer_version   what the request means by now, or the highest of its major     NEWER
younger_version as above, and younger than `min_age`: not locked unasked       NEWER
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from nodedata_registry.core.lockfile import LockedYank, Pin
from nodedata_registry.core.project import AgeRule, age_text
from nodedata_registry.core.relock import Offer, choose, old_enough_at, passed_over
from nodedata_registry.core.selectors import Candidate, Selector, is_pin, parse_selector
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import NodeDataError


class Level(enum.IntEnum):
    """How bad a finding is; `name.lower()` is the word on the command line and in JSON."""

    FINE = 0
    NEWER = 1
    YANKED = 2
    RETIRED = 3
    QUARANTINED = 4
    CHANGED = 5


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing to know about a pin, in words; `suggested` is the version to go to, if there is one."""

    code: str
    level: Level
    message: str
    suggested: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A revision as the registry shows it now; marks are reasons, `None` where there is no mark."""

    version: Version
    digest: str
    commit: str
    created_at: datetime
    changelog: str = ""
    yanked: LockedYank | None = None
    retired: str | None = None
    quarantined: str | None = None

    @property
    def offer(self) -> Offer:
        """The revision as locking sees it."""
        candidate = Candidate(
            self.version,
            self.digest,
            yanked=self.yanked is not None,
            retired=self.retired is not None,
            quarantined=self.quarantined is not None,
        )
        return Offer(candidate, self.created_at)


def audit_pin(pin: Pin, seen: Sequence[Seen], age: AgeRule, now: datetime) -> tuple[AuditFinding, ...]:
    """Return what is to be said of `pin`, the worst first; `seen` are all revisions of its model."""
    ours = next((one for one in seen if one.version == pin.version), None)
    broken = changed(pin, ours)
    if ours is None or broken is not None:
        assert broken is not None
        return (broken,)
    return (*marks(pin, ours), *_newer(pin, sorted(seen, key=lambda one: one.version), age, now))


def changed(pin: Pin, ours: Seen | None) -> AuditFinding | None:
    """Return the finding that the locked version is no longer what was locked, or `None`."""
    if ours is None:
        problem = "the registry has no such version any more"
    elif (ours.digest, ours.commit) != (pin.digest, pin.commit):
        problem = (
            f"locked is sha256:{pin.digest} (commit {pin.commit}), the registry says sha256:{ours.digest}"
            f" (commit {ours.commit})"
        )
    else:
        return None
    message = (
        f"{pin.model} {pin.version} CHANGED: {problem}. A published version never changes: this is another"
        " registry, a damaged or tampered one, or a lock changed by hand. Do not use it before you know"
    )
    return AuditFinding("pin_changed", Level.CHANGED, message)


def marks(pin: Pin, ours: Seen) -> tuple[AuditFinding, ...]:
    """Return a finding for each mark that the locked revision carries, the worst first."""
    name = f"{pin.model} {pin.version}"
    found = []
    if ours.quarantined is not None:
        found.append(
            AuditFinding("pin_quarantined", Level.QUARANTINED, f"{name} was taken down: {ours.quarantined}")
        )
    if ours.retired is not None:
        message = f"{name} was retired: {ours.retired}; its files can no longer be fetched"
        found.append(AuditFinding("pin_retired", Level.RETIRED, message))
    if ours.yanked is not None:
        found.append(yanked(pin, ours.yanked))
    return tuple(found)


def yanked(pin: Pin, yank: LockedYank) -> AuditFinding:
    """Return the finding that the locked revision is yanked."""
    at = yank.at.astimezone(timezone.utc)
    where = f"use {yank.suggested}" if yank.suggested else "no later version of its major replaces it yet"
    message = f"{pin.model} {pin.version} was yanked on {at:%Y-%m-%d}: {yank.reason} ({where})"
    return AuditFinding("pin_yanked", Level.YANKED, message, yank.suggested)


def _newer(pin: Pin, seen: Sequence[Seen], age: AgeRule, now: datetime) -> list[AuditFinding]:
    selector = _compatible(pin)
    offers = [one.offer for one in seen]
    try:
        best = choose(offers, selector, age, now)
    except NodeDataError:
        # Nothing old enough, or nothing served: what only its age keeps out is still told below.
        best = Candidate(pin.version, pin.digest)
    found = []
    if best.version > pin.version and not best.yanked:
        found.append(_newer_finding(pin, _of(seen, best.version)))
    higher = max(pin.version, best.version)
    young = passed_over(offers, Candidate(higher, ""), selector, age, now)
    if young:
        found.append(_younger_finding(pin, _of(seen, young[0].candidate.version), age, now))
    return found


def _compatible(pin: Pin) -> Selector:
    """Return what an upgrade of the pin would look through: the request, or a pin's own major."""
    selector = parse_selector(pin.requested)
    return parse_selector(f"^{pin.version.major}") if is_pin(selector) else selector


def _of(seen: Sequence[Seen], version: Version) -> Seen:
    return next(one for one in seen if one.version == version)


def _newer_finding(pin: Pin, newer: Seen) -> AuditFinding:
    message = f"{pin.model} {pin.version} has the newer {newer.version}{_brings(newer)}"
    return AuditFinding("newer_version", Level.NEWER, message, str(newer.version))


def _younger_finding(pin: Pin, newer: Seen, age: AgeRule, now: datetime) -> AuditFinding:
    at = old_enough_at(newer.offer, age).astimezone(timezone.utc)
    message = (
        f"{pin.model} {pin.version} has the newer {newer.version}{_brings(newer)},"
        f" {age_text(now - newer.created_at)} old: min_age admits it on {at:%Y-%m-%d}"
    )
    return AuditFinding("younger_version", Level.NEWER, message, str(newer.version))


def _brings(newer: Seen) -> str:
    line = next((line.strip() for line in newer.changelog.splitlines() if line.strip()), "")
    return f" ({line[:80]})" if line else ""
