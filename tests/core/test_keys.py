"""API keys: syntax, life, and how far a new one may reach."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from nodedata_registry.core.access import ANONYMOUS, Caller, Role, Scope
from nodedata_registry.core.keys import (
    KeyBounds,
    check_key_live,
    check_new_key,
    has_key_checksum,
    hash_key,
    is_live,
    is_owner_key_syntax,
    key_hint,
    looks_like_key,
    make_key,
    parse_scopes,
)
from nodedata_registry.errors import InvalidRequest, NotAuthenticated, ScopeMissing

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
OWNER = Caller("usr_owner", roles={"ws_acme": Role.OWNER})
READ_ONLY = KeyBounds(frozenset({Scope.MODELS_READ}))
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


# --- syntax -------------------------------------------------------------------------------------


def test_a_made_key_is_a_prefix_and_38_characters() -> None:
    assert re.fullmatch("nd_live_[0-9A-Za-z]{38}", make_key(bytes(range(32))))


def test_the_last_six_characters_are_the_crc_32_of_the_32_before_in_base_62() -> None:
    body = make_key(bytes(range(32))).removeprefix("nd_live_")
    number = 0
    for character in body[32:]:
        number = number * 62 + ALPHABET.index(character)
    assert number == zlib.crc32(body[:32].encode())


def test_the_largest_random_number_still_makes_a_key() -> None:
    assert has_key_checksum(make_key(b"\xff" * 32))


@pytest.mark.parametrize("count", [0, 31, 33])
def test_too_few_or_too_many_random_bytes_are_a_programming_error(count: int) -> None:
    with pytest.raises(TypeError, match="32 random bytes"):
        make_key(bytes(count))


def test_a_key_whose_checksum_is_wrong_still_looks_like_a_key() -> None:
    wrong = make_key(bytes(32))[:-1] + "z"
    assert not has_key_checksum(wrong)
    assert looks_like_key(wrong)


@pytest.mark.parametrize("length", [32, 38, 64])
def test_an_owner_key_has_32_to_64_letters_or_digits(length: int) -> None:
    assert is_owner_key_syntax("nd_live_" + ("aZ09" * 16)[:length])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nd_live_",
        "nd_live_" + "a" * 31,
        "nd_live_" + "a" * 65,
        "nd_test_" + "a" * 32,
        "ND_LIVE_" + "a" * 32,
        "nd_live_" + "a" * 31 + "-",
        "nd_live_" + "a" * 32 + "\n",
        " nd_live_" + "a" * 32,
        "nd_live_" + "٣" * 32,
        "nd_live_" + "é" * 32,
    ],
)
def test_anything_else_is_no_key(text: str) -> None:
    assert not looks_like_key(text)
    assert not is_owner_key_syntax(text)
    assert not has_key_checksum(text)


def test_what_is_stored_is_the_sha_256() -> None:
    key = make_key(bytes(32))
    assert hash_key(key) == hashlib.sha256(key.encode()).hexdigest()


def test_hashing_takes_any_text_that_a_header_may_hold() -> None:
    assert len({hash_key("\ud800"), hash_key(""), hash_key("é")}) == 3


def test_a_hint_shows_four_characters_of_the_secret() -> None:
    assert key_hint("nd_live_abcdefgh" + "0" * 30) == "nd_live_abcd"


# --- life ---------------------------------------------------------------------------------------


def test_a_key_counts_until_just_before_its_expiry() -> None:
    assert is_live(None, NOW)
    assert is_live(NOW + HOUR, NOW)
    assert not is_live(NOW, NOW)
    assert not is_live(NOW - HOUR, NOW)


def test_an_expired_key_is_told_so() -> None:
    with pytest.raises(NotAuthenticated, match="expired at 2030-01-01"):
        check_key_live(expires_at=NOW, revoked_at=None, now=NOW)


def test_a_revoked_key_is_told_so_even_if_it_would_not_have_expired() -> None:
    with pytest.raises(NotAuthenticated, match="revoked"):
        check_key_live(expires_at=NOW + HOUR, revoked_at=NOW - HOUR, now=NOW)


def test_a_live_key_passes() -> None:
    check_key_live(expires_at=None, revoked_at=None, now=NOW)
    check_key_live(expires_at=NOW + HOUR, revoked_at=None, now=NOW)


# --- reach --------------------------------------------------------------------------------------


def test_a_key_that_is_not_narrowed_makes_any_key() -> None:
    check_new_key(OWNER, KeyBounds())
    check_new_key(OWNER, KeyBounds(frozenset({Scope.MODELS_READ}), "ws_acme", "mdl_x", NOW))


def test_nobody_makes_no_keys() -> None:
    with pytest.raises(NotAuthenticated):
        check_new_key(ANONYMOUS, KeyBounds())


def test_a_key_gives_no_scope_that_it_lacks() -> None:
    key = replace(OWNER, key_scopes=frozenset({Scope.MODELS_READ}))
    check_new_key(key, READ_ONLY)
    with pytest.raises(ScopeMissing, match="lacks the scope models:upload"):
        check_new_key(key, KeyBounds(frozenset({Scope.MODELS_READ, Scope.MODELS_UPLOAD})))


@pytest.mark.parametrize("wanted", [None, "ws_other"])
def test_a_key_bound_to_a_workspace_makes_only_keys_bound_to_it(wanted: str | None) -> None:
    key = replace(OWNER, key_workspace_id="ws_acme")
    check_new_key(key, KeyBounds(workspace_id="ws_acme"))
    with pytest.raises(ScopeMissing, match="bound to the workspace ws_acme"):
        check_new_key(key, KeyBounds(workspace_id=wanted))


@pytest.mark.parametrize("wanted", [None, "mdl_other"])
def test_a_key_bound_to_a_model_makes_only_keys_bound_to_it(wanted: str | None) -> None:
    key = replace(OWNER, key_model_id="mdl_x")
    check_new_key(key, KeyBounds(model_id="mdl_x"))
    with pytest.raises(ScopeMissing, match="bound to the model mdl_x"):
        check_new_key(key, KeyBounds(model_id=wanted))


@pytest.mark.parametrize("wanted", [None, NOW + 2 * HOUR])
def test_a_key_that_expires_makes_no_key_that_lives_longer(wanted: datetime | None) -> None:
    key = replace(OWNER, key_expires_at=NOW + HOUR)
    check_new_key(key, KeyBounds(expires_at=NOW + HOUR))
    with pytest.raises(ScopeMissing, match="cannot live longer"):
        check_new_key(key, KeyBounds(expires_at=wanted))


# --- scopes by name -----------------------------------------------------------------------------


def test_scopes_are_read_by_name() -> None:
    assert parse_scopes(["models:read", "models:yank", "models:read"]) == {
        Scope.MODELS_READ,
        Scope.MODELS_YANK,
    }


@pytest.mark.parametrize("texts", [[], ["models:write"], ["models:read", ""], ["x" * 10_000]])
def test_unknown_or_no_scopes_are_refused_with_the_list(texts: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="the scopes are models:read, models:upload") as caught:
        parse_scopes(texts)
    assert caught.value.field == "scopes"
    assert len(caught.value.message) < 250
