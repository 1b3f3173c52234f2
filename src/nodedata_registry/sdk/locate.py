"""What a selector means: from the registry, or from what the cache remembers when there is none.

offline (argument or NODE_DATA_OFFLINE)   the network is never asked
the registry answers                      its answer, which the cache remembers
it does not within 3 s                    a pin that is whole in the cache, with a warning;
                                          ranges only with offline="fallback"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from nodedata_registry import wire
from nodedata_registry.core.names import parse_model_ref
from nodedata_registry.core.selectors import (
    ByDigest,
    Candidate,
    Exact,
    Selector,
    is_pin,
    parse_selector,
    resolve,
)
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import (
    DigestMismatch,
    InvalidRequest,
    NodeDataError,
    NotInCache,
    RegistryUnreachable,
    RevisionYanked,
    TransferFailed,
    Unavailable,
)
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.cache import Cache
from nodedata_registry.sdk.connection import FIRST_ANSWER_SECONDS, Connection
from nodedata_registry.sdk.index import KnownRevision
from nodedata_registry.sdk.notices import (
    RegistryUnreachableWarning,
    YankedRevisionWarning,
    issue,
    yank_message,
)

OnYanked = Literal["warn", "error"]
Offline = bool | Literal["fallback"] | None
IsWhole = Callable[[KnownRevision], bool]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What downloads work with. `registry` names the registry that model names belong to."""

    connection: Connection | None
    cache: Cache
    registry: str
    offline: bool


@dataclass(frozen=True, slots=True)
class Question:
    """A model and a selector as the caller gave them, and how to treat yanks and absence."""

    model: str
    selector: Selector
    on_yanked: OnYanked
    offline: Offline

    @classmethod
    def of(cls, model: str, revision: str, on_yanked: str, offline: object) -> Question:
        """Check the arguments of a download.

        Raises:
            InvalidName, InvalidSelector, InvalidRequest: one of them is malformed.
        """
        parse_model_ref(calls.require_text(model, "model_id"))
        selector = parse_selector(calls.require_text(revision, "revision"))
        if on_yanked not in ("warn", "error"):
            raise InvalidRequest(f'on_yanked is "warn" or "error", not {on_yanked!r}', field="on_yanked")
        if offline is not None and offline != "fallback" and not isinstance(offline, bool):
            raise InvalidRequest(f'offline is None, True or "fallback", not {offline!r}', field="offline")
        return cls(model, selector, on_yanked, offline)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Found:
    """The revision that a question means; `fresh` if the registry itself said so."""

    requested: str
    known: KnownRevision
    fresh: bool


def locate(around: Surroundings, question: Question, is_whole: IsWhole) -> Found:
    """Return the revision meant, after issuing the warnings that belong to it.

    `is_whole` says whether the cache has what the caller needs of a revision.

    Raises:
        NotInCache: offline, and the cache cannot answer.
        RegistryUnreachable: the registry did not answer, and the cache could not stand in.
        RevisionYanked: the answer is yanked and `on_yanked` is "error".
    """
    if around.connection is None or around.offline or question.offline is True:
        found = _from_cache(around, question, is_whole)
    else:
        found = _from_registry(around, around.connection, question, is_whole)
    _tell_yank(found, question)
    return found


def _from_registry(
    around: Surroundings, connection: Connection, question: Question, is_whole: IsWhole
) -> Found:
    deny = "error" if question.on_yanked == "error" else None
    call = calls.resolve(question.model, question.selector.text, deny)
    substitute = _substitute(around, question, is_whole)
    try:
        if substitute is None and is_pin(question.selector):
            # Nothing else could answer, now or later: a slow registry is worth waiting for.
            answer = connection.ask(call)
        else:
            answer = connection.ask_within(call, FIRST_ANSWER_SECONDS)
    except (Unavailable, TransferFailed) as error:
        if substitute is None:
            raise _no_substitute(question, error) from error
        issue(
            RegistryUnreachableWarning(
                f"{error.message}; {question.model} {substitute.version} is served from the cache,"
                " with the yank state last heard of"
            )
        )
        return Found(question.selector.text, substitute, fresh=False)
    return Found(question.selector.text, _remembered(around, question, answer), fresh=True)


