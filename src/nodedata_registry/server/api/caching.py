"""Tags, `304`, what caches may keep, and the headers of a yanked answer.

Only a block is the same for ever. Everything else under a selector is `no-cache` with an ETag: a yank
must reach those who ask again, so its headers stand on the 304 as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any, TypeVar, cast
from urllib.parse import quote

import msgspec
from litestar import Response

from nodedata_registry import wire
from nodedata_registry.server.api.problems import AnyRequest

T = TypeVar("T")

IMMUTABLE = "max-age=31536000, immutable"
CHECKED = "no-cache"


@dataclass(frozen=True, slots=True)
class Freshness:
    """How caches may keep an answer, and the yank that its reader must hear of."""

    shared: bool
    yanked: wire.Yank | None = None
    rule: str = CHECKED
    extra: dict[str, str] = field(default_factory=dict)

    def headers(self, etag: str) -> dict[str, str]:
        """Return the headers that the answer and its 304 have in common."""
        scope = "public" if self.shared else "private"
        return {
            "Cache-Control": f"{scope}, {self.rule}",
            "ETag": etag,
            **yank_headers(self.yanked),
            **self.extra,
        }


def yank_headers(yanked: wire.Yank | None) -> dict[str, str]:
    """Return the headers by which every answer under a yanked revision says so; none otherwise."""
    if yanked is None:
        return {}
    headers = {
        "X-Node-Data-Yanked": "1",
        "X-Node-Data-Yank-Reason": quote(yanked.reason, safe=""),
        "X-Node-Data-Yanked-At": rfc3339(yanked.at),
    }
    if yanked.suggested is not None:
        headers["X-Node-Data-Suggested"] = yanked.suggested
    return headers


def rfc3339(at: datetime) -> str:
    """Return the time as JSON answers spell it, in UTC with a `Z`."""
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def matches(if_none_match: str | None, etag: str) -> bool:
    """Tell whether `If-None-Match` names the tag; compared weakly, as section 13.1.2 of RFC 9110 says.

    >>> matches('W/"a", "b"', '"a"'), matches("*", '"a"'), matches('"ab"', '"a"')
    (True, True, False)
    """
    if if_none_match is None:
        return False
    named = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in named or "*" in named


def not_modified(headers: dict[str, str]) -> Response[Any]:
    """Return the 304 that belongs to an answer with these headers."""
    return Response(content=b"", status_code=304, headers=headers)


def conditional(request: AnyRequest, answer: T, freshness: Freshness) -> Response[T]:
    """Return the answer as JSON under a tag of its bytes, or 304 if the caller has just these."""
    body = msgspec.json.encode(answer)
    etag = f'"{sha256(body).hexdigest()[:40]}"'
    headers = freshness.headers(etag)
    if matches(request.headers.get("if-none-match"), etag):
        return cast("Response[T]", not_modified(headers))
    encoded = Response(content=body, status_code=200, headers=headers, media_type="application/json")
    return cast("Response[T]", encoded)
