"""Laws of versions and of the successor rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.versions import (
    MAX_NUMBER,
    Bump,
    Version,
    check_successor,
    declared_bump,
    next_versions,
    predecessor,
    smallest_successor,
)
from nodedata_registry.errors import InvalidVersion, VersionGap, VersionNotSuccessor

NUMBERS = st.integers(0, MAX_NUMBER)
VERSIONS = st.builds(Version, NUMBERS, NUMBERS, NUMBERS)
SMALL = st.builds(Version, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
HISTORIES = st.sets(SMALL, min_size=1, max_size=12)


@given(VERSIONS)
def test_parsing_is_the_inverse_of_writing(version: Version) -> None:
    assert Version.parse(str(version)) == version


@given(st.text(alphabet="0123456789.v-+ \n\u0663x", max_size=12))
def test_every_text_that_parses_is_written_back_the_same(text: str) -> None:
    try:
        version = Version.parse(text)
    except InvalidVersion:
        return
    assert str(version) == text


@given(SMALL, SMALL)
def test_the_declared_bump_is_symmetric_and_none_only_for_equals(a: Version, b: Version) -> None:
    assert declared_bump(a, b) is declared_bump(b, a)
    assert (declared_bump(a, b) is Bump.NONE) == (a == b)


@given(HISTORIES)
def test_every_next_version_is_new_and_passes_the_rule(existing: set[Version]) -> None:
    offered = next_versions(existing)
    assert list(offered) == sorted(set(offered))
    assert not existing.intersection(offered)
    for version in offered:
        check_successor(version, existing)


@given(HISTORIES, st.builds(Version, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)))
def test_the_rule_passes_exactly_the_next_versions(existing: set[Version], version: Version) -> None:
    if version in next_versions(existing):
        check_successor(version, existing)
    else:
        with pytest.raises((VersionGap, VersionNotSuccessor)):
            check_successor(version, existing)


@given(HISTORIES, st.builds(Version, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)))
def test_an_allowed_gap_never_goes_below_its_line(existing: set[Version], version: Version) -> None:
    try:
        check_successor(version, existing, allow_gap=True)
    except VersionNotSuccessor:
        return
    same_minor = [v for v in existing if (v.major, v.minor) == (version.major, version.minor)]
    same_major = [v for v in existing if v.major == version.major]
    assert version > max(same_minor or same_major or existing)


@given(HISTORIES)
def test_a_line_that_grows_by_the_rule_never_repeats_a_number(existing: set[Version]) -> None:
    history = [min(existing)]
    for step in range(8):
        offered = next_versions(history)
        history.append(offered[step % len(offered)])
    assert len(set(history)) == len(history)


@given(HISTORIES, SMALL)
def test_the_predecessor_is_lower_in_the_same_major_with_nothing_between(
    existing: set[Version], version: Version
) -> None:
    found = predecessor(version, existing)
    below = [v for v in existing if v.major == version.major and v < version]
    assert found == (max(below) if below else None)


@given(HISTORIES, st.sampled_from(Bump), st.data())
def test_the_smallest_successor_is_the_first_offered_that_is_far_enough(
    existing: set[Version], bump: Bump, data: st.DataObject
) -> None:
    base = data.draw(st.sampled_from(sorted(existing)))
    chosen = smallest_successor(base, bump, existing)
    check_successor(chosen, existing)
    enough = [v for v in next_versions(existing) if v > base and declared_bump(base, v) >= bump]
    assert chosen == min(enough)
