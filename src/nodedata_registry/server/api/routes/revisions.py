"""`/v1/models/…/revisions`: list, resolve, fetch, yank, diff."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from litestar import Response
from litestar.params import QueryParameter
from litestar.response import Stream

from nodedata_registry import wire
from nodedata_registry.errors import RangeNotSatisfiable
from nodedata_registry.server import render
from nodedata_registry.server.api.caching import (
    IMMUTABLE,
    Freshness,
    conditional,
    matches,
    not_modified,
)
from nodedata_registry.server.api.paths import decode_segment
from nodedata_registry.server.api.ranges import parse_range, range_applies
from nodedata_registry.server.api.routes.models import Cursor, Limit
from nodedata_registry.server.api.routing import Ask, Segment, on_model
from nodedata_registry.server.service import fetch, resolve
from nodedata_registry.server.service.views import Resolved

OnYanked = Annotated[
    str, QueryParameter(description="`error` refuses a yanked answer with 409 `revision_yanked`; else `warn`")
]

_BYTES = "application/octet-stream"
_AT = "/revisions/{selector:str}"


@on_model("GET", "/revisions")
def list_revisions(call: Ask, cursor: Cursor = None, limit: Limit = 50) -> wire.Revisions:
    """Return the model's revisions, the newest first, yanked and retired ones included."""
    page = resolve.list_revisions(call.registry, call.caller, call.ref, cursor=cursor, limit=limit)
    items = [render.revision(view) for view in page.items]
    return wire.Revisions(items=items, next_cursor=page.next_cursor, has_more=page.has_more)


@on_model("GET", _AT)
def resolve_selector(call: Ask, selector: Segment, on_yanked: OnYanked = "warn") -> Response[wire.Resolution]:
    """Return what the selector means now."""
    deny = call.deny_yanked
    found = resolve.resolve(call.registry, call.caller, call.ref, selector, deny_yanked=deny)
    return conditional(call.request, render.resolution(found), freshness(call, found))


@on_model("GET", _AT + "/manifest")
def get_manifest(call: Ask, selector: Segment, on_yanked: OnYanked = "warn") -> Response[wire.Manifest]:
    """Return the files of what the selector means now."""
    deny = call.deny_yanked
    found = fetch.list_files(call.registry, call.caller, call.ref, selector, deny_yanked=deny)
    return conditional(call.request, render.manifest(found), freshness(call, found.resolved))


@on_model("GET", _AT + "/plan")
def get_plan(call: Ask, selector: Segment, on_yanked: OnYanked = "warn") -> Response[wire.Plan]:
    """Return the files and, of each, the blocks whose concatenation it is."""
    deny = call.deny_yanked
    found = fetch.plan(call.registry, call.caller, call.ref, selector, deny_yanked=deny)
    return conditional(call.request, render.plan(found), freshness(call, found.resolved))


@on_model("GET", _AT + "/files/{path:path}", media_type=_BYTES)
def get_file(call: Ask, selector: Segment, on_yanked: OnYanked = "warn") -> Response[Any]:
    """Return a file's bytes, or the part that `Range` names. The tag is the file's SHA-256."""
    path = decode_segment(str(call.request.path_params["path"]).removeprefix("/"))
    deny = call.deny_yanked
    opened = fetch.open_file(call.registry, call.caller, call.ref, selector, path, deny_yanked=deny)
    return answer_file(call, opened)


def answer_file(call: Ask, opened: fetch.OpenedFile, extra: Mapping[str, str] | None = None) -> Response[Any]:
    """Return the file's bytes, the part that `Range` names, or 304; with the headers of `extra` on each."""
    etag = f'"{opened.entry.sha256}"'
    headers = freshness(call, opened.resolved, {**_file_headers(opened), **(extra or {})}).headers(etag)
    asked = call.request.headers
    if matches(asked.get("if-none-match"), etag):
        return not_modified(headers)
    wanted = asked.get("range") if range_applies(asked.get("if-range"), etag) and not call.head else None
    return _send_file(call, opened, wanted, headers)


def _send_file(
    call: Ask, opened: fetch.OpenedFile, wanted: str | None, headers: dict[str, str]
) -> Response[Any]:
    size = opened.entry.size_bytes
    try:
        span = parse_range(wanted, size)
    except RangeNotSatisfiable:
        call.request.state["problem_headers"] = {"Content-Range": f"bytes */{size}"}
        raise
    offset, length = span or (0, size)
    headers = {**headers, "Content-Length": str(length)}
    if call.head:
        return Response(b"", headers=headers, media_type=_BYTES)
    if span is not None:
        headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{size}"
    status = 200 if span is None else 206
    return Stream(opened.read(offset, length), status_code=status, headers=headers, media_type=_BYTES)


def _file_headers(opened: fetch.OpenedFile) -> dict[str, str]:
    """Return what every answer about the file says: whole digest, and that no browser may run it."""
    digest = b64encode(bytes.fromhex(opened.entry.sha256)).decode()
    name = quote(opened.entry.path.rpartition("/")[2], safe="")
    return {
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{digest}:",
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }


@on_model("GET", _AT + "/blocks/{digest:str}", media_type=_BYTES)
def get_block(call: Ask, selector: Segment, digest: Segment, on_yanked: OnYanked = "warn") -> Response[bytes]:
    """Return one block of the revision; the only answer that never changes."""
    deny = call.deny_yanked
    found = fetch.find_block(call.registry, call.caller, call.ref, selector, digest, deny_yanked=deny)
    fresh = freshness(call, found.resolved, {"Content-Security-Policy": "sandbox; default-src 'none'"})
    etag = f'"{found.digest}"'
    headers = Freshness(fresh.shared, fresh.yanked, IMMUTABLE, fresh.extra).headers(etag)
    if matches(call.request.headers.get("if-none-match"), etag):
        return not_modified(headers)
    if call.head:
        return Response(b"", headers={**headers, "Content-Length": str(found.size_bytes)}, media_type=_BYTES)
    return Response(call.registry.blobs.get(found.digest), headers=headers, media_type=_BYTES)


def freshness(call: Ask, resolved: Resolved, extra: dict[str, str] | None = None) -> Freshness:
    """Return how an answer about a revision may be kept, its yank, and which revision it is from."""
    view = resolved.view
    named = {
        "X-Node-Data-Requested": quote(resolved.requested, safe=""),
        "X-Node-Data-Resolved": str(view.row.version),
        "X-Node-Data-Digest": view.row.manifest_digest,
        "X-Node-Data-Commit": view.row.commit,
    }
    return Freshness(call.shared(view.model.visibility), render.yank(view), extra={**named, **(extra or {})})


HANDLERS = [*list_revisions, *resolve_selector, *get_manifest, *get_plan, *get_file, *get_block]
