"""Selectors: what a caller passes as `revision=`, and the one revision that it means.

    exact      1.4.0  =1.4.0  v1.4.0        one full version
    range      ^1  ~1.4  >=1.2 <2  *        npm's ranges (module `ranges`)
    latest     latest                       the highest that is not yanked
    digest     sha256:<64 hex>              the content itself

The order of resolution: revisions that are retired or quarantined are no answer; of the others that match,
the highest that is not yanked; if all are yanked, the highest, because a yank must not break a deployment.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nodedata_registry.core.digests import is_sha256
from nodedata_registry.core.ranges import Span, parse_range
from nodedata_registry.core.versions import Triple, Version
from nodedata_registry.errors import (
    InvalidSelector,
    InvalidVersion,
    RevisionNotFound,
    RevisionQuarantined,
    RevisionRetired,
)

MAX_SELECTOR_CHARACTERS = 256
LATEST = "latest"
DIGEST_PREFIX = "sha256:"

_LINE_BREAKING = ("Cc", "Cs", "Zl", "Zp")
# JavaScript's white space without line breaks and tabs, which are refused as control characters.
_WHITE_SPACE = (
    " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\ufeff"
)


@dataclass(frozen=True, slots=True)
class Exact:
    """One full version, a pin."""

    text: str
    version: Version

    def admits(self, version: Version) -> bool:
        """Return whether `version` is this one."""
        return version == self.version


@dataclass(frozen=True, slots=True)
class Range:
    """A range of versions: ascending, disjoint spans, none of which is empty."""

    text: str
    spans: tuple[Span, ...]

    def admits(self, version: Version) -> bool:
        """Return whether `version` lies in one of the spans."""
        return any(span.admits(version.numbers) for span in self.spans)


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest version that is not yanked."""

    text: str = LATEST

    def admits(self, version: Version) -> bool:
        """Return `True`: any version may be the latest."""
        return True


@dataclass(frozen=True, slots=True)
class ByDigest:
    """The content with this manifest digest (64 lower-case hex), a pin."""

    text: str
    digest: str


Selector: TypeAlias = Exact | Range | Latest | ByDigest


@dataclass(frozen=True, slots=True)
class Candidate:
    """What resolution must know about one revision; `digest` is the manifest's, 64 hex."""

    version: Version
    digest: str
    yanked: bool = False
    retired: bool = False
    quarantined: bool = False

    @property
    def is_served(self) -> bool:
        """Whether its files can be had at all."""
        return not (self.retired or self.quarantined)


def is_pin(selector: Selector) -> bool:
    """Return whether the selector can only ever mean one content: an exact version or a digest."""
    return isinstance(selector, Exact | ByDigest)


def parse_selector(text: str) -> Selector:
    """Return what `text` selects; `.text` of the result is the text without outer white space.

    Time is linear in the text, of which at most 256 characters are read.

    Raises `InvalidSelector` for blank or overlong text, control characters (line and paragraph separators
    among them), empty alternatives, pre-release and build parts, and whatever else no selector is.

    >>> parse_selector(" v1.4.0 ")
    Exact(text='v1.4.0', version=Version(major=1, minor=4, patch=0))
    >>> parse_selector("~1.4").admits(Version(1, 4, 9))
    True
    >>> parse_selector("sha256:abc")
    Traceback (most recent call last):
    nodedata_registry.errors.InvalidSelector: 'sha256:abc' is no digest: 64 hex digits must follow `sha256:`.
    """
    trimmed = _checked(text)
    if trimmed == LATEST:
        return Latest()
    if trimmed.startswith(DIGEST_PREFIX):
        return ByDigest(trimmed, _read_digest(trimmed))
    version = _full_version(trimmed)
    if version is not None:
        return Exact(trimmed, version)
    try:
        return Range(trimmed, parse_range(trimmed))
    except InvalidSelector as error:
        raise _refused(f"{trimmed!a} is not a selector: {error.message}", **error.details) from error


def select(versions: Iterable[str], selector: str) -> str | None:
    """Return the highest of `versions` that `selector` admits, or `None`.

    The pure rule, without yanks: `latest` means `*` here. Linear in `versions`.

    Raises `InvalidSelector` (for `sha256:` too, as versions have no content here) and `InvalidVersion`.

    >>> select(["1.4.0", "1.10.2", "2.0.0"], "^1")
    '1.10.2'
    >>> select(["1.4.0"], "^2") is None
    True
    """
    chosen = parse_selector(selector)
    if isinstance(chosen, ByDigest):
        raise _refused(
            "a list of versions cannot be searched by digest; pass a version, a range or `latest`."
        )
    admitted = [version for version in map(Version.parse, versions) if chosen.admits(version)]
    return str(max(admitted)) if admitted else None


