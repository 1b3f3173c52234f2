"""Digests, and the canonical JSON over which they are taken.

Outside SHA-256, inside BLAKE3-256 (blocks only), both written as 64 lower-case hexadecimal digits.
Canonical JSON is RFC 8785: keys ordered by UTF-16 code units, numbers as ECMAScript writes
them, no white space.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from blake3 import blake3

from nodedata_registry.core.versions import MAX_NUMBER
from nodedata_registry.errors import InvalidRequest

JsonValue: TypeAlias = bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
"""What JSON can express; tuples and lists are arrays."""

MAX_DEPTH = 100

_HEX = frozenset("0123456789abcdef")
_SHA256_CHARACTERS = 64


def sha256_hex(data: bytes | bytearray | memoryview) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hex digits.

    >>> sha256_hex(b"")
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    return hashlib.sha256(data).hexdigest()


def block_digest(data: bytes | bytearray | memoryview) -> str:
    """Return the BLAKE3-256 of a block as 64 lower-case hex digits.

    >>> block_digest(b"")
    'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'
    """
    return blake3(data).hexdigest()


def is_sha256(text: str) -> bool:
    """Return whether `text` is 64 lower-case hex digits."""
    return len(text) == _SHA256_CHARACTERS and _HEX.issuperset(text)


def canonical_json(value: JsonValue) -> bytes:
    r"""Return the one encoding of `value` that RFC 8785 permits, as UTF-8.

    Raises `InvalidRequest` for what JSON cannot carry exactly (integers beyond 2^53-1, infinities, NaN, lone
    surrogates) and for nesting deeper than 100; `TypeError` for types that JSON does not know.

    >>> canonical_json({"b": [1.0, 1e21, None], "a": "é"})
    b'{"a":"\xc3\xa9","b":[1,1e+21,null]}'
    """
    try:
        return _encode(value, 0).encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest("a text holds half a surrogate pair, which is no Unicode character.") from error


def _encode(value: JsonValue, depth: int) -> str:
    """Return the canonical text of one value."""
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"the value is nested deeper than {MAX_DEPTH} levels.")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return _integer(value) if isinstance(value, int) else _float(value)
    if isinstance(value, Mapping):
        return _object(value, depth)
    if isinstance(value, list | tuple):
        return "[" + ",".join(_encode(item, depth + 1) for item in value) + "]"
    raise TypeError(f"JSON has no {type(value).__name__}")


def _object(value: Mapping[str, JsonValue], depth: int) -> str:
    """Return a JSON object; UTF-16 in big-endian bytes sorts as its code units do."""
    keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    members = (json.dumps(key, ensure_ascii=False) + ":" + _encode(value[key], depth + 1) for key in keys)
    return "{" + ",".join(members) + "}"


def _integer(value: int) -> str:
    """Return an integer that every JSON reader keeps exactly."""
    if abs(value) > MAX_NUMBER:
        raise InvalidRequest(f"an integer of the value lies beyond {MAX_NUMBER}; write it as text.")
    return str(int(value))


def _float(value: float) -> str:
    """Return a number as ECMAScript writes it (ECMA-262, Number::toString).

    Python's `repr` gives the same shortest digits and differs only in how it sets them out.
    """
    if not math.isfinite(value):
        raise InvalidRequest(f"JSON cannot carry the number {value}.")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}e0".partition("e")[::1]
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent.partition("e")[0] or 0)
    return sign + _set_out(whole, fraction, power)


def _set_out(whole: str, fraction: str, power: int) -> str:
    """Return the digits `whole.fraction` times 10 to the `power` in ECMAScript's layout."""
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + power - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{tail}e{point - 1:+d}"