def _substitute(around: Surroundings, question: Question, is_whole: IsWhole) -> KnownRevision | None:
    """Return what may stand in for a silent registry; pins always may, ranges if asked for."""
    if not is_pin(question.selector) and question.offline != "fallback":
        return None
    return _best(_cached(around, question, is_whole), question.selector)


def _from_cache(around: Surroundings, question: Question, is_whole: IsWhole) -> Found:
    selector = question.selector
    if not is_pin(selector) and question.offline != "fallback":
        raise NotInCache(
            f"offline, and {selector.text!r} may mean another revision by now: pin a version or digest,"
            ' or pass offline="fallback" to take the best match in the cache',
            field="revision",
            details={"missing": [f"{question.model}@{selector.text}"]},
        )
    best = _best(_cached(around, question, is_whole), selector)
    if best is None:
        raise NotInCache(
            f"offline, and the cache {around.cache.root} lacks {question.model} {selector.text!r};"
            " download it once while the registry can be reached",
            field="revision",
            details={"missing": [f"{question.model}@{selector.text}"]},
        )
    return Found(selector.text, best, fresh=False)


def _cached(around: Surroundings, question: Question, is_whole: IsWhole) -> list[KnownRevision]:
    ref = parse_model_ref(question.model)
    model_id = ref.id or around.cache.index.model_id(around.registry, question.model)
    if model_id is None:
        return []
    matching = [one for one in around.cache.index.revisions(model_id) if _admits(question.selector, one)]
    return [one for one in matching if is_whole(one)]


def _admits(selector: Selector, known: KnownRevision) -> bool:
    if isinstance(selector, ByDigest):
        return known.digest == selector.digest
    return selector.admits(Version.parse(known.version))


def _best(known: Iterable[KnownRevision], selector: Selector) -> KnownRevision | None:
    by_version = {Version.parse(one.version): one for one in known}
    if not by_version:
        return None
    candidates = [
        Candidate(version, one.digest, yanked=one.yanked is not None)
        for version, one in sorted(by_version.items())
    ]
    return by_version[resolve(candidates, selector).version]


def _remembered(around: Surroundings, question: Question, answer: wire.Resolution) -> KnownRevision:
    selector = question.selector
    honest = not (isinstance(selector, ByDigest) and answer.digest != selector.digest) and not (
        isinstance(selector, Exact) and answer.resolved != str(selector.version)
    )
    if not honest:
        raise DigestMismatch(
            f"{selector.text} was asked for and the registry answered {answer.resolved} ({answer.digest})"
        )
    known = KnownRevision(
        answer.model_id, answer.model, answer.resolved, answer.digest, answer.commit, answer.yanked
    )
    around.cache.index.put_revision(around.registry, question.model, known)
    return known


def _tell_yank(found: Found, question: Question) -> None:
    yank = found.known.yanked
    if yank is None:
        return
    message = yank_message(found.known.model, found.known.version, yank)
    if question.on_yanked == "error":
        reason = {"version": found.known.version, "reason": yank.reason, "at": yank.at.isoformat()}
        raise RevisionYanked(message, field="revision", details={"reasons": [reason]})
    issue(YankedRevisionWarning(message))


def _no_substitute(question: Question, error: NodeDataError) -> NodeDataError:
    """Return the error to raise: an answer of the registry's own stays what it is."""
    if not isinstance(error, RegistryUnreachable):
        return error
    advice = (
        "it is not whole in the cache"
        if is_pin(question.selector)
        else 'a pin that is in the cache would do, or offline="fallback"'
    )
    return RegistryUnreachable(
        f"{error.message}; nothing stands in for {question.model} {question.selector.text!r}: {advice}",
        request_id=error.request_id,
    )
