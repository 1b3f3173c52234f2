"""An answer that is no success, as the error class that a caller can act on.

The registry names a stable code; where something between us and it answers instead (a proxy, a load
balancer), the HTTP status decides.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nodedata_registry.errors import (
    InsufficientStorage,
    InvalidRequest,
    NodeDataError,
    NotAuthenticated,
    NotFound,
    RateLimited,
    ScopeMissing,
    ServerError,
    TooLarge,
    Unavailable,
)

_BY_STATUS: dict[int, type[NodeDataError]] = {
    401: NotAuthenticated,
    403: ScopeMissing,
    404: NotFound,
    413: TooLarge,
    429: RateLimited,
    507: InsufficientStorage,
}
_SHOWN_CHARACTERS = 200


class _Refusal(msgspec.Struct):
    error: dict[str, msgspec.Raw]


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> NodeDataError:
    """Return the error that an answer with a status outside 200-299 means.

    `details` holds everything beside code, message, field and request id, and for 429 and 503 the
    `retry_after_seconds` of the header where the body does not state it.
    """
    request_id = headers.get("x-request-id")
    try:
        stated = msgspec.json.decode(body, type=_Refusal).error
        parts: dict[str, object] = {key: msgspec.json.decode(raw) for key, raw in stated.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _by_status(status, request_id, body)
    code = str(parts.pop("code", "error"))
    message = str(parts.pop("message", f"the registry refused with status {status}"))
    named = parts.pop("field", None)
    stated_id = parts.pop("request_id", None)
    seconds = retry_after_seconds(headers)
    if seconds is not None:
        parts.setdefault("retry_after_seconds", seconds)
    return NodeDataError.class_for(code)(
        message,
        field=named if isinstance(named, str) else None,
        request_id=stated_id if isinstance(stated_id, str) else request_id,
        details=parts,
    )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for; dates are not read.

    >>> retry_after_seconds({"retry-after": "2"})
    2.0
    """
    text = headers.get("retry-after", "").strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return float(text[:9])


def unreadable(what: str, error: Exception) -> ServerError:
    """Return the error for an answer of success whose body is not what the API documents."""
    return ServerError(
        f"the answer to {what} is not what a registry answers ({error}); is the base URL right?",
    )


def _by_status(status: int, request_id: str | None, body: bytes) -> NodeDataError:
    shown = body[:_SHOWN_CHARACTERS].decode("utf-8", "replace").strip()
    message = f"the registry's address answered with status {status}" + (f": {shown}" if shown else "")
    if status in (502, 503, 504):
        return Unavailable(f"{message}; try again later", request_id=request_id)
    fallback: type[NodeDataError] = ServerError if status >= 500 else InvalidRequest
    return _BY_STATUS.get(status, fallback)(message, request_id=request_id)
