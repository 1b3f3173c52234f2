"""Where everything is that Hub clients ask for: thin handlers, as in `api.routes`.

    /api/models[?search=]                        list
    /api/models/{model}[/revision/{revision}]    one model at a revision, with its files
    /api/models/{model}/tree/{revision}[/{path}] files and folders, in pages
    /api/models/{model}/paths-info/{revision}    the same of named paths (POST, but only reading)
    /api/models/{model}/refs, /commits/{revision}
    /api/whoami-v2
    /{model}/resolve/{revision}/{path}           bytes

A model is `workspace/name`. None of this is in `/openapi.json`: the protocol is not ours.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import anyio.to_thread
from litestar import Response, Router
from litestar.background_tasks import BackgroundTask
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler, get, post
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from nodedata_registry.errors import (
    FileNotFoundInRevision,
    InvalidRequest,
    ModelNotFound,
    NodeDataError,
    RevisionNotFound,
    WorkspaceNotFound,
)
from nodedata_registry.server import render
from nodedata_registry.server.api.caching import Freshness, conditional
from nodedata_registry.server.api.calls import authenticate, bearer_of
from nodedata_registry.server.api.paths import decode_segment
from nodedata_registry.server.api.ranges import parse_range
from nodedata_registry.server.api.routes.revisions import answer_file
from nodedata_registry.server.api.routing import Ask, Function, Segment
from nodedata_registry.server.hub import answers, shapes
from nodedata_registry.server.hub.problems import (
    NO_WORKSPACE,
    answer_http,
    answer_known,
    answer_unknown,
    header_text,
)
from nodedata_registry.server.hub.revisions import DEFAULT_REVISION, Commit, parse_revision
from nodedata_registry.server.service import fetch, identity, models, snapshots
from nodedata_registry.server.service.views import Resolved

TREE_PAGE = 1000
"""Entries of a tree in one answer; a `Link` header leads to the next ones."""

HISTORY_PAGE = 100
LIST_PAGE = 50

_MODEL = "/{workspace:str}/{name:str}"
_API = "/api/models" + _MODEL
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.ASCII)
_MOST_PATHS = 10_000
# Narrowing that is not offered: answering as if it were would show models that were not asked for.
_NOT_OFFERED = ("filter", "apps", "gated", "inference", "inference_provider", "num_parameters")


def _get(path: str) -> Callable[[Function], HTTPRouteHandler]:
    return get(path, sync_to_thread=True, include_in_schema=False)


# --- what a revision string means -----------------------------------------------------------------


def _selector(call: Ask, revision: str) -> str:
    """Return the selector that services take for a client's revision string."""
    meant = parse_revision(revision)
    if isinstance(meant, Commit):
        return str(snapshots.version_of_commit(call.registry, call.caller, call.ref, meant.hex))
    return meant


def _snapshot(call: Ask, revision: str) -> snapshots.Snapshot:
    return snapshots.find_snapshot(call.registry, call.caller, call.ref, _selector(call, revision))


def _headers(resolved: Resolved) -> dict[str, str]:
    """Return what every answer from a revision carries: its commit, and a warning if it is yanked."""
    view = resolved.view
    headers = {"X-Repo-Commit": view.row.commit}
    yanked = render.yank(view)
    if yanked is not None:
        name = f"{view.model.ref} {view.row.version}"
        instead = f" Use {yanked.suggested} instead." if yanked.suggested is not None else ""
        # Clients show one warning a topic, so each revision is a topic of its own.
        topic = f"yanked-{view.model.ref}-{view.row.version}"
        said = f"{name} was yanked on {yanked.at:%Y-%m-%d}: {yanked.reason.rstrip('.')}.{instead}"
        headers["X-HF-Warning"] = f"{topic}; {header_text(said)}"
    return headers


def _fresh(call: Ask, resolved: Resolved, link: str | None = None) -> Freshness:
    headers = _headers(resolved) | ({} if link is None else {"Link": link})
    view = resolved.view
    return Freshness(call.shared(view.model.visibility), render.yank(view), extra=headers)


# --- models -------------------------------------------------------------------------------------


