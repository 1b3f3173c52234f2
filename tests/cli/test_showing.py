"""How figures, texts and arguments are read and shown; the examples in the code hold."""

from __future__ import annotations

import doctest
from importlib import import_module

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.cli import words
from nodedata_registry.cli.moments import expiry, seconds
from nodedata_registry.cli.targets import span, target


@pytest.mark.parametrize("module", ["words", "moments", "targets"])
def test_the_examples_in_the_code_hold(module: str) -> None:
    found = doctest.testmod(import_module(f"nodedata_registry.cli.{module}"))
    assert found.attempted > 0
    assert found.failed == 0


@given(st.text())
def test_a_cleaned_text_has_nothing_that_acts_on_a_terminal(text: str) -> None:
    assert all(character == "\n" or ord(character) >= 32 for character in words.clean(text))
    assert not {"\x7f", "\x9b", "\u202e", "\u2066"} & set(words.clean(text))
    assert words.clean(words.clean(text)) == words.clean(text)


@given(st.integers(0, 10**15), st.integers(1, 10**15))
def test_only_nothing_is_shown_as_nothing_and_only_all_as_all(part: int, more: int) -> None:
    whole = part + more
    assert (words.share(part, whole) == "0 %") == (part == 0)
    assert words.share(part, whole) != "100 %"
    assert words.bar(part, whole, 10).strip() != "" or part == 0
    assert len(words.bar(part, whole, 10)) == 10


@given(st.integers(0, 1 << 60))
def test_a_size_is_short(size_bytes: int) -> None:
    assert len(words.size(size_bytes)) <= 9


def test_an_at_sign_separates_model_and_selector() -> None:
    assert target("acme/x@>=1.2 <2").revision == ">=1.2 <2"
    assert target("acme/x").selector == "latest"


def test_three_revisions_are_too_many_to_compare() -> None:
    with pytest.raises(click.UsageError):
        span("acme/x", ("1.0.0", "1.1.0", "1.2.0"))


def test_a_pair_of_ranges_is_split_at_the_first_two_dots() -> None:
    assert span("acme/x", ("^1..sha256:ab",)) == ("acme/x", ("^1", "sha256:ab"))


@pytest.mark.parametrize("text", ["", "h", "1.5h", "-1", "1 h", "10y", "9" * 40])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        seconds(text)


def test_a_date_without_zone_is_utc() -> None:
    assert expiry("2030-01-31").isoformat() == "2030-01-31T00:00:00+00:00"
    assert expiry("2030-01-31T12:00:00Z").isoformat() == "2030-01-31T12:00:00+00:00"
