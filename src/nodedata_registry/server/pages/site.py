"""What page handlers work with: the data, the sessions, and how errors look."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from nodedata_registry.errors import (
    Gone,
    InvalidInput,
    LimitReached,
    NodeDataError,
    NotAuthenticated,
    NotFound,
    RevisionQuarantined,
    ScopeMissing,
    Unavailable,
)
from nodedata_registry.server.pages.data import NOBODY, PageData, Visitor
from nodedata_registry.server.pages.rendering import html
from nodedata_registry.server.pages.session import COOKIE, Sessions

log = logging.getLogger("nodedata_registry.pages")

AnyRequest = Request[Any, Any, Any]

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

_ERRORS: tuple[tuple[type[NodeDataError], int, str], ...] = (
    (RevisionQuarantined, 451, "Taken down"),
    (NotAuthenticated, 401, "Sign in to see this"),
    (ScopeMissing, 403, "This key may not read here"),
    (NotFound, 404, "Not found"),
    (Gone, 410, "Gone"),
    (LimitReached, 429, "Too much at once"),
    (InvalidInput, 400, "That address does not make sense"),
    (Unavailable, 503, "Not available right now"),
)
"""Which status and heading a page has for an error; the first matching line counts."""


@dataclass(frozen=True, slots=True)
class Site:
    """The parts of the pages. `public_url` is the registry's address where it differs from the request's."""

    data: PageData
    sessions: Sessions
    public_url: str | None = None

    def visitor(self, request: AnyRequest) -> Visitor:
        """Return who looks: a session that is forged, has run out or lost its key counts as none."""
        key_sha256 = self.sessions.read(request.cookies.get(COOKIE))
        if key_sha256 is None:
            return NOBODY
        try:
            return self.data.enter(key_sha256)
        except NotAuthenticated:
            return NOBODY

    def base_url(self, request: AnyRequest) -> str:
        """Return the registry's address for snippets; a strange Host header is not repeated."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        host = request.headers.get("host", "")
        return f"{request.url.scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"

    def page(self, template: str, visitor: Visitor, *, status: int = 200, **context: object) -> Response[str]:
        """Return a rendered page for the visitor."""
        personal = visitor.name is not None
        return html(
            template, status=status, personal=personal, visitor=visitor, status_code=status, **context
        )

    def error_page(self, request: AnyRequest, error: Exception) -> Response[str]:
        """Return the page for an error; the log has what visitors are not told."""
        status, heading, message = _described(error)
        if status >= 500:
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        visitor = NOBODY if status >= 500 else self.visitor(request)
        return self.page(
            "error.html",
            visitor,
            status=status,
            heading=heading,
            message=message,
            request_id=request.state.get("request_id"),
            next=request.url.path,
            problem=None,
        )


def _described(error: Exception) -> tuple[int, str, str]:
    if isinstance(error, NodeDataError):
        for kind, status, heading in _ERRORS:
            if isinstance(error, kind):
                return status, heading, error.message
    if isinstance(error, HTTPException) and error.status_code < 500:
        if error.status_code == 404:
            return 404, "Not found", "There is no page at this address."
        return error.status_code, "That did not work", "The request cannot be answered as it was sent."
    return 500, "Something broke", "The registry failed. Its log says why; nothing was changed by this page."