@_get("/api/models")
def list_models(call: Ask) -> Response[list[answers.ModelInfo]]:
    """Return models that the caller may see and that match, with a link to more."""
    asked = call.request.query_params
    refused = [name for name in _NOT_OFFERED if asked.get(name)]
    if refused:
        raise InvalidRequest(
            f"models are not narrowed by {refused[0]} here: use search, author, pipeline_tag"
        )
    try:
        page = models.search_models(
            call.registry,
            call.caller,
            query=asked.get("search", ""),
            task=asked.get("pipeline_tag") or None,
            workspace=asked.get("author") or None,
            cursor=asked.get("cursor"),
            limit=_number(call, "limit", LIST_PAGE),
        )
    except WorkspaceNotFound:
        return Response([])
    counts = snapshots.downloads_of(call.registry, [found.model for found in page.items])
    shown = [shapes.listed_model(found, counts[found.model.id]) for found in page.items]
    link = None if page.next_cursor is None else _link(call, cursor=page.next_cursor)
    return Response(shown, headers={} if link is None else {"Link": link})


@_get(_API)
def get_model(call: Ask) -> Response[answers.ModelInfo]:
    """Return a model at its latest revision; one without revisions has no `sha` and no files."""
    try:
        return _info(call, DEFAULT_REVISION)
    except RevisionNotFound:
        found = models.get_model(call.registry, call.caller, call.ref)
        return Response(shapes.listed_model(found, 0))


@_get(_API + "/revision/{revision:str}")
def get_revision(call: Ask, revision: Segment) -> Response[answers.ModelInfo]:
    """Return a model at what the revision means now."""
    return _info(call, revision)


def _info(call: Ask, revision: str) -> Response[answers.ModelInfo]:
    snapshot = _snapshot(call, revision)
    model = snapshot.resolved.view.model
    downloads = snapshots.downloads_of(call.registry, [model])[model.id]
    shown = shapes.model_info(snapshot, downloads, blobs=_flag(call, "blobs"))
    return conditional(call.request, shown, _fresh(call, snapshot.resolved))


# --- trees --------------------------------------------------------------------------------------


@_get(_API + "/tree/{revision:str}")
def get_tree(call: Ask, revision: Segment) -> Response[Sequence[shapes.Entry]]:
    """Return what lies at the root of a revision."""
    return _tree(call, revision, "")


@_get(_API + "/tree/{revision:str}/{path:path}")
def get_subtree(call: Ask, revision: Segment) -> Response[Sequence[shapes.Entry]]:
    """Return what lies in a folder of a revision."""
    return _tree(call, revision, _path(call).strip("/"))


def _tree(call: Ask, revision: str, folder: str) -> Response[Sequence[shapes.Entry]]:
    snapshot = _snapshot(call, revision)
    row = snapshot.resolved.view.row
    commit = shapes.last_commit(row) if _flag(call, "expand") else None
    found = shapes.tree(snapshot.manifest, folder, recursive=_flag(call, "recursive"), commit=commit)
    if found is None:
        raise FileNotFoundInRevision(
            f"{snapshot.resolved.view.model.ref} {row.version} has no folder {folder[:200]!a}",
            field="path",
            details={"commit": row.commit},
        )
    start = _number(call, "cursor", 0)
    end = start + min(_number(call, "limit", TREE_PAGE), TREE_PAGE)
    link = _link(call, cursor=str(end)) if end < len(found) else None
    return conditional(call.request, found[start:end], _fresh(call, snapshot.resolved, link))


def _paths_info(call: Ask, revision: str, body: bytes) -> Response[Sequence[shapes.Entry]]:
    try:
        form = parse_qs(body.decode(), max_num_fields=_MOST_PATHS + 10)
    except ValueError as error:
        raise InvalidRequest(
            f"the body must be a form with at most {_MOST_PATHS} `paths`", field="paths"
        ) from error
    snapshot = _snapshot(call, revision)
    expand = form.get("expand", [""])[0].lower() == "true"
    commit = shapes.last_commit(snapshot.resolved.view.row) if expand else None
    found = shapes.paths_info(snapshot.manifest, form.get("paths", []), commit)
    return conditional(call.request, found, _fresh(call, snapshot.resolved))


@post(_API + "/paths-info/{revision:str}", status_code=200, include_in_schema=False)
async def post_paths_info(call: Ask, revision: Segment) -> Response[Sequence[shapes.Entry]]:
    """Return files and folders by path; paths that are neither are left out."""
    body = await call.request.body()
    return await anyio.to_thread.run_sync(_paths_info, call, revision, body)


# --- history ------------------------------------------------------------------------------------


@_get(_API + "/refs")
def get_refs(call: Ask) -> answers.Refs:
    """Return the names of the model's revisions."""
    return shapes.refs(snapshots.named_revisions(call.registry, call.caller, call.ref))


