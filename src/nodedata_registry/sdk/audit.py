"""Auditing a lock: what the registry says now of each pin, or what was last heard of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Literal

from nodedata_registry import wire
from nodedata_registry.core.audit import AuditFinding, Level, Seen, audit_pin, yanked
from nodedata_registry.core.lockfile import Lock, Pin
from nodedata_registry.core.project import AgeRule, Project
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import (
    DigestMismatch,
    InvalidRequest,
    RegistryUnreachable,
    TransferFailed,
    Unavailable,
)
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.connection import FIRST_ANSWER_SECONDS
from nodedata_registry.sdk.heard import last_heard
from nodedata_registry.sdk.locate import Surroundings
from nodedata_registry.sdk.lock import all_revisions, locked_model
from nodedata_registry.sdk.notices import RegistryUnreachableWarning, issue
from nodedata_registry.sdk.project_files import (
    LocalPath,
    check_registry,
    find_project,
    locked_yank,
    read_lock,
)

LevelName = Literal["fine", "newer", "yanked", "retired", "quarantined", "changed"]


class Finding(wire.Answer, frozen=True):
    """One thing to know about a pin. `level` says how bad it is, `suggested` where to go."""

    model: str
    version: str
    requested: str
    code: str
    level: LevelName
    message: str
    suggested: str | None


class AuditResult(wire.Answer, frozen=True):
    """What was found out about a lock. `level` is that of the worst finding.

    `source` is `registry`, or `cache` where the states are those last heard of.
    """

    level: LevelName
    source: Literal["registry", "cache"]
    findings: list[Finding]
    models: list[str]


@dataclass(frozen=True, slots=True)
class AuditOrder:
    """What to audit and how, as the caller said it."""

    project: LocalPath
    offline: bool | str | None = None
    any_registry: bool = False


def audit(around: Surroundings, order: AuditOrder) -> AuditResult:
    """Return what is to be said of the locked revisions; see `NodeData.audit`."""
    if order.offline is not None and order.offline != "fallback" and not isinstance(order.offline, bool):
        raise InvalidRequest(f'offline is None, True or "fallback", not {order.offline!r}', field="offline")
    lock = read_lock(order.project)
    if not order.any_registry:
        check_registry(lock.pins, around.registry)
    if order.offline is True or around.offline or around.connection is None:
        return _remembered(around, lock)
    try:
        connection = around.connection
        # As for downloads: where the cache may stand in, the registry is waited for 3 s and no more.
        hurried = order.offline == "fallback"
        ask = partial(connection.ask_within, seconds=FIRST_ANSWER_SECONDS) if hurried else connection.ask
        return _asked(ask, lock, find_project(order.project))
    except (Unavailable, TransferFailed) as error:
        if order.offline != "fallback" or not isinstance(error, RegistryUnreachable | TransferFailed):
            raise
        issue(RegistryUnreachableWarning(f"{error.message}; told is what was last heard of each pin"))
        return _remembered(around, lock)


def _asked(
    ask: Callable[[calls.Call[wire.Revisions]], wire.Revisions], lock: Lock, project: Project | None
) -> AuditResult:
    now = datetime.now(timezone.utc)
    found = []
    for pin in lock.pins:
        seen = [_seen(one) for one in all_revisions(ask, pin.model_id)]
        found += [_finding(pin, one) for one in audit_pin(pin, seen, _age(pin, project), now)]
    return _result(lock, "registry", found)


def _remembered(around: Surroundings, lock: Lock) -> AuditResult:
    found = [_finding(pin, one) for pin in lock.pins for one in _last_findings(around, pin)]
    return _result(lock, "cache", found)


def _last_findings(around: Surroundings, pin: Pin) -> tuple[AuditFinding, ...]:
    try:
        yank = locked_yank(last_heard(around, pin).known.yanked)
    except DigestMismatch as error:
        return (AuditFinding("pin_changed", Level.CHANGED, error.message),)
    return () if yank is None else (yanked(pin, yank),)


def _age(pin: Pin, project: Project | None) -> AgeRule:
    wishes = () if project is None else project.wishes
    return next((wish.age for wish in wishes if pin.is_named(wish.model)), AgeRule())


def _seen(revision: wire.Revision) -> Seen:
    return Seen(
        Version.parse(revision.version),
        revision.digest,
        revision.commit,
        revision.created_at,
        revision.changelog,
        locked_yank(revision.yanked),
        None if revision.retired is None else revision.retired.reason,
        None if revision.quarantined is None else revision.quarantined.reason,
    )


def _finding(pin: Pin, found: AuditFinding) -> Finding:
    locked = locked_model(pin)
    return Finding(
        model=locked.model,
        version=locked.version,
        requested=locked.requested,
        code=found.code,
        level=_name(found.level),
        message=found.message,
        suggested=found.suggested,
    )


def _result(lock: Lock, source: Literal["registry", "cache"], found: Sequence[Finding]) -> AuditResult:
    worst = max((Level[one.level.upper()] for one in found), default=Level.FINE)
    return AuditResult(
        level=_name(worst),
        source=source,
        findings=list(found),
        models=[pin.model for pin in lock.pins],
    )


def _name(level: Level) -> LevelName:
    return level.name.lower()  # type: ignore[return-value]
