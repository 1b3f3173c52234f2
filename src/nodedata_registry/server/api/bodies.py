"""JSON bodies, decoded straight into the struct that the handler asks for.

The framework decodes into plain values first and then converts leniently (`"true"` would count as
true). Here msgspec reads the bytes with the struct in hand: wrong types, unknown members and deep
nesting are refused where they stand, and no second copy of a large body is made.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from litestar.connection import Request
from litestar.datastructures import State

from nodedata_registry.errors import InvalidRequest, TooLarge

T = TypeVar("T")

_AT = re.compile(r"(?P<what>.*) - at `(?P<at>[^`]*)`", re.DOTALL)
_MEMBER = re.compile(r"field `(?P<name>[^`]*)`")
_SHOWN_CHARS = 300

MAX_VALUES = 1_500_000
"""Values in a body. The largest publish that the limit on bytes allows has fewer; a body of nothing but
tiny values would otherwise take twenty times its size in memory before a rule could look at it."""


def decode_body(body: bytes, wanted: type[T]) -> T:
    """Return the JSON body as a `wanted`.

    >>> decode_body(b"[1, 2]", list[int])
    [1, 2]

    Raises:
        TooLarge: more values than any request needs.
        InvalidRequest: no JSON, nested too deeply, or a member missing, unknown or of the wrong type;
            `field` is the member's place, such as `files[0].path`.
    """
    # Commas inside texts count as well: no text of ours comes near the limit.
    if body.count(b",") >= MAX_VALUES:
        raise TooLarge(f"the body has more than {MAX_VALUES:,} values")
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.ValidationError as error:
        raise _misshapen(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not JSON: {str(error)[:_SHOWN_CHARS]}") from error
    except RecursionError as error:
        raise InvalidRequest("the body is nested too deeply") from error


def _misshapen(text: str) -> InvalidRequest:
    found = _AT.fullmatch(text)
    what = (found["what"] if found else text)[:_SHOWN_CHARS]
    at = found["at"].removeprefix("$").removeprefix(".")[:_SHOWN_CHARS] if found else ""
    member = _MEMBER.search(what)
    if member is not None:
        at = f"{at}.{member['name']}" if at else member["name"]
    return InvalidRequest(
        f"the body has a wrong shape: {what}" + (f", at {at}" if at else ""), field=at or None
    )


class JsonRequest(Request[Any, Any, State]):
    """A request whose JSON is decoded by `decode_body` into the type of the handler's `data`."""

    async def json(self) -> Any:
        """Return the body as the type that the handler declares."""
        wanted = self.route_handler.parsed_data_field
        body = await self.body()
        return decode_body(body, wanted.annotation if wanted is not None else object)
