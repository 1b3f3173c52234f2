"""Paths as they were sent: routed on their raw bytes, decoded one segment at a time.

ASGI servers decode the path before anyone can look at it, and then `%2F` has become a separator, bad
UTF-8 a replacement character, and a selector may reach another route. So routing works on the
encoded path, split at real slashes only, and each parameter is decoded after it has been found.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from nodedata_registry.errors import InvalidRequest

MAX_PATH_BYTES = 8192

_SHAPE = re.compile(rb"(?:/(?:[!-$&-.0-~]|%[0-9A-Fa-f]{2})+)+|/", re.ASCII)


def check_raw_path(raw: bytes) -> str:
    """Return the raw path as text, still percent-encoded, if every segment of it can be decoded.

    >>> check_raw_path(b"/v1/models/acme/x/revisions/%5E1")
    '/v1/models/acme/x/revisions/%5E1'

    Raises:
        InvalidRequest: empty segments (`//`, a trailing `/`), `.` or `..` as a segment, a broken
            percent sign, bytes that are no UTF-8, more than 8192 bytes.
    """
    if len(raw) > MAX_PATH_BYTES:
        raise InvalidRequest(
            f"the path has {len(raw)} bytes; at most {MAX_PATH_BYTES} are taken", field="path"
        )
    if _SHAPE.fullmatch(raw) is None:
        raise InvalidRequest(
            "the path has an empty segment, a trailing slash, or an unencoded or broken character",
            field="path",
        )
    text = raw.decode("ascii")
    for segment in text.split("/")[1:]:
        if decode_segment(segment) in (".", ".."):
            raise InvalidRequest("the path has a `.` or `..` segment", field="path")
    return text


def decode_segment(segment: str) -> str:
    """Return the text of one percent-encoded path segment; a `/` in it is just a character.

    Control characters pass: what the segment stands for decides (a selector refuses them by name).

    >>> decode_segment("%3E%3D1.2%20%3C2")
    '>=1.2 <2'

    Raises:
        InvalidRequest: not UTF-8.
    """
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest("the path has percent-encoded bytes that are not UTF-8", field="path") from error
