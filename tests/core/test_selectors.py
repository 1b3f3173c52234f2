"""Selectors, and the one revision that each means."""

from __future__ import annotations

import time

import pytest

from nodedata_registry.core.selectors import (
    ByDigest,
    Candidate,
    Exact,
    Latest,
    Range,
    Selector,
    is_pin,
    parse_selector,
    resolve,
    select,
    suggested,
)
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import (
    InvalidSelector,
    InvalidVersion,
    RevisionNotFound,
    RevisionQuarantined,
    RevisionRetired,
)

DIGEST_A = "a" * 64
DIGEST_B = "b" * 64


def v(text: str) -> Version:
    return Version.parse(text)


def revisions(text: str) -> list[Candidate]:
    """Candidates from words such as `1.2.0`, `1.2.1:yanked`, `1.2.2:retired`, ascending."""
    found = []
    for word in text.split():
        version, _, mark = word.partition(":")
        found.append(
            Candidate(
                v(version),
                DIGEST_A,
                yanked=mark == "yanked",
                retired=mark == "retired",
                quarantined=mark == "quarantined",
            )
        )
    return sorted(found, key=lambda candidate: candidate.version)


def answer(text: str, selector: str) -> str:
    return str(resolve(revisions(text), parse_selector(selector)).version)


@pytest.mark.parametrize(
    "text", ["1.4.0", "=1.4.0", "v1.4.0", "=v1.4.0", "= 1.4.0", "  1.4.0 ", "\u00a01.4.0"]
)
def test_one_full_version_is_exact(text: str) -> None:
    selector = parse_selector(text)
    assert isinstance(selector, Exact)
    assert selector.version == v("1.4.0")
    assert is_pin(selector)


@pytest.mark.parametrize(
    "text", ["1.4", "^1.4.0", "~1.4.0", ">=1.4.0", "1.4.0 - 1.4.0", "1.4.0 || 1.4.0", "1.4.0 1.4.0", "*"]
)
def test_all_else_is_a_range_and_no_pin(text: str) -> None:
    selector = parse_selector(text)
    assert isinstance(selector, Range)
    assert not is_pin(selector)


def test_latest_is_no_pin() -> None:
    assert parse_selector(" latest ") == Latest()
    assert not is_pin(Latest())


def test_a_digest_is_a_pin_in_either_case() -> None:
    selector = parse_selector(f"sha256:{'AB' * 32}")
    assert isinstance(selector, ByDigest)
    assert selector.digest == "ab" * 32
    assert is_pin(selector)


def test_the_text_is_kept_as_it_was_requested_but_trimmed() -> None:
    assert [parse_selector(text).text for text in ("  ^1 ", " v1.4.0", "latest ", ">=1   <2")] == [
        "^1",
        "v1.4.0",
        "latest",
        ">=1   <2",
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("   ", id="blank"),
        pytest.param("\u00a0\ufeff", id="blank in other white space"),
        pytest.param("^1 || ", id="empty last alternative"),
        pytest.param(" || ^1", id="empty first alternative"),
        pytest.param("^1 || || ^2", id="empty middle alternative"),
        pytest.param("||", id="only bars"),
        pytest.param("1.4.0\n", id="newline"),
        pytest.param("^1\t", id="tab"),
        pytest.param("\x00", id="nul"),
        pytest.param("^1\x7f", id="delete"),
        pytest.param("^1\x85", id="next line"),
        pytest.param("1 ||\u20282", id="line separator"),
        pytest.param("\ud800", id="half a surrogate pair"),
        pytest.param("1.4.0-rc1", id="pre-release"),
        pytest.param("^1.4.0-rc1", id="pre-release in a range"),
        pytest.param(">=1.0.0-0 <2", id="pre-release bound"),
        pytest.param("1.4.0+build", id="build"),
        pytest.param("1.4+build", id="build in a range"),
        pytest.param("01.4.0", id="leading zero"),
        pytest.param("1.4.0.0", id="four numbers"),
        pytest.param("9007199254740992.0.0", id="above 2^53-1"),
        pytest.param("^9007199254740991", id="reaches above 2^53-1"),
        pytest.param("Latest", id="latest in capitals"),
        pytest.param("latest || 1", id="latest in a range"),
        pytest.param("main", id="a branch name"),
        pytest.param("sha256:", id="no digest"),
        pytest.param(f"sha256:{'a' * 63}", id="short digest"),
        pytest.param(f"sha256:{'g' * 64}", id="digest that is not hex"),
        pytest.param(f"sha512:{'a' * 64}", id="another algorithm"),
        pytest.param("a" * 64, id="digest without its algorithm"),
        pytest.param("1.\u0663", id="arabic digit"),
        pytest.param("\u00b9", id="superscript digit"),
        pytest.param("*" + " " * 256, id="257 characters"),
        pytest.param("x" * 10_000, id="10 kB"),
    ],
)
def test_what_selects_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidSelector) as caught:
        parse_selector(text)
    assert caught.value.field == "revision"
    assert len(caught.value.message) < 1000