@_get(_API + "/commits/{revision:str}")
def get_commits(call: Ask, revision: Segment) -> Response[list[answers.CommitInfo]]:
    """Return the revision and its parents, newest first, with a link to more."""
    page = _number(call, "p", 0)
    rows, more = snapshots.history(
        call.registry,
        call.caller,
        call.ref,
        _selector(call, revision),
        skip=page * HISTORY_PAGE,
        limit=HISTORY_PAGE,
    )
    headers = {"Link": _link(call, p=str(page + 1))} if more else {}
    return Response([shapes.commit_info(row) for row in rows], headers=headers)


# --- bytes --------------------------------------------------------------------------------------


@_get(_MODEL + "/resolve/{revision:str}/{path:path}")
def get_file(call: Ask, revision: Segment) -> Response[Any]:
    """Return a file's bytes, or the part that `Range` names; the tag is its SHA-256."""
    selector = _selector(call, revision)
    opened = fetch.open_file(call.registry, call.caller, call.ref, selector, _path(call))
    response = answer_file(call, opened, _headers(opened.resolved))
    # Only bytes come as a stream: HEAD and 304 do not.
    if isinstance(response, Stream) and _is_download(call, opened.entry.size_bytes):
        view = opened.resolved.view
        response.background = BackgroundTask(
            anyio.to_thread.run_sync,
            functools.partial(
                snapshots.count_download, call.registry, view.model, view.row, opened.entry.path
            ),
        )
    return response


@_get("/{workspace:str}/resolve/{revision:str}/{path:path}")
def refuse_bare_name(workspace: Segment, revision: Segment) -> None:
    """Refuse a model that is named without its workspace, as some are on the public Hub.

    Raises:
        ModelNotFound: always.
    """
    raise ModelNotFound(NO_WORKSPACE)


def _is_download(call: Ask, size_bytes: int) -> bool:
    """Tell whether a request fetches a file from its beginning to use it; resumed ones were counted then.

    Clients say so in a header; those that do not know it ask for no range when they download.
    """
    asked = call.request.headers
    if "range" not in asked:
        return True
    span = parse_range(asked["range"], size_bytes)
    return asked.get("x-hf-download-counter") == "1" and (span is None or span[0] == 0)


# --- the caller ---------------------------------------------------------------------------------


@_get("/api/whoami-v2")
def who_am_i(call: Ask) -> answers.WhoAmI:
    """Return the caller's account."""
    bearer = bearer_of(call.request.headers.getall("authorization", []))
    return shapes.who_am_i(identity.describe(call.registry, call.caller, bearer))


# --- parts of requests --------------------------------------------------------------------------


def _path(call: Ask) -> str:
    return decode_segment(str(call.request.path_params["path"]).removeprefix("/"))


def _flag(call: Ask, name: str) -> bool:
    return str(call.request.query_params.get(name, "")).lower() in ("1", "true")


def _number(call: Ask, name: str, usual: int) -> int:
    text = call.request.query_params.get(name)
    if text is None:
        return usual
    if _NUMBER.fullmatch(text) is None:
        raise InvalidRequest(f"{name} is a whole number, not {text[:40]!a}", field=name)
    return int(text)


def _link(call: Ask, **changed: str) -> str:
    """Return a `Link` header to the same address with other parameters; clients want it absolute."""
    request = call.request
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changed]
    query = urlencode([*kept, *changed.items()])
    # A raw path may hold characters that would end the address early.
    path = quote(request.scope["path"], safe="/%:=~^*,;@!$&'()+")
    return f'<{base_url(call)}{path}?{query}>; rel="next"'


def base_url(call: Ask) -> str:
    """Return the registry's address as its users write it; a strange Host header is not repeated."""
    public_url: str | None = call.request.app.state.get("public_url")
    if public_url is not None:
        return public_url.rstrip("/")
    host = call.request.headers.get("host", "")
    return f"{call.request.url.scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"


# --- all of it ----------------------------------------------------------------------------------


def hub_handlers() -> list[ControllerRouterHandler]:
    """Return the handlers to mount beside the API; `state.public_url` is the address outside, if set."""
    handlers = [
        list_models,
        get_model,
        get_revision,
        get_tree,
        get_subtree,
        post_paths_info,
        get_refs,
        get_commits,
        get_file,
        refuse_bare_name,
        who_am_i,
    ]
    return [
        Router(
            "/",
            route_handlers=handlers,
            guards=[authenticate],
            exception_handlers={
                NodeDataError: answer_known,
                HTTPException: answer_http,
                Exception: answer_unknown,
            },
        )
    ]
