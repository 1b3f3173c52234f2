"""Versions, the successor rule, and the bump that a version declares."""

from __future__ import annotations

import pytest

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


def versions(text: str) -> list[Version]:
    return [Version.parse(part) for part in text.split()]


def v(text: str) -> Version:
    return Version.parse(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("1.0", "1.0", id="two numbers"),
        pytest.param("01.0.0", "01", id="leading zero"),
        pytest.param("1.00.0", "00", id="double zero"),
        pytest.param("1.0.0-rc1", "-rc1", id="pre-release"),
        pytest.param("1.0.0+x", "+x", id="build"),
        pytest.param("1.0.0\n", "\n", id="newline after"),
        pytest.param("\n1.0.0", "\n1", id="newline before"),
        pytest.param("1.\u0663.0", "\u0663", id="arabic digit"),
        pytest.param("\uff11.0.0", "\uff11", id="full-width digit"),
        pytest.param("1.0.\u00b2", "\u00b2", id="superscript digit"),
        pytest.param("1.0.0.0", ".0", id="four numbers"),
        pytest.param("v1.0.0", "v1", id="v"),
        pytest.param("=1.0.0", "=1", id="equals sign"),
        pytest.param(" 1.0.0", " 1", id="space before"),
        pytest.param("1.0.0 ", " ", id="space after"),
        pytest.param("1..0", "", id="missing minor"),
        pytest.param("", "", id="empty"),
        pytest.param("1.-1.0", "-1", id="negative"),
        pytest.param("1_0.0.0", "_0", id="underscore"),
        pytest.param("1e3.0.0", "e3", id="exponent"),
        pytest.param("1.0.9007199254740992", "9007199254740992", id="above 2^53-1"),
        pytest.param("latest", "latest", id="a word"),
    ],
)
def test_what_is_not_three_numbers_is_refused_showing_the_part(text: str, part: str) -> None:
    with pytest.raises(InvalidVersion) as caught:
        Version.parse(text)
    assert caught.value.details["part"] == part
    assert caught.value.field == "version"
    assert ascii(part or text) in caught.value.message


def test_five_thousand_digits_are_refused_in_a_short_message() -> None:
    with pytest.raises(InvalidVersion) as caught:
        Version.parse("9" * 5000 + ".0.0")
    assert len(caught.value.message) < 400


def test_the_largest_numbers_are_a_version() -> None:
    text = f"{MAX_NUMBER}.{MAX_NUMBER}.{MAX_NUMBER}"
    assert str(Version.parse(text)) == text


def test_order_is_by_number_not_by_text() -> None:
    assert sorted(versions("1.10.0 1.9.0 1.9.10 1.9.9 10.0.0 9.0.0")) == versions(
        "1.9.0 1.9.9 1.9.10 1.10.0 9.0.0 10.0.0"
    )


@pytest.mark.parametrize(
    ("base", "version", "bump"),
    [
        ("1.4.2", "1.4.2", Bump.NONE),
        ("1.4.2", "1.4.3", Bump.PATCH),
        ("1.4.2", "1.5.0", Bump.MINOR),
        ("1.4.2", "2.4.2", Bump.MAJOR),
        ("0.1.0", "0.2.0", Bump.MINOR),
        ("0.0.1", "0.0.2", Bump.PATCH),
    ],
)
def test_the_declared_bump_is_the_leftmost_number_that_differs(base: str, version: str, bump: Bump) -> None:
    assert declared_bump(v(base), v(version)) is bump


def test_without_any_version_one_is_suggested_and_any_is_allowed() -> None:
    assert next_versions([]) == (Version(1, 0, 0),)
    check_successor(v("7.3.9"), [])


def test_successors_are_next_major_next_minors_and_next_patches() -> None:
    existing = versions("1.4.2 1.4.3 1.5.0 2.0.0")
    assert list(next_versions(existing)) == versions("1.4.4 1.5.1 1.6.0 2.0.1 2.1.0 3.0.0")


def test_a_back_port_can_follow_a_higher_major() -> None:
    check_successor(v("1.4.3"), versions("1.4.2 2.0.0"))