def test_256_characters_are_read() -> None:
    assert parse_selector("1.4.0" + " " * 251) == Exact("1.4.0", v("1.4.0"))


@pytest.mark.parametrize(
    "shape",
    [
        "(",
        "<",
        "~ ",
        "^ ",
        "= ",
        "v",
        "1 - ",
        "9",
        "||",
        "1||",
        "*",
        "x.",
        ">=1 ",
        "- ",
        "0.",
        "^~",
        "\u00a0>",
    ],
)
def test_no_shape_takes_long_to_read(shape: str) -> None:
    text = (shape * 256)[:256]
    began = time.perf_counter()
    for _ in range(20):
        try:
            parse_selector(text)
        except InvalidSelector:
            continue
    assert (time.perf_counter() - began) / 20 < 0.02


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1", "1.0.0 1.99.3", "0.9.0 2.0.0"),
        ("^0.2", "0.2.0 0.2.9", "0.1.9 0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.2 0.0.4"),
        ("~1.4", "1.4.0 1.4.7", "1.3.9 1.5.0"),
        ("~>1.4", "1.4.0 1.4.7", "1.3.9 1.5.0"),
        ("~1", "1.0.0 1.9.9", "0.9.0 2.0.0"),
        ("1.x", "1.0.0 1.9.9", "0.9.0 2.0.0"),
        ("1.4", "1.4.0 1.4.7", "1.3.9 1.5.0"),
        (">=1.2 <2", "1.2.0 1.9.9", "1.1.9 2.0.0"),
        ("1.2 - 1.4", "1.2.0 1.4.9", "1.1.9 1.5.0"),
        ("^1 || ^3", "1.0.0 3.1.0", "0.1.0 2.0.0 4.0.0"),
        ("*", "0.0.0 9.9.9", ""),
        ("v1.4", "1.4.0", "1.5.0"),
        (">1", "2.0.0", "1.9.9"),
        ("<=1", "0.0.1 1.9.9", "2.0.0"),
        ("<*", "", "0.0.0 1.0.0"),
        (">2 <1", "", "0.0.0 1.5.0 3.0.0"),
    ],
)
def test_a_range_admits_what_npm_admits(text: str, inside: str, outside: str) -> None:
    selector = parse_selector(text)
    assert isinstance(selector, Range)
    assert all(selector.admits(v(version)) for version in inside.split())
    assert not any(selector.admits(v(version)) for version in outside.split())


def test_select_gives_the_highest_match() -> None:
    assert select(["1.9.0", "1.10.0", "2.0.0"], "^1") == "1.10.0"


def test_select_gives_none_where_nothing_matches_or_nothing_is_there() -> None:
    assert select(["1.0.0"], "^2") is None
    assert select([], "latest") is None


def test_select_reads_latest_as_any_version() -> None:
    assert select(iter(["1.0.0", "3.0.0", "2.0.0"]), "latest") == "3.0.0"


def test_select_refuses_digests_and_bad_versions() -> None:
    with pytest.raises(InvalidSelector):
        select(["1.0.0"], f"sha256:{DIGEST_A}")
    with pytest.raises(InvalidVersion):
        select(["2.0.0", "1.0"], "^2")


def test_a_range_gives_the_highest_that_is_not_yanked() -> None:
    assert answer("1.0.0 1.1.0 1.2.0:yanked 2.0.0", "^1") == "1.1.0"


