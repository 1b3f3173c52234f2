"""What locking keeps, and what it must ask for: the rules of `node-data lock`, without any I/O.

A locked revision stays while the request admits it; ranges look no further until `--upgrade` says so.
A range with a `min_age` ignores younger revisions. If that leaves a yanked revision, or none, while a
younger one would do, nothing is chosen: to take the young one must be said explicitly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from nodedata_registry.core.lockfile import Lock, Pin
from nodedata_registry.core.project import AgeRule, Wish, age_text
from nodedata_registry.core.selectors import Candidate, Selector, is_pin, resolve
from nodedata_registry.errors import Gone, NotFound, TooYoung

ChangeKind = Literal["added", "removed", "upgraded", "downgraded", "changed"]


@dataclass(frozen=True, slots=True)
class Offer:
    """A revision that a registry offers: what resolution must know of it, and since when it exists."""

    candidate: Candidate
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new lock is made of: pins that stay, and wishes whose meaning must be asked for."""

    kept: tuple[Pin, ...]
    asked: tuple[Wish, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """How one model's pin differs between two locks; a version is absent where there is no pin."""

    model: str
    change: ChangeKind
    old_version: str | None
    new_version: str | None


def plan_lock(lock: Lock, wishes: Iterable[Wish], upgrade: Callable[[Wish], bool]) -> Plan:
    """Return which pins of `lock` stay for these wishes; all others must be resolved.

    A pin stays if its wish admits it and `upgrade` does not name it; it then carries the wish's text.
    """
    kept: list[Pin] = []
    asked: list[Wish] = []
    for wish in wishes:
        pin = lock.get(wish.model)
        if pin is None or upgrade(wish) or not pin.is_admitted_by(wish.selector):
            asked.append(wish)
        else:
            kept.append(replace(pin, requested=wish.selector.text))
    return Plan(tuple(kept), tuple(asked))


def choose(offers: Sequence[Offer], selector: Selector, age: AgeRule, now: datetime) -> Candidate:
    """Return what the selector means among `offers` (ascending by version) under the age rule.

    Pins are what they are, however young. Raises what `resolve` raises, and `TooYoung` if only a
    younger revision would be a good answer.
    """
    means_now = resolve([offer.candidate for offer in offers], selector)
    if is_pin(selector):
        return means_now
    old = [offer.candidate for offer in offers if _is_old(offer, age, now)]
    try:
        found = resolve(old, selector)
    except (NotFound, Gone):
        raise _too_young(offers, means_now, selector, age, now) from None
    if found.yanked and not means_now.yanked:
        raise _too_young(offers, means_now, selector, age, now, yanked=found)
    return found


def passed_over(
    offers: Sequence[Offer], chosen: Candidate, selector: Selector, age: AgeRule, now: datetime
) -> tuple[Offer, ...]:
    """Return the good revisions above the chosen one that only their age keeps out, highest first."""
    if is_pin(selector):
        return ()
    return tuple(
        offer
        for offer in reversed(offers)
        if offer.candidate.version > chosen.version
        and offer.candidate.is_served
        and not offer.candidate.yanked
        and _admits(selector, offer.candidate)
        and not _is_old(offer, age, now)
    )


def old_enough_at(offer: Offer, age: AgeRule) -> datetime:
    """Return when a revision reaches the age that a range asks for."""
    return offer.created_at + age.asks(offer.candidate.version)


def changes(old: Lock, new: Lock) -> tuple[Change, ...]:
    """Return how two locks differ, by model; pins that are equal are left out."""
    before = {pin.model: pin for pin in old.pins}
    after = {pin.model: pin for pin in new.pins}
    pairs = [(before.get(model), after.get(model)) for model in sorted({*before, *after})]
    return tuple(_change(a, b) for a, b in pairs if a != b)


def _change(a: Pin | None, b: Pin | None) -> Change:
    named = a or b
    assert named is not None
    old = None if a is None else str(a.version)
    new = None if b is None else str(b.version)
    return Change(named.model, _kind(a, b), old, new)


def _kind(a: Pin | None, b: Pin | None) -> ChangeKind:
    if a is None:
        return "added"
    if b is None:
        return "removed"
    if a.version == b.version:
        return "changed"
    return "upgraded" if a.version < b.version else "downgraded"


def _is_old(offer: Offer, age: AgeRule, now: datetime) -> bool:
    return old_enough_at(offer, age) <= now


def _admits(selector: Selector, candidate: Candidate) -> bool:
    admits = getattr(selector, "admits", None)
    return admits is not None and bool(admits(candidate.version))


def _too_young(
    offers: Iterable[Offer],
    wanted: Candidate,
    selector: Selector,
    age: AgeRule,
    now: datetime,
    yanked: Candidate | None = None,
) -> TooYoung:
    offer = next(one for one in offers if one.candidate.version == wanted.version)
    at = old_enough_at(offer, age)
    instead = f"and the older {yanked.version} is yanked" if yanked else "and nothing older matches"
    return TooYoung(
        f"{selector.text!r} means {wanted.version}, which is {age_text(now - offer.created_at)} old where"
        f" min_age asks for {age_text(age.min_age)}, {instead}. Wait until"
        f' {_rounded_up(at):%Y-%m-%d %H:%M} UTC, or take it now: allow_young = ["{wanted.version}"] in'
        " node-data.toml, or --allow-young MODEL",
        field="min_age",
        details={"version": str(wanted.version), "old_enough_at": at.isoformat()},
    )


def _rounded_up(at: datetime) -> datetime:
    return at + timedelta(minutes=1)
