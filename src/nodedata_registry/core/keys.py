"""API keys: their syntax, their life, and how far a new one may reach.

A key is `nd_live_` and 32 to 64 characters of `0-9A-Za-z`. A generated one has 32 random characters
(190 bits) and 6 of checksum, so that secret scanners can tell a key from a lookalike offline. The
checksum is never a condition of acceptance: an operator may bring a key of their own.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from datetime import datetime

from nodedata_registry.core.access import ALL_SCOPES, Caller, Scope, require_account
from nodedata_registry.errors import InvalidRequest, NotAuthenticated, ScopeMissing

KEY_PREFIX = "nd_live_"
RANDOM_BYTES = 32
"""How many random bytes `make_key` takes."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARS = 32
_CHECKSUM_CHARS = 6
_KEY = re.compile(r"nd_live_[0-9A-Za-z]{32,64}", re.ASCII)
_HINT_CHARS = len(KEY_PREFIX) + 4


def make_key(random: bytes) -> str:
    """Return a new key: `nd_live_`, 32 base-62 characters drawn from `random`, 6 of checksum.

    `random` is 32 bytes from the operating system's generator; 2^256 over 62^32 leaves a bias
    below 2^-65. The checksum is the CRC-32 (zlib) of the 32 characters in base 62, most
    significant digit first, padded with `0`.

    >>> make_key(bytes(32))
    'nd_live_000000000000000000000000000000002wjyrI'

    Raises:
        TypeError: `random` is not 32 bytes long, which is a programming error.
    """
    if len(random) != RANDOM_BYTES:
        raise TypeError(f"make_key needs {RANDOM_BYTES} random bytes, got {len(random)}")
    body = _base62(int.from_bytes(random, "big"), _RANDOM_CHARS)
    return KEY_PREFIX + body + _checksum(body)


def looks_like_key(text: str) -> bool:
    """Tell whether the text has the syntax of a key; the checksum is not looked at.

    >>> looks_like_key("nd_live_" + "x" * 32), looks_like_key("nd_live_" + "x" * 31)
    (True, False)
    """
    return _KEY.fullmatch(text) is not None


def is_owner_key_syntax(text: str) -> bool:
    """Tell whether `NODE_DATA_OWNER_KEY` may be this text: `nd_live_` and 32 to 64 of `0-9A-Za-z`."""
    return looks_like_key(text)


def has_key_checksum(text: str) -> bool:
    """Tell whether the text is a key whose checksum is right: what a secret scanner should report.

    >>> has_key_checksum(make_key(bytes(32))), has_key_checksum("nd_live_" + "0" * 38)
    (True, False)
    """
    body = text[len(KEY_PREFIX) :]
    if not looks_like_key(text) or len(body) != _RANDOM_CHARS + _CHECKSUM_CHARS:
        return False
    return _checksum(body[:_RANDOM_CHARS]) == body[_RANDOM_CHARS:]


def hash_key(text: str) -> str:
    """Return what is stored of a key: the SHA-256 of its UTF-8 bytes in lower-case hex.

    A slow hash would add nothing against 190 random bits; looking the hash up by index leaves no
    timing oracle on the key itself. Unpaired surrogates, which no key has, are hashed too.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def key_hint(text: str) -> str:
    """Return the beginning of a key that may be shown to tell keys apart: the prefix and 4 characters.

    >>> key_hint(make_key(bytes(32)))
    'nd_live_0000'
    """
    return text[:_HINT_CHARS]


# --- life and reach -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyBounds:
    """How far a key reaches: scopes, one workspace, one model, until when (UTC); `None` is no bound."""

    scopes: frozenset[Scope] = ALL_SCOPES
    workspace_id: str | None = None
    model_id: str | None = None
    expires_at: datetime | None = None


def is_live(expires_at: datetime | None, now: datetime) -> bool:
    """Tell whether a key or grant with this expiry still counts; at `expires_at` it no longer does."""
    return expires_at is None or now < expires_at


def check_key_live(*, expires_at: datetime | None, revoked_at: datetime | None, now: datetime) -> None:
    """Pass if a known key may be used now.

    Raises:
        NotAuthenticated: the key is revoked or expired. Its holder may know which.
    """
    if revoked_at is not None:
        raise NotAuthenticated(f"this API key was revoked at {revoked_at.isoformat()}; use another")
    if expires_at is not None and not is_live(expires_at, now):
        raise NotAuthenticated(f"this API key expired at {expires_at.isoformat()}; make a new one")


def check_new_key(caller: Caller, wanted: KeyBounds) -> None:
    """Pass if the caller's key may make a key that reaches as far as `wanted`: never further than itself.

    Scopes that the account does not hold are fine: a key gives nothing that its account lacks.

    Raises:
        NotAuthenticated: no key was sent.
        ScopeMissing: the new key would have a scope, workspace, model or time that this one lacks.
    """
    require_account(caller)
    for scope in sorted(wanted.scopes - caller.key_scopes, key=lambda extra: extra.value):
        raise ScopeMissing(
            f"this key lacks the scope {scope.value}, so it cannot make a key that has it",
            field="scopes",
            details={"scope": scope.value},
        )
    _check_bound("workspace", caller.key_workspace_id, wanted.workspace_id)
    _check_bound("model", caller.key_model_id, wanted.model_id)
    limit = caller.key_expires_at
    if limit is not None and (wanted.expires_at is None or wanted.expires_at > limit):
        raise ScopeMissing(
            f"this key expires at {limit.isoformat()}; a key that it makes cannot live longer",
            field="expires_at",
        )


def parse_scopes(texts: list[str]) -> frozenset[Scope]:
    """Return the scopes of those names; a key needs at least one.

    Raises:
        InvalidRequest: a name is unknown, or there is none; the message lists the scopes.
    """
    by_name = {scope.value: scope for scope in Scope}
    unknown = [text for text in texts if text not in by_name]
    if texts and not unknown:
        return frozenset(by_name[text] for text in texts)
    found = f"no scope is called {unknown[0][:40]!r}" if unknown else "a key needs at least one scope"
    raise InvalidRequest(f"{found}; the scopes are {', '.join(by_name)}", field="scopes")


# --- the parts ------------------------------------------------------------------------------------


def _check_bound(what: str, own: str | None, wanted: str | None) -> None:
    if own is not None and wanted != own:
        raise ScopeMissing(
            f"this key is bound to the {what} {own}; a key that it makes must be bound to it too",
            field=what,
        )


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CHECKSUM_CHARS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
