"""What the registry says of locked revisions, or what was last heard where it says nothing.

it answers              the marks of now; another content under the version is an error, loudly
it answers "retired"    a copy that is whole here may still be used, with a warning
it does not within 3 s  all pins that are whole here are used, with a warning, as last heard of
offline                 the same without a word
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from nodedata_registry import wire
from nodedata_registry.core.audit import Seen, changed
from nodedata_registry.core.lockfile import Pin
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import (
    DigestMismatch,
    NodeDataError,
    NotInCache,
    RegistryUnreachable,
    RevisionRetired,
    RevisionYanked,
    TransferFailed,
    Unavailable,
)
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.connection import FIRST_ANSWER_SECONDS, Connection
from nodedata_registry.sdk.index import KnownRevision
from nodedata_registry.sdk.locate import Surroundings
from nodedata_registry.sdk.notices import (
    RegistryUnreachableWarning,
    YankedRevisionWarning,
    issue,
    yank_message,
)
from nodedata_registry.sdk.project_files import LockWarning, wire_yank

_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Heard:
    """A pin with what is known of its revision; `fresh` if the registry itself said so just now."""

    pin: Pin
    known: KnownRevision
    fresh: bool


def hear(
    around: Surroundings, pins: Sequence[Pin], is_whole: Callable[[Pin], bool], *, offline: bool
) -> list[Heard]:
    """Return what is known of each pin; `is_whole` says whether the cache has all its files.

    Raises:
        NotInCache: offline, and files are missing.
        RegistryUnreachable: the registry is silent, and files are missing.
        DigestMismatch: the version does not have the content that was locked.
        RevisionQuarantined, RevisionRetired, RevisionNotFound, ModelNotFound: it says so.
    """
    if offline or around.offline or around.connection is None:
        _refuse_missing(around, pins, is_whole)
        return [last_heard(around, pin) for pin in pins]
    heard: list[Heard] = []
    for pin in pins:
        try:
            heard.append(_ask(around, around.connection, pin, is_whole(pin)))
        except (Unavailable, TransferFailed) as error:
            if isinstance(error, DigestMismatch):
                raise
            # Whoever did not answer once is not waited for again: a robot may have many models.
            return [*heard, *_without(around, pins[len(heard) :], is_whole, error)]
    return heard


def last_heard(around: Surroundings, pin: Pin) -> Heard:
    """Return what the cache remembers of a pin's revision, or else what the lock says.

    Raises:
        DigestMismatch: the cache has heard of another content under this version.
    """
    kept = next(
        (one for one in around.cache.index.revisions(pin.model_id) if one.version == str(pin.version)), None
    )
    if kept is None:
        return Heard(pin, _known(pin, wire_yank(pin.yanked)), fresh=False)
    refuse_changed(pin, kept.digest, kept.commit)
    return Heard(pin, kept, fresh=False)


def refuse_changed(pin: Pin, digest: str, commit: str) -> None:
    """Return if a version has the content that was locked; raises `DigestMismatch`, loudly, if not."""
    seen = Seen(pin.version, digest, commit, _LONG_AGO)
    finding = changed(pin, seen)
    if finding is not None:
        raise DigestMismatch(
            f"{finding.message}; nothing was restored",
            details={"model": pin.model, "version": str(pin.version), "locked": pin.digest, "found": digest},
        )


def tell_yanks(heard: Sequence[Heard], on_yanked: str) -> None:
    """Warn of every yanked pin; with `on_yanked="error"` raise `RevisionYanked` that lists them all."""
    yanked = [(one, one.known.yanked) for one in heard if one.known.yanked is not None]
    messages = [yank_message(one.pin.model, one.known.version, yank) for one, yank in yanked]
    if on_yanked != "error":
        for message in messages:
            issue(YankedRevisionWarning(message))
    elif yanked:
        reasons = [
            {
                "model": one.pin.model,
                "version": one.known.version,
                "reason": yank.reason,
                "at": yank.at.isoformat(),
            }
            for one, yank in yanked
        ]
        raise RevisionYanked("; ".join(messages), field="revision", details={"reasons": reasons})


def _ask(around: Surroundings, connection: Connection, pin: Pin, whole: bool) -> Heard:
    call = calls.resolve(pin.model_id, str(pin.version), None)
    try:
        answer = connection.ask_within(call, FIRST_ANSWER_SECONDS) if whole else connection.ask(call)
    except RevisionRetired as error:
        if not whole:
            raise
        issue(LockWarning(f"{pin.model} {pin.version} is used from the cache: {error.message}"))
        return last_heard(around, pin)
    _check_version(pin, answer)
    refuse_changed(pin, answer.digest, answer.commit)
    known = _known(pin, answer.yanked)
    around.cache.index.put_revision(around.registry, pin.model, known)
    return Heard(pin, known, fresh=True)


def _check_version(pin: Pin, answer: wire.Resolution) -> None:
    if (answer.model_id, Version.parse(answer.resolved)) != (pin.model_id, pin.version):
        raise DigestMismatch(
            f"{pin.model_id} {pin.version} was asked for and the registry answered {answer.model_id}"
            f" {answer.resolved}; nothing was restored"
        )


def _without(
    around: Surroundings, pins: Sequence[Pin], is_whole: Callable[[Pin], bool], error: NodeDataError
) -> list[Heard]:
    """Return what was last heard of pins for which the registry has no answer."""
    missing = [pin for pin in pins if not is_whole(pin)]
    if missing:
        named = ", ".join(f"{pin.model} {pin.version}" for pin in missing[:5])
        raise RegistryUnreachable(
            f"{error.message}; nothing was restored: the cache lacks files of {named}",
            request_id=error.request_id,
            details={"missing": [f"{pin.model}@{pin.version}" for pin in missing]},
        ) from error
    issue(
        RegistryUnreachableWarning(
            f"{error.message}; the locked revisions are served from the cache, with the yank states last"
            " heard of"
        )
    )
    return [last_heard(around, pin) for pin in pins]


def _refuse_missing(around: Surroundings, pins: Sequence[Pin], is_whole: Callable[[Pin], bool]) -> None:
    missing = [f"{pin.model}@{pin.version}" for pin in pins if not is_whole(pin)]
    if missing:
        raise NotInCache(
            f"offline, and the cache {around.cache.root} lacks files of {', '.join(missing[:5])}; run"
            " `node-data sync` once while the registry can be reached",
            details={"missing": missing},
        )


def _known(pin: Pin, yanked: wire.Yank | None) -> KnownRevision:
    return KnownRevision(pin.model_id, pin.model, str(pin.version), pin.digest, pin.commit, yanked)
