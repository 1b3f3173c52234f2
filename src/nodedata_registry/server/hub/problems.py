"""Errors as Hub clients want to be told: status, `X-Error-Code`, `X-Error-Message`, `{"error": "text"}`.

The code decides which exception a client raises, whatever the status; the text is printed to its user.
"""

from __future__ import annotations

import logging
import re

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from nodedata_registry.errors import (
    FileNotFoundInRevision,
    InvalidSelector,
    InvalidVersion,
    MethodNotAllowed,
    ModelNotFound,
    NodeDataError,
    NotAuthenticated,
    RevisionNotFound,
    RevisionQuarantined,
    RevisionRetired,
    ScopeMissing,
    ServerError,
)
from nodedata_registry.server.api.problems import AnyRequest, answer_framework, problem_headers, translate
from nodedata_registry.server.api.status import status_of

log = logging.getLogger("nodedata_registry.hub")

WRITING = (
    "this registry is read-only for Hub clients, because what is published must pass its checks:"
    " publish with `node-data model push WORKSPACE/NAME FOLDER --version X.Y.Z`"
    " (`node-data model create` makes a model, `node-data model yank` withdraws a version)"
)

NO_WORKSPACE = "a model is named workspace/name here"
OTHER_KIND = "this registry has models only"

# The exact words by which clients know these two.
_DISABLED = "Access to this resource is disabled."
_BAD_TOKEN = "Invalid credentials in Authorization header"

_CODES: tuple[tuple[type[NodeDataError], int, str], ...] = (
    (ModelNotFound, 404, "RepoNotFound"),
    (ScopeMissing, 403, "GatedRepo"),
    (RevisionNotFound, 404, "RevisionNotFound"),
    (RevisionRetired, 410, "RevisionNotFound"),
    (InvalidSelector, 404, "RevisionNotFound"),
    (InvalidVersion, 404, "RevisionNotFound"),
    (FileNotFoundInRevision, 404, "EntryNotFound"),
)

_OURS = re.compile(r"/api(/.*)?|/[^/]+(/[^/]+){0,2}/resolve/.*|.*/info/lfs/.*|.*/git-(receive|upload)-pack")
_OTHER_KINDS = re.compile(r"/(api/)?(datasets|spaces|buckets)/.*")
_READING = ("GET", "HEAD")
_HEADER_CHARS = 1000


def is_hub_path(path: str) -> bool:
    """Tell whether a raw path is one that only Hub clients (or git) ask for.

    >>> is_hub_path("/api/repos/create"), is_hub_path("/acme/x/resolve/%5E1/a.json"), is_hub_path("/acme/x")
    (True, True, False)
    """
    return _OURS.fullmatch(path) is not None


def spell_refusal(path: str, error: NodeDataError) -> tuple[int, dict[str, str], bytes] | None:
    """Return status, headers and body for an error before routing; `None` if no Hub client asked."""
    return _spell(error, has_key=True) if is_hub_path(path) else None


def answer_known(request: AnyRequest, error: NodeDataError) -> Response[bytes]:
    """Answer an error of ours to a Hub client."""
    if status_of(error) >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
    status, headers, body = _spell(error, has_key="authorization" in request.headers)
    headers |= request.state.get("problem_headers", {})
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def answer_http(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer an error that the web framework raised inside one of our routes."""
    return answer_known(request, translate(request, error))


def answer_unknown(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer a defect: the log has the traceback under the request id, the caller only the id."""
    request_id = request.state.get("request_id")
    log.error("%s %s failed, request %s", request.method, request.url.path, request_id, exc_info=error)
    hidden = ServerError(f"the registry failed; its log has the details under {request_id}")
    status, headers, body = _spell(hidden, has_key=True)
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def answer_routing(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer a request that no route takes: to a Hub client in its way, to all others in ours.

    Every act that is not reading is among these.
    """
    path = request.url.path
    reading = request.method in _READING and not path.endswith("-receive-pack")
    if not is_hub_path(path):
        return answer_framework(request, error)
    if not reading and error.status_code in (404, 405):
        return answer_known(request, MethodNotAllowed(WRITING, details={"allow": "GET, HEAD"}))
    if _OTHER_KINDS.fullmatch(path):
        return answer_known(request, ModelNotFound(OTHER_KIND))
    if error.status_code == 404 and path.startswith("/api/models/"):
        return answer_known(request, ModelNotFound(NO_WORKSPACE))
    return answer_http(request, error)


def _spell(error: NodeDataError, *, has_key: bool) -> tuple[int, dict[str, str], bytes]:
    status, code = next(
        ((status, code) for kind, status, code in _CODES if isinstance(error, kind)), (status_of(error), None)
    )
    # Plain, because older clients read headers as Latin-1 and print header and body if they differ.
    told = text = error.message.replace("…", "...")
    if isinstance(error, RevisionQuarantined):
        told = _DISABLED
    elif isinstance(error, NotAuthenticated) and has_key:
        told = _BAD_TOKEN
        text = f"{text} (a Hub client sends HF_TOKEN, or what `hf auth login` stored, as its key)"
    elif isinstance(error, NotAuthenticated):
        code = "RepoNotFound"
    elif isinstance(error, ModelNotFound) and not has_key and text not in (NO_WORKSPACE, OTHER_KIND):
        told = text = f"{text} (a private model needs a key of this registry as HF_TOKEN)"
    headers = {**problem_headers(error), **({} if code is None else {"X-Error-Code": code})}
    headers["X-Error-Message"] = header_text(told)
    if isinstance(error, FileNotFoundInRevision) and "commit" in error.details:
        headers["X-Repo-Commit"] = str(error.details["commit"])
    return status, headers, msgspec.json.encode({"error": text})


def header_text(text: str) -> str:
    r"""Return the text as one header line, which the framework writes as UTF-8.

    >>> header_text("two\nlines")
    'two lines'
    """
    line = "".join(one if one.isprintable() else " " for one in text)[:_HEADER_CHARS]
    return line.encode("utf-8", "replace").decode("latin-1")
