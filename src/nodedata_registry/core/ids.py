"""Ids: a prefix that says what it is, and a ULID (48 bits of time, 80 random bits).

Ids of one kind sort by the time of their making. Source: the ULID specification (github.com/ulid/spec), which
uses Crockford's base 32, 26 upper-case characters, the first at most `7`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Prefix: TypeAlias = Literal["mdl_", "rev_", "ws_", "usr_", "key_", "evt_", "req_", "upl_", "att_"]
PREFIXES: tuple[Prefix, ...] = get_args(Prefix)

RANDOM_BYTES = 10

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_CHARACTERS = 26
_MAX_MS = 2**48 - 1


def make_id(prefix: Prefix, now_ms: int, random: bytes) -> str:
    """Return a new id from milliseconds since 1970 (UTC) and 10 random bytes.

    Raises `ValueError` on a time before 1970 or after the year 10889, or on another number of bytes.

    >>> make_id("mdl_", 1_700_000_000_000, bytes(10))
    'mdl_01HF7YAT000000000000000000'
    """
    if not 0 <= now_ms <= _MAX_MS or len(random) != RANDOM_BYTES:
        raise ValueError("an id needs a time of 48 bits in milliseconds and 10 random bytes")
    number = now_ms << 80 | int.from_bytes(random, "big")
    return prefix + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_id(text: str, prefix: Prefix) -> bool:
    """Return whether `text` is an id of the kind that `prefix` names, exactly as `make_id` writes it.

    >>> is_id("mdl_01HF7YAT000000000000000000", "mdl_"), is_id("mdl_01hf7yat000000000000000000", "mdl_")
    (True, False)
    """
    return text.startswith(prefix) and _is_ulid(text[len(prefix) :])


def looks_like_id(text: str) -> bool:
    """Return whether a reader could take `text` for an id.

    That is `mdl_` with anything after it, or another prefix with a ULID in any case.

    >>> looks_like_id("mdl_x"), looks_like_id("key_points")
    (True, False)
    """
    lowered = text.lower()
    if lowered.startswith("mdl_"):
        return True
    return any(lowered.startswith(prefix) and _is_ulid(text[len(prefix) :].upper()) for prefix in PREFIXES)


def _is_ulid(text: str) -> bool:
    """Whether `text` is a ULID in upper case."""
    return len(text) == _ULID_CHARACTERS and text[0] <= "7" and all(c in _ALPHABET for c in text)