def resolve(candidates: Sequence[Candidate], selector: Selector) -> Candidate:
    """Return the one revision that `selector` means among a model's revisions.

    `candidates` are all revisions of the model, ascending by version. An exact version, a range or `latest`
    costs a binary search, plus one step for each yanked, retired or quarantined match above the answer; a
    digest is looked for from the top, at worst through all of them. Whether a yanked answer is refused or
    warned about is the caller's business.

    Raises `RevisionNotFound` if nothing matches, `RevisionRetired` if all that match are retired,
    `RevisionQuarantined` if none that match is served and one of them was taken down.
    """
    yanked: Candidate | None = None
    unserved: list[Candidate] = []
    for candidate in _matches(candidates, selector):
        if not candidate.is_served:
            unserved.append(candidate)
        elif not candidate.yanked:
            return candidate
        else:
            yanked = yanked or candidate
    if yanked is not None:
        return yanked
    raise _unserved(selector, unserved) if unserved else _not_found(candidates, selector)


def suggested(candidates: Iterable[Candidate], version: Version) -> Version | None:
    """Return where to go from the yanked `version`, or `None`.

    The highest above it that is served and not yanked: in the same minor line, else in the same major.
    """
    above = [
        candidate.version
        for candidate in candidates
        if candidate.is_served
        and not candidate.yanked
        and candidate.version.major == version.major
        and candidate.version > version
    ]
    same_line = [other for other in above if other.minor == version.minor]
    return max(same_line or above, default=None)


def _checked(text: str) -> str:
    """Return `text` trimmed, if it may be a selector at all."""
    if len(text) > MAX_SELECTOR_CHARACTERS:
        raise _refused(
            f"the selector has {len(text)} characters; at most {MAX_SELECTOR_CHARACTERS} are read."
        )
    for character in text:
        if unicodedata.category(character) in _LINE_BREAKING:
            raise _refused(f"the selector {text!a} contains the control character {character!a}.")
    trimmed = text.strip(_WHITE_SPACE)
    if not trimmed:
        # An unset variable of a CI job must never come to mean "any version".
        raise _refused(
            "the selector is empty. Pass a version such as 1.4.0, a range such as ^1, `latest`, "
            "or sha256:<digest>."
        )
    return trimmed


def _full_version(text: str) -> Version | None:
    """Return the version if `text` is one full version, with or without `=` and `v` before it."""
    body = text[1:].lstrip(_WHITE_SPACE) if text.startswith("=") else text
    try:
        return Version.parse(body.removeprefix("v"))
    except InvalidVersion:
        return None


def _read_digest(text: str) -> str:
    """Return the 64 hex digits after `sha256:`."""
    digest = text.removeprefix(DIGEST_PREFIX).lower()
    if not is_sha256(digest):
        raise _refused(f"{text!a} is no digest: 64 hex digits must follow `sha256:`.")
    return digest


def _matches(candidates: Sequence[Candidate], selector: Selector) -> Iterator[Candidate]:
    """Yield the candidates that `selector` admits, from the highest down."""
    if isinstance(selector, Latest):
        yield from reversed(candidates)
    elif isinstance(selector, ByDigest):
        yield from (candidate for candidate in reversed(candidates) if candidate.digest == selector.digest)
    elif isinstance(selector, Exact):
        at = bisect_left(candidates, selector.version.numbers, key=_numbers)
        yield from (c for c in candidates[at : at + 1] if c.version == selector.version)
    else:
        for span in reversed(selector.spans):
            first = bisect_left(candidates, span.low, key=_numbers)
            end = len(candidates) if span.high is None else bisect_left(candidates, span.high, key=_numbers)
            yield from (candidates[at] for at in range(end - 1, first - 1, -1))


def _numbers(candidate: Candidate) -> Triple:
    """Return the key by which candidates are ordered."""
    return candidate.version.numbers


def _not_found(candidates: Sequence[Candidate], selector: Selector) -> RevisionNotFound:
    """Return the error for a selector that nothing matches."""
    known = f"its highest is {candidates[-1].version}" if candidates else "it has no revision yet"
    return RevisionNotFound(
        f"no revision of the model matches {selector.text!a}; {known}.",
        field="revision",
        details={"requested": selector.text},
    )


def _unserved(selector: Selector, matches: Sequence[Candidate]) -> RevisionRetired | RevisionQuarantined:
    """Return the error for a selector whose matches, highest first, are all retired or quarantined."""
    down = next((candidate for candidate in matches if candidate.quarantined), None)
    named = down or matches[0]
    details = {"requested": selector.text, "version": str(named.version)}
    if down is not None:
        return RevisionQuarantined(
            f"{selector.text!a} means {named.version}, which an operator took down; choose another.",
            field="revision",
            details=details,
        )
    return RevisionRetired(
        f"{selector.text!a} means {named.version}, whose files were removed by retention policy; "
        "choose a version that is kept.",
        field="revision",
        details=details,
    )


def _refused(message: str, **details: str) -> InvalidSelector:
    """Return the error for text that is no selector."""
    return InvalidSelector(message, field="revision", details=dict(details))
