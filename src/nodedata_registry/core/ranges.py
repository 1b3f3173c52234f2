"""npm's version ranges, read into spans of versions: `^1`, `~1.4`, `>=1.2 <2`, `1.2 - 1.4`, `^1 || ^2`.

Accepted is what `semver.validRange` of npm's `semver` 7 accepts, with its meaning, except that no alternative
may be empty and that pre-release and build parts are refused. As versions are three whole numbers, every
comparator is a half-line and every alternative one span `low <= version < high`.

The reader walks the text a few times from left to right and never backtracks, so its time is linear in the
text; where npm is odd (`~ > 1` is `~1`, `*1.2.3` is `1.2.3`) it follows, because the same range must not mean
two things in two tools. Source: npm `semver` 7, `classes/range.js`, `internal/re.js`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nodedata_registry.core.versions import MAX_NUMBER, Triple
from nodedata_registry.errors import InvalidSelector

_WILDCARDS = ("x", "X", "*")
_STARTS = frozenset("0123456789xX*")
_LEAD = frozenset("v= ")


class Span(NamedTuple):
    """The versions from `low`, included, up to `high`, excluded; `high=None` is without end."""

    low: Triple
    high: Triple | None

    def admits(self, numbers: Triple) -> bool:
        """Return whether the version with these numbers lies inside."""
        return self.low <= numbers and (self.high is None or numbers < self.high)

    def meet(self, other: Span) -> Span:
        """Return what lies in both; an empty span has `high <= low`."""
        ends = [span.high for span in (self, other) if span.high is not None]
        return Span(max(self.low, other.low), min(ends, default=None))


EVERYTHING = Span((0, 0, 0), None)
_NOTHING = Span((0, 0, 0), (0, 0, 0))


class _Partial(NamedTuple):
    """A version of which the right-hand numbers may be open (`None`): `1`, `1.x`, `1.4.*`."""

    lead: str
    major: int | None
    minor: int | None
    patch: int | None

    @property
    def is_full(self) -> bool:
        return self.major is not None and self.minor is not None and self.patch is not None

    @property
    def is_ordered(self) -> bool:
        """Whether no number stands to the right of an open one."""
        if self.major is None and self.minor is not None:
            return False
        return self.minor is not None or self.patch is None


def parse_range(text: str) -> tuple[Span, ...]:
    """Return the spans that the range `text` admits: ascending, disjoint, possibly none.

    The caller has refused control characters and overlong text.

    Raises `InvalidSelector`, naming the part that cannot be read.

    >>> parse_range("^1.4 || 3.x")
    (Span(low=(1, 4, 0), high=(2, 0, 0)), Span(low=(3, 0, 0), high=(4, 0, 0)))
    >>> parse_range(">2 <1")
    ()
    """
    # A byte order mark counts as white space in JavaScript, but not in Python.
    alternatives = [" ".join(part.split()) for part in text.replace("\ufeff", " ").split("||")]
    return _merged(_read_alternative(part) for part in alternatives)


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the union of spans as ascending, disjoint, non-empty ones."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.low):
        if span.high is not None and span.high <= span.low:
            continue
        last = merged[-1] if merged else None
        if last is None or (last.high is not None and last.high < span.low):
            merged.append(span)
        elif last.high is not None:
            high = None if span.high is None else max(last.high, span.high)
            merged[-1] = Span(last.low, high)
    return tuple(merged)


def _read_alternative(part: str) -> Span:
    """Return the span of one alternative, whose white space is collapsed."""
    if not part:
        raise _refused(part, "an alternative of `||` is empty; write `*` if any version will do")
    if "+" in part:
        raise _refused(part, "build parts do not exist here; leave out everything from the `+`")
    if " - " in part:
        return _read_hyphen(part)
    if "-" in part:
        raise _refused(part, "pre-release parts do not exist here; leave out everything from the `-`")
    span = EVERYTHING
    for token in _tokens(part):
        span = span.meet(_read_token(token))
    return span


def _read_hyphen(part: str) -> Span:
    """Return the span of `from - to`, both included, open numbers on the right standing for all."""
    sides = [_read_partial(side) for side in part.split(" - ")]
    if len(sides) != 2:
        raise _refused(part, "a hyphen range has two ends, such as 1.2 - 1.4")
    low, high = sides
    if low is None or high is None or not _lead_is_plain(low) or not _lead_is_plain(high):
        raise _refused(part, "both ends of a hyphen range are versions, such as 1.2 - 1.4")
    return Span(
        EVERYTHING.low if low.major is None else _floor(low),
        None if high.major is None else _ceiling(high),
    )


def _tokens(part: str) -> list[str]:
    """Return the comparators of an alternative, each operator joined to its version."""
    joined = _join_operators(part)
    return joined.replace("~> ", "~").replace("~ ", "~").replace("^ ", "^").split(" ")


def _join_operators(part: str) -> str:
    """Return `part` without the one space that may stand between an operator and its version."""
    out: list[str] = []
    at = 0
    while at < len(part):
        start = at
        at += part[at] in "<>"
        at = _skip(part, at, _LEAD)
        if at < len(part) and part[at] in _STARTS:
            out.append(_without_gap(part[start:at]))
            start, at = at, _skip(part, at, _STARTS | {"."})
        elif at == start:
            at += 1
        out.append(part[start:at])
    return "".join(out)


def _skip(text: str, at: int, characters: frozenset[str]) -> int:
    """Return the first index from `at` on whose character is none of `characters`."""
    while at < len(text) and text[at] in characters:
        at += 1
    return at


def _without_gap(lead: str) -> str:
    """Return what stands before a version, without the space that follows its operator."""
    end = 0
    for choices in (" ", "<>", "="):
        end += end < len(lead) and lead[end] in choices
    if lead[end : end + 1] == " ":
        return lead[:end] + lead[end + 1 :]
    return lead


def _read_token(token: str) -> Span:
    """Return the span of one comparator without spaces."""
    if token[0] == "^":
        return _caret(_required(token, token[1:]))
    if token[0] == "~":
        return _tilde(_required(token, token[1:].removeprefix(">")))
    operator, body = _split_operator(token)
    partial = _read_partial(body)
    if partial is None and "*" in token:
        operator, body = _split_operator(_without_star(token))
        partial = _read_partial(body)
        if partial is not None and not partial.is_full:
            partial = None
    if partial is None or not partial.is_ordered or not _lead_is_plain(partial):
        raise _refused(token, "that is no version, such as 1.4.0, 1.4 or 1.x, after an optional operator")
    return _compare(operator, partial)


def _required(token: str, body: str) -> _Partial:
    """Return the version after `^` or `~`."""
    partial = _read_partial(body)
    if partial is None:
        raise _refused(token, f"a version, such as 1.4, must follow `{token[0]}`")
    return partial


def _split_operator(token: str) -> tuple[str, str]:
    """Return the leading `<`, `<=`, `>`, `>=`, `=` or nothing, and the rest."""
    end = int(token[:1] in ("<", ">"))
    end += token[end : end + 1] == "="
    return token[:end], token[end:]


def _without_star(token: str) -> str:
    """Return `token` without its first `*` and an operator right before that, as npm reads it."""
    before, _, after = token.partition("*")
    before = before.removesuffix("=")
    if before.endswith(("<", ">")):
        before = before[:-1]
    return before + after


def _lead_is_plain(partial: _Partial) -> bool:
    """Whether a full version has no more than a `v` before it; open ones may have any of `v`, `=`."""
    return not partial.is_full or partial.lead in ("", "v")


def _read_partial(text: str) -> _Partial | None:
    """Return the version with open numbers that `text` spells, or `None`."""
    body = text.lstrip("v= ")
    parts = body.split(".")
    if len(parts) > 3 or not all(_is_component(part) for part in parts):
        return None
    numbers = [None if part in _WILDCARDS else int(part) for part in parts]
    major, minor, patch = numbers + [None] * (3 - len(numbers))
    return _Partial(text[: len(text) - len(body)], major, minor, patch)


def _is_component(part: str) -> bool:
    """Whether `part` is a wildcard or a decimal number without leading zeros."""
    if part in _WILDCARDS:
        return True
    return part.isascii() and part.isdigit() and (part == "0" or part[0] != "0")


def _caret(partial: _Partial) -> Span:
    """Return `^`: changes are allowed to the right of the leftmost number that is not zero."""
    major, minor, patch = partial[1:]
    if major is None:
        return EVERYTHING
    if major or minor is None:
        return Span(_floor(partial), _bound(major + 1, 0, 0))
    if minor or patch is None:
        return Span(_floor(partial), _bound(major, minor + 1, 0))
    return Span(_floor(partial), _bound(major, minor, patch + 1))


def _tilde(partial: _Partial) -> Span:
    """Return `~`: patches are allowed; minors too, where only a major is given."""
    if partial.major is None:
        return EVERYTHING
    return Span(_floor(partial), _ceiling(partial._replace(patch=None)))


def _compare(operator: str, partial: _Partial) -> Span:
    """Return the span of an operator before a version; open numbers stand for all of them."""
    if partial.major is None:
        return _NOTHING if operator in ("<", ">") else EVERYTHING
    if operator == "<":
        return Span(EVERYTHING.low, _floor(partial))
    if operator == "<=":
        return Span(EVERYTHING.low, _ceiling(partial))
    if operator == ">":
        return Span(_ceiling(partial), None)
    return Span(_floor(partial), None if operator == ">=" else _ceiling(partial))


def _floor(partial: _Partial) -> Triple:
    """Return the lowest version that `partial` stands for; its major is given."""
    if partial.minor is None:
        return _bound(partial.major or 0, 0, 0)
    return _bound(partial.major or 0, partial.minor, partial.patch or 0)


def _ceiling(partial: _Partial) -> Triple:
    """Return the first numbers above all that `partial` stands for; its major is given."""
    major = partial.major or 0
    if partial.minor is None:
        return _bound(major + 1, 0, 0)
    if partial.patch is None:
        return _bound(major, partial.minor + 1, 0)
    # npm compares with the full version itself, so only that one must be in bounds.
    _, _, patch = _bound(major, partial.minor, partial.patch)
    return (major, partial.minor, patch + 1)


def _bound(major: int, minor: int, patch: int) -> Triple:
    """Return the three numbers, each of which can stand in a version."""
    if max(major, minor, patch) > MAX_NUMBER:
        raise InvalidSelector(f"a range may not reach beyond the number {MAX_NUMBER}.", field="revision")
    return (major, minor, patch)


def _refused(part: str, problem: str) -> InvalidSelector:
    """Return the error for one part of a range."""
    return InvalidSelector(f"{part!a} cannot be read: {problem}.", field="revision", details={"part": part})
