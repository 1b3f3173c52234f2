"""Cursors of the event list that tell their holder nothing.

A cursor stands for a place in the registry-wide sequence, events that the caller may not see included.
The place is masked anew for every answer, so that two cursors do not tell whether anything happened in
between, and sealed, so that no place can be made up.

    cursor = base64url( nonce ‖ place XOR HMAC(key, "mask" ‖ nonce) ‖ HMAC(key, "seal" ‖ nonce ‖ masked) )
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

from nodedata_registry.errors import InvalidRequest

KEY_BYTES = 32
NONCE_BYTES = 8
_PLACE_BYTES = 8
_SEAL_BYTES = 8
_TOTAL = NONCE_BYTES + _PLACE_BYTES + _SEAL_BYTES


def seal(key: bytes, place: int, nonce: bytes) -> str:
    """Return the cursor for a place; `nonce` is 8 fresh random bytes."""
    masked = _xor(place.to_bytes(_PLACE_BYTES, "big"), _mac(key, b"mask", nonce))
    return urlsafe_b64encode(nonce + masked + _mac(key, b"seal", nonce + masked)).decode()


def unseal(key: bytes, cursor: str) -> int:
    """Return the place that a cursor stands for.

    Raises:
        InvalidRequest: it was not made with this key.
    """
    try:
        data = urlsafe_b64decode(cursor.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        data = b""
    nonce, masked, found = data[:NONCE_BYTES], data[NONCE_BYTES:-_SEAL_BYTES], data[-_SEAL_BYTES:]
    if len(data) != _TOTAL or not hmac.compare_digest(found, _mac(key, b"seal", nonce + masked)):
        raise InvalidRequest("this cursor was not given by the list of events", field="cursor")
    return int.from_bytes(_xor(masked, _mac(key, b"mask", nonce)), "big")


def _mac(key: bytes, purpose: bytes, data: bytes) -> bytes:
    return hmac.new(key, purpose + data, hashlib.sha256).digest()[:_PLACE_BYTES]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
