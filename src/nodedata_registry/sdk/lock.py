"""Locking: what the wishes of a project mean now, written down so that it can be restored exactly.

    wishes  = node-data.toml, or what the caller names over what the lock requests already
    kept    = pins that their wish still admits; asked = all others, and what is to be upgraded

Each model that is asked for is resolved once; its files are those of the version that this gave.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from nodedata_registry import wire
from nodedata_registry.core.lockfile import LOCK_NAME, Lock, Pin, render_lock
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.project import PROJECT_NAME, Project, Wish, parse_age
from nodedata_registry.core.relock import (
    Offer,
    Plan,
    changes,
    choose,
    old_enough_at,
    passed_over,
    plan_lock,
)
from nodedata_registry.core.selectors import Candidate
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import DigestMismatch, InvalidRequest, LockOutdated
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.connection import Connection
from nodedata_registry.sdk.notices import YankedRevisionWarning, issue, yank_message
from nodedata_registry.sdk.project_files import (
    LocalPath,
    check_registry,
    find_lock,
    find_project,
    lock_path,
    locked_yank,
    read_lock_text,
    wire_yank,
    write_lock,
)

_PAGE_ITEMS = 100


class LockedModel(wire.Answer, frozen=True):
    """One pin of a lock; `yanked` is the state when it was locked."""

    model: str
    requested: str
    version: str
    digest: str
    commit: str
    model_id: str
    registry: str
    yanked: wire.Yank | None


class LockChange(wire.Answer, frozen=True):
    """How one pin changed: `added`, `removed`, `upgraded`, `downgraded` or `changed`."""

    model: str
    change: str
    old_version: str | None
    new_version: str | None


class PassedOver(wire.Answer, frozen=True):
    """A good version above the one chosen that `min_age` keeps out until `old_enough_at`."""

    model: str
    version: str
    old_enough_at: datetime


class LockResult(wire.Answer, frozen=True):
    """What locking came to; `changed` says whether the file was written."""

    path: str
    changed: bool
    models: list[LockedModel]
    changes: list[LockChange]
    passed_over: list[PassedOver]


@dataclass(frozen=True, slots=True)
class LockOrder:
    """What to lock and how, as the caller said it. `upgrade` is all, none, or models by name or id."""

    project: LocalPath
    models: Mapping[str, str]
    upgrade: bool | Collection[str] = False
    check: bool = False
    min_age: str | None = None
    allow_young: Collection[str] = ()
    on_yanked: str = "warn"


@dataclass(frozen=True, slots=True)
class Asker:
    """A registry that says what wishes mean."""

    connection: Connection
    registry: str


def lock(asker: Asker | None, order: LockOrder) -> LockResult:
    """Write the lock of a project folder, or check that it need not be written; see `NodeData.lock`.

    Without an `asker` nothing can be resolved: enough for a check.
    """
    if order.on_yanked not in ("warn", "error"):
        raise InvalidRequest(f'on_yanked is "warn" or "error", not {order.on_yanked!r}', field="on_yanked")
    wishes = _aged(order, _wishes(order))
    old = find_lock(order.project) or Lock()
    plan = plan_lock(old, wishes, _upgrade_rule(order, wishes))
    made, over = _resolved(asker, order, plan)
    _refuse_twice([*plan.kept, *made])
    new = Lock.of([*plan.kept, *made])
    changed = render_lock(new) != read_lock_text(order.project)
    result = _result(order, old, new, over, changed=changed)
    if changed and order.check:
        raise _outdated(result)
    if changed:
        write_lock(order.project, render_lock(new))
    return result


def disagreement(lock: Lock, project: Project) -> str | None:
    """Return in words how a lock fails the wishes of its project, or `None` if it does not."""
    plan = plan_lock(lock, project.wishes, lambda _: False)
    if plan.asked:
        wish = plan.asked[0]
        return f"{PROJECT_NAME} asks for {wish.model} {wish.selector.text!r}, which {LOCK_NAME} does not hold"
    if set(plan.kept) != set(lock.pins):
        return f"{LOCK_NAME} is not what {PROJECT_NAME} asks for"
    return None


def locked_model(pin: Pin) -> LockedModel:
    """Return a pin as answers state it."""
    return LockedModel(
        model=pin.model,
        requested=pin.requested,
        version=str(pin.version),
        digest=pin.digest,
        commit=pin.commit,
        model_id=pin.model_id,
        registry=pin.registry,
        yanked=wire_yank(pin.yanked),
    )


# --- what is wanted ---


def _wishes(order: LockOrder) -> tuple[Wish, ...]:
    project = find_project(order.project)
    if project is not None:
        if order.models:
            raise InvalidRequest(
                f"{PROJECT_NAME} says which models are locked here: write"
                f" {next(iter(order.models))!r} there, and lock without naming models",
                field="models",
            )
        return project.wishes
    named = tuple(Wish.of(model, revision) for model, revision in order.models.items())
    old = find_lock(order.project) or Lock()
    others = (pin for pin in old.pins if not any(pin.is_named(model) for model in order.models))
    wishes = (*(Wish.of(pin.model, pin.requested) for pin in others), *named)
    if not wishes:
        raise InvalidRequest(
            f"there is nothing to lock: write {PROJECT_NAME} (a table [models] with lines such as"
            ' "acme/grasp" = "^1"), or name models',
            field="models",
        )
    return wishes


def _aged(order: LockOrder, wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
    """Return the wishes under the age that the caller asks for, if it does, and the exceptions."""
    _check_known(order.allow_young, wishes, "allow_young")
    min_age = None if order.min_age is None else parse_age(order.min_age)
    return tuple(_with_age(wish, min_age, wish.model in order.allow_young) for wish in wishes)


def _with_age(wish: Wish, min_age: timedelta | None, all_exempt: bool) -> Wish:
    age = wish.age if min_age is None else replace(wish.age, min_age=min_age)
    return replace(wish, age=replace(age, all_exempt=all_exempt))


def _upgrade_rule(order: LockOrder, wishes: tuple[Wish, ...]) -> _Upgrade:
    if isinstance(order.upgrade, bool):
        return _Upgrade(None if order.upgrade else frozenset())
    names = (order.upgrade,) if isinstance(order.upgrade, str) else order.upgrade
    _check_known(names, wishes, "upgrade")
    return _Upgrade(frozenset(names))


@dataclass(frozen=True, slots=True)
class _Upgrade:
    """Which wishes are resolved anew: all if `models` is None."""

    models: frozenset[str] | None

    def __call__(self, wish: Wish) -> bool:
        return self.models is None or wish.model in self.models


def _check_known(models: Collection[str], wishes: tuple[Wish, ...], what: str) -> None:
    known = {wish.model for wish in wishes}
    for model in models:
        if model not in known:
            raise InvalidRequest(
                f"{model!r} is not among the models of this project: {', '.join(sorted(known))}", field=what
            )


def _refuse_twice(pins: Collection[Pin]) -> None:
    """Return if no model was asked for by its name and by its id."""
    seen: set[str] = set()
    for pin in pins:
        if pin.model_id in seen:
            raise InvalidRequest(
                f"{pin.model} is asked for twice, by name and as {pin.model_id}: remove one", field="models"
            )
        seen.add(pin.model_id)


# --- what it means ---


def _resolved(asker: Asker | None, order: LockOrder, plan: Plan) -> tuple[list[Pin], list[PassedOver]]:
    made: list[Pin] = []
    over: list[PassedOver] = []
    if plan.asked and (asker is None or (order.check and not order.upgrade)):
        # The answer cannot be what the lock holds, so the network need not be asked for it.
        wish = plan.asked[0]
        raise LockOutdated(
            f"{wish.model} {wish.selector.text!r} is asked for, and {LOCK_NAME} does not hold it:"
            " run `node-data lock`",
            details={"changes": [{"model": one.model, "change": "changed"} for one in plan.asked]},
        )
    if asker is None or not plan.asked:
        return made, over
    check_registry(plan.kept, asker.registry)
    for wish in plan.asked:
        pin, young = _ask(asker, wish, order.on_yanked)
        made.append(pin)
        over.extend(_passed_over(pin, wish, offer) for offer in young)
    return made, over


def _ask(asker: Asker, wish: Wish, on_yanked: str) -> tuple[Pin, tuple[Offer, ...]]:
    """Return the pin for a wish, and what only its age kept from being it."""
    model, selector = wish.model, wish.selector.text
    young: tuple[Offer, ...] = ()
    if wish.age.min_age and not wish.age.all_exempt:
        selector, young = _old_enough(asker.connection, wish)
    deny = "error" if on_yanked == "error" else None
    answer = asker.connection.ask(calls.resolve(model, selector, deny))
    files = asker.connection.ask(calls.manifest(answer.model_id, answer.resolved))
    manifest = Manifest.of(FileEntry(one.path, one.size_bytes, one.sha256) for one in files.files)
    pin = Pin(
        model=answer.model,
        requested=wish.selector.text,
        version=Version.parse(answer.resolved),
        manifest=manifest,
        commit=answer.commit,
        model_id=answer.model_id,
        registry=asker.registry,
        # The later of the two answers: a yank may have come between them.
        yanked=locked_yank(files.yanked),
    )
    if manifest.digest != answer.digest or not pin.is_admitted_by(wish.selector):
        raise DigestMismatch(
            f"{model} {selector} was asked for, and the registry answered {answer.resolved} ({answer.digest})"
            f" with files of the digest {manifest.digest}; nothing was locked"
        )
    _tell_yank(files)
    return pin, young


def _tell_yank(files: wire.Manifest) -> None:
    if files.yanked is not None:
        issue(YankedRevisionWarning(yank_message(files.model, files.resolved, files.yanked)))


def _old_enough(connection: Connection, wish: Wish) -> tuple[str, tuple[Offer, ...]]:
    """Return the version that the wish means under its age rule, and what that rule passes over."""
    now = datetime.now(timezone.utc)
    offers = [offer_of(one) for one in all_revisions(connection.ask, wish.model)]
    offers.sort(key=lambda offer: offer.candidate.version)
    chosen = choose(offers, wish.selector, wish.age, now)
    return str(chosen.version), passed_over(offers, chosen, wish.selector, wish.age, now)


def all_revisions(
    ask: Callable[[calls.Call[wire.Revisions]], wire.Revisions], model: str
) -> Iterator[wire.Revision]:
    """Yield every revision of a model, newest first; `ask` is called once for each hundred."""
    cursor: str | None = None
    while True:
        page = ask(calls.list_revisions(model, cursor, _PAGE_ITEMS))
        yield from page.items
        if not page.has_more:
            return
        cursor = page.next_cursor


def offer_of(revision: wire.Revision) -> Offer:
    """Return a revision as the age rule sees it."""
    candidate = Candidate(
        Version.parse(revision.version),
        revision.digest,
        yanked=revision.yanked is not None,
        retired=revision.retired is not None,
        quarantined=revision.quarantined is not None,
    )
    return Offer(candidate, revision.created_at)


def _passed_over(pin: Pin, wish: Wish, offer: Offer) -> PassedOver:
    at = old_enough_at(offer, wish.age)
    return PassedOver(model=pin.model, version=str(offer.candidate.version), old_enough_at=at)


# --- what is said ---


def _result(order: LockOrder, old: Lock, new: Lock, over: list[PassedOver], *, changed: bool) -> LockResult:
    return LockResult(
        path=str(lock_path(order.project)),
        changed=changed,
        models=[locked_model(pin) for pin in new.pins],
        changes=[
            LockChange(
                model=one.model,
                change=one.change,
                old_version=one.old_version,
                new_version=one.new_version,
            )
            for one in changes(old, new)
        ],
        passed_over=over,
    )


def _outdated(result: LockResult) -> LockOutdated:
    named = ", ".join(f"{one.model} ({one.change})" for one in result.changes[:5])
    return LockOutdated(
        f"{LOCK_NAME} would change: {named or 'only in how it is written'}; run `node-data lock`",
        details={"changes": [one.to_dict() for one in result.changes]},
    )
