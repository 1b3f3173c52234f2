"""Laws of selectors and of resolution."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.selectors import (
    ByDigest,
    Candidate,
    Exact,
    Range,
    Selector,
    is_pin,
    parse_selector,
    resolve,
    select,
    suggested,
)
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidSelector, RevisionNotFound, RevisionQuarantined, RevisionRetired

SMALL = st.builds(Version, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
PARTIALS = st.lists(st.sampled_from(["0", "1", "2", "3", "x"]), min_size=1, max_size=3).map(".".join)
COMPARATORS = st.tuples(st.sampled_from(["", "^", "~", ">", ">=", "<", "<=", "="]), PARTIALS).map("".join)
RANGES = st.lists(COMPARATORS, min_size=1, max_size=3).map(" ".join)
SELECTORS = st.one_of(
    RANGES, st.lists(RANGES, min_size=1, max_size=3).map(" || ".join), st.just("latest"), SMALL.map(str)
)
DIGESTS = st.sampled_from(["a" * 64, "b" * 64])
CANDIDATES = st.lists(
    st.builds(Candidate, SMALL, DIGESTS, st.booleans(), st.booleans(), st.booleans()),
    max_size=15,
    unique_by=lambda candidate: candidate.version,
).map(lambda found: sorted(found, key=lambda candidate: candidate.version))


def parsed(text: str) -> Selector | None:
    try:
        return parse_selector(text)
    except InvalidSelector:
        return None


def matches(selector: Selector, candidate: Candidate) -> bool:
    if isinstance(selector, ByDigest):
        return candidate.digest == selector.digest
    return selector.admits(candidate.version)


def by_the_letter(candidates: list[Candidate], selector: Selector) -> Candidate | type[Exception]:
    """The contract's words, without any thought of speed."""
    matching = [c for c in candidates if matches(selector, c)]
    served = [c for c in matching if not c.retired and not c.quarantined]
    fresh = [c for c in served if not c.yanked]
    if served:
        return max(fresh or served, key=lambda c: c.version)
    if any(c.quarantined for c in matching):
        return RevisionQuarantined
    return RevisionRetired if matching else RevisionNotFound


@given(CANDIDATES, SELECTORS)
def test_resolution_is_what_the_contract_says(candidates: list[Candidate], text: str) -> None:
    selector = parsed(text)
    if selector is None:
        return
    expected = by_the_letter(candidates, selector)
    try:
        found: Candidate | type[Exception] = resolve(candidates, selector)
    except (RevisionNotFound, RevisionRetired, RevisionQuarantined) as error:
        found = type(error)
    assert found == expected


@given(CANDIDATES, DIGESTS)
def test_a_digest_resolves_as_the_contract_says(candidates: list[Candidate], digest: str) -> None:
    selector = ByDigest(f"sha256:{digest}", digest)
    expected = by_the_letter(candidates, selector)
    try:
        assert resolve(candidates, selector) == expected
    except (RevisionNotFound, RevisionRetired, RevisionQuarantined) as error:
        assert type(error) is expected


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_as_a_selector(text: str) -> None:
    selector = parsed(text)
    if selector is not None:
        assert parse_selector(selector.text) == selector


@given(st.text(alphabet="0123.xX*v=<>^~|- +", max_size=40))
def test_any_range_like_text_is_read_or_refused(text: str) -> None:
    selector = parsed(text)
    if isinstance(selector, Exact):
        assert is_pin(selector)
        assert selector.admits(selector.version)


@given(RANGES, RANGES, SMALL)
def test_bars_unite_and_spaces_intersect(left: str, right: str, version: Version) -> None:
    first, second = parsed(left), parsed(right)
    if first is None or second is None or isinstance(first, ByDigest) or isinstance(second, ByDigest):
        return
    either, both = parse_selector(f"{left} || {right}"), parse_selector(f"{left} {right}")
    assert isinstance(either, Range)
    assert isinstance(both, Range)
    assert either.admits(version) == (first.admits(version) or second.admits(version))
    assert both.admits(version) == (first.admits(version) and second.admits(version))


@given(RANGES)
def test_spans_are_ascending_disjoint_and_not_empty(text: str) -> None:
    selector = parsed(f"{text} || {text} || 3.x")
    if not isinstance(selector, Range):
        return
    edges = [edge for span in selector.spans for edge in span if edge is not None]
    assert edges == sorted(set(edges))


@given(st.lists(SMALL, max_size=10), SELECTORS)
def test_select_gives_the_highest_admitted_or_none(versions: list[Version], text: str) -> None:
    selector = parsed(text)
    if selector is None or isinstance(selector, ByDigest):
        return
    admitted = [v for v in versions if selector.admits(v)]
    assert select(map(str, versions), text) == (str(max(admitted)) if admitted else None)


@given(CANDIDATES, SMALL)
def test_a_suggestion_is_higher_in_the_same_major_and_can_be_had(
    candidates: list[Candidate], version: Version
) -> None:
    found = suggested(candidates, version)
    if found is None:
        return
    chosen = next(c for c in candidates if c.version == found)
    assert chosen.is_served
    assert not chosen.yanked
    assert found > version
    assert found.major == version.major
