"""Errors as HTTP answers: `{"error": {"code", "message", "field", "request_id", …details}}`."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from litestar import Response
from litestar.connection import Request
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from nodedata_registry.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NodeDataError,
    NotFound,
    RateLimited,
    RequestTimeout,
    ServerError,
    TooLarge,
)
from nodedata_registry.server.api.status import status_of

AnyRequest = Request[Any, Any, State]

log = logging.getLogger("nodedata_registry.api")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong; further members (findings, reasons, missing) depend on the code."""

    code: str
    message: str
    field: str | None
    request_id: str | None


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is no success."""

    error: Problem


def problem_body(error: NodeDataError, request_id: str | None) -> bytes:
    """Return the JSON body for an error; details never overwrite the four fixed members."""
    fixed = {"code": error.code, "message": error.message, "field": error.field, "request_id": request_id}
    details = {name: value for name, value in error.details.items() if name not in fixed}
    return msgspec.json.encode({"error": {**fixed, **details}}, enc_hook=str)


def problem_headers(error: NodeDataError) -> dict[str, str]:
    """Return the headers that belong to an error; no error is ever stored by a cache."""
    headers = {"Cache-Control": "no-store"}
    status = status_of(error)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="node-data"'
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.details.get("retry_after_seconds", 1))
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = str(error.details.get("allow", ""))
    if status in (408, 413):
        # The rest of the body is still on its way and nobody will read it.
        headers["Connection"] = "close"
    if status == 503:
        headers["Retry-After"] = "5"
    return headers


def answer_known(request: AnyRequest, error: NodeDataError) -> Response[bytes]:
    """Answer an error of ours."""
    if status_of(error) >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
    return Response(
        problem_body(error, request.state.get("request_id")),
        status_code=status_of(error),
        headers={**problem_headers(error), **request.state.get("problem_headers", {})},
        media_type="application/json",
    )


def answer_framework(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer an error that the web framework raised, in our shape."""
    return answer_known(request, translate(request, error))


def answer_unknown(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer a defect: the log has the traceback under the request id, the caller only the id."""
    request_id = request.state.get("request_id")
    log.error("%s %s failed, request %s", request.method, request.url.path, request_id, exc_info=error)
    hidden = ServerError(f"the registry failed; its log has the details under {request_id}")
    return Response(
        problem_body(hidden, request_id),
        status_code=500,
        headers=problem_headers(hidden),
        media_type="application/json",
    )


def translate(request: AnyRequest, error: HTTPException) -> NodeDataError:
    """Return our error for one of the framework's: routing, methods, sizes, parameters."""
    path = request.url.path[:200]
    if error.status_code == 404:
        return NotFound(f"there is nothing at {path}: /openapi.json lists every address")
    if error.status_code == 405:
        allow = dict(error.headers or {}).get("allow", "")
        return MethodNotAllowed(
            f"{path} does not take {request.method}, only {allow}", details={"allow": allow}
        )
    if error.status_code == 413:
        limit = request.route_handler.resolve_request_max_body_size()
        return TooLarge(f"the body is larger than the {limit} bytes that {path} takes")
    if error.status_code >= 500 and "disconnected" in error.detail:
        return RequestTimeout("the client went away before its request had arrived")
    if error.status_code >= 500:
        return ServerError("the registry failed")
    return _invalid(error)


def _invalid(error: HTTPException) -> InvalidRequest:
    extra = error.extra if isinstance(error.extra, list) else []
    first = extra[0] if extra and isinstance(extra[0], dict) else {}
    field = str(first["key"]) if first.get("key") else None
    if field == "data":
        return InvalidRequest("the request needs a JSON body: /openapi.json describes it")
    what = first.get("message") or error.detail
    return InvalidRequest(f"{field}: {what}" if field else str(what), field=field)