def test_a_new_minor_can_follow_a_higher_major() -> None:
    check_successor(v("1.5.0"), versions("1.4.2 2.0.0"))


@pytest.mark.parametrize(
    ("version", "existing"),
    [
        pytest.param("1.4.2", "1.4.3", id="lower patch"),
        pytest.param("1.4.3", "1.4.3", id="the same"),
        pytest.param("1.3.0", "1.4.3", id="lower minor that never was"),
        pytest.param("1.0.0", "2.0.0", id="lower major that never was"),
    ],
)
@pytest.mark.parametrize("allow_gap", [False, True])
def test_numbers_only_grow_inside_a_line(version: str, existing: str, allow_gap: bool) -> None:
    with pytest.raises(VersionNotSuccessor):
        check_successor(v(version), versions(existing), allow_gap=allow_gap)


@pytest.mark.parametrize(
    ("version", "existing"),
    [
        pytest.param("1.50.0", "1.5.0", id="minor typo"),
        pytest.param("1.5.2", "1.5.0", id="skipped patch"),
        pytest.param("1.6.1", "1.5.0", id="new minor not at zero"),
        pytest.param("3.0.0", "1.5.0", id="skipped major"),
        pytest.param("2.1.0", "1.5.0", id="new major not at zero"),
        pytest.param("2.0.1", "1.5.0", id="new major with a patch"),
    ],
)
def test_a_gap_is_refused_unless_allowed(version: str, existing: str) -> None:
    with pytest.raises(VersionGap):
        check_successor(v(version), versions(existing))
    check_successor(v(version), versions(existing), allow_gap=True)


def test_the_refusal_lists_what_is_permitted_near_the_version() -> None:
    with pytest.raises(VersionGap) as caught:
        check_successor(v("1.50.0"), versions("1.5.0 1.4.0 2.0.0"))
    assert caught.value.details["permitted"] == ["1.6.0", "3.0.0"]
    assert "1.6.0" in caught.value.message
    with pytest.raises(VersionNotSuccessor) as refused:
        check_successor(v("1.4.2"), versions("1.4.3 2.0.0"))
    assert refused.value.details["permitted"] == ["1.4.4", "1.5.0", "3.0.0"]


def test_numbers_do_not_grow_beyond_the_limit() -> None:
    assert next_versions([Version(MAX_NUMBER, 0, 0)]) == (
        Version(MAX_NUMBER, 0, 1),
        Version(MAX_NUMBER, 1, 0),
    )
    with pytest.raises(VersionNotSuccessor):
        smallest_successor(Version(MAX_NUMBER, 0, 0), Bump.MAJOR, [Version(MAX_NUMBER, 0, 0)])


def test_the_predecessor_is_the_highest_lower_one_of_the_same_major() -> None:
    candidates = versions("0.9.0 1.4.0 1.4.2 1.6.0 2.0.0")
    assert predecessor(v("1.5.0"), candidates) == v("1.4.2")
    assert predecessor(v("2.0.0"), candidates) is None
    assert predecessor(v("3.0.0"), candidates) is None


@pytest.mark.parametrize(
    ("base", "bump", "existing", "expected"),
    [
        ("1.0.0", Bump.PATCH, "1.0.0 1.0.1", "1.0.2"),
        ("1.0.0", Bump.NONE, "1.0.0", "1.0.1"),
        ("1.0.0", Bump.MINOR, "1.0.0 1.3.4", "1.3.5"),
        ("1.2.0", Bump.PATCH, "1.2.0 1.3.0 2.0.0", "1.2.1"),
        ("1.2.0", Bump.MINOR, "1.2.0 1.3.0 2.0.0", "1.3.1"),
        ("1.2.0", Bump.MAJOR, "1.2.0 2.0.0", "2.0.1"),
        ("1.2.0", Bump.MAJOR, "1.2.0", "2.0.0"),
        ("0.1.0", Bump.MAJOR, "0.1.0", "1.0.0"),
    ],
)
def test_the_smallest_successor_is_permitted_and_far_enough(
    base: str, bump: Bump, existing: str, expected: str
) -> None:
    assert str(smallest_successor(v(base), bump, versions(existing))) == expected