def test_latest_is_the_highest_not_the_last_uploaded() -> None:
    assert answer("2.0.0 1.0.1 2.1.0:yanked", "latest") == "2.0.0"


def test_if_every_match_is_yanked_the_highest_is_served() -> None:
    assert answer("1.0.0:yanked 1.1.0:yanked 2.0.0", "^1") == "1.1.0"
    assert answer("1.0.0:yanked 1.1.0:yanked", "latest") == "1.1.0"


def test_an_exact_pin_gets_its_revision_yanked_or_not() -> None:
    assert answer("1.0.0:yanked 1.1.0", "1.0.0") == "1.0.0"


def test_retired_and_quarantined_revisions_are_passed_over() -> None:
    assert answer("1.0.0 1.1.0:retired 1.2.0:quarantined", "^1") == "1.0.0"
    assert answer("1.0.0:yanked 1.1.0:retired", "^1") == "1.0.0"


def test_alternatives_are_searched_from_the_highest_down() -> None:
    assert answer("1.0.0 1.5.0 2.0.0 3.0.0:yanked", "^3 || ^1") == "1.5.0"


def test_a_digest_gives_the_highest_version_that_has_it_and_is_not_yanked() -> None:
    candidates = [
        Candidate(v("1.0.0"), DIGEST_A),
        Candidate(v("1.0.1"), DIGEST_B),
        Candidate(v("1.0.2"), DIGEST_A),
        Candidate(v("1.0.3"), DIGEST_A, yanked=True),
    ]
    assert resolve(candidates, parse_selector(f"sha256:{DIGEST_A}")).version == v("1.0.2")


@pytest.mark.parametrize("selector", ["^3", "1.0.5", f"sha256:{DIGEST_B}", "<*"])
def test_what_nothing_matches_is_not_found_and_the_highest_is_named(selector: str) -> None:
    with pytest.raises(RevisionNotFound, match=r"its highest is 1\.1\.0") as caught:
        answer("1.0.0 1.1.0", selector)
    assert caught.value.details["requested"] == selector


def test_a_model_without_revisions_says_so() -> None:
    with pytest.raises(RevisionNotFound, match="no revision yet"):
        resolve([], parse_selector("latest"))


@pytest.mark.parametrize("selector", ["1.0.0", "^1", "latest", f"sha256:{DIGEST_A}"])
def test_all_matches_retired_is_told_as_such(selector: str) -> None:
    with pytest.raises(RevisionRetired):
        answer("1.0.0:retired", selector)


@pytest.mark.parametrize("selector", ["1.0.0", "^1", "latest", f"sha256:{DIGEST_A}"])
def test_a_takedown_among_unserved_matches_is_told_as_such(selector: str) -> None:
    with pytest.raises(RevisionQuarantined):
        answer("1.0.0:quarantined", selector)
    with pytest.raises(RevisionQuarantined):
        answer("1.0.0:quarantined 1.1.0:retired", "^1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.3.2:yanked 1.3.3 1.3.4 1.4.0 2.0.0", "1.3.4"),
        ("1.3.2:yanked 1.3.3:yanked 1.4.0 1.5.0 2.0.0", "1.5.0"),
        ("1.3.2:yanked 1.3.1 2.0.0", None),
        ("1.3.2:yanked 1.3.3:retired 1.4.0:quarantined", None),
    ],
)
def test_from_a_yanked_version_the_way_leads_up_its_line_then_up_its_major(
    text: str, expected: str | None
) -> None:
    found = suggested(revisions(text), v("1.3.2"))
    assert (str(found) if found else None) == expected


@pytest.mark.parametrize("selector", ["latest", "^9", "*", "3.4.5", "^1 || ^2"])
def test_an_answer_near_the_top_of_ten_thousand_takes_microseconds(selector: str) -> None:
    candidates = [Candidate(Version(n // 1000, n // 10 % 100, n % 10), f"{n:064x}") for n in range(10_000)]
    parsed: Selector = parse_selector(selector)
    began = time.perf_counter()
    for _ in range(100):
        resolve(candidates, parsed)
    assert (time.perf_counter() - began) / 100 < 0.0005
