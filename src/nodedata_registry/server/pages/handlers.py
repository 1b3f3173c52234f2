"""The pages' routes, as thin functions: read, build the view, render."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from anyio import to_thread
from litestar import HttpMethod, Request, Response, Router, post, route
from litestar.datastructures import Cookie
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from nodedata_registry import wire
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import (
    Gone,
    InvalidVersion,
    NodeDataError,
    NotAuthenticated,
    NotFound,
    RevisionNotFound,
    Unavailable,
)
from nodedata_registry.server.pages.data import RevisionContent, SearchQuery, Visitor
from nodedata_registry.server.pages.diff_views import OPEN_ROWS, DiffSummary, diff_summary, diff_view
from nodedata_registry.server.pages.rendering import SECURITY_HEADERS, STATIC_TYPES, static_bytes
from nodedata_registry.server.pages.session import (
    COOKIE,
    LIFETIME,
    local_path,
    looks_like_a_key,
    same_origin,
)
from nodedata_registry.server.pages.site import AnyRequest, Site
from nodedata_registry.server.pages.views import (
    diff_url,
    model_url,
    revision_lines,
    revision_url,
    revision_view,
    size_line,
    yanked_beside,
)

LISTING_WAIT_SECONDS = 1.5
"""How long a listing page waits for a diff that is not computed yet."""

DIFF_WAIT_SECONDS = 20.0
"""How long a diff page waits before it shows progress."""

_READ = [HttpMethod.GET, HttpMethod.HEAD]
_FORM_BYTES = 8192
_FILTERS = ("task", "framework", "license", "workspace")


def page(path: str) -> Callable[[Callable[..., Response[str] | Redirect]], HTTPRouteHandler]:
    """Return a decorator for a handler that answers GET and HEAD in a thread."""
    return route(path, http_method=_READ, sync_to_thread=True, include_in_schema=False)


# --- finding ------------------------------------------------------------------------------------


@page("/")
def home(request: Request[Any, Any, Any], site: NamedDependency[Site]) -> Response[str]:
    """Answer the home page: search, and what changed last."""
    visitor = site.visitor(request)
    found = site.data.search(visitor.caller, SearchQuery())
    return site.page("home.html", visitor, found=found, base_url=site.base_url(request))


@page("/search")
def search(request: Request[Any, Any, Any], site: NamedDependency[Site]) -> Response[str]:
    """Answer a page of models that match."""
    visitor = site.visitor(request)
    query = SearchQuery(**{name: request.query_params.get(name, "") for name in SearchQuery.__slots__})
    found = site.data.search(visitor.caller, query)
    return site.page(
        "search.html",
        visitor,
        found=found,
        query=query,
        filters=_filters(query),
        next_url=_next_url("/search", query, found.next_cursor),
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """A facet in force, and the address without it."""

    label: str
    value: str
    without_url: str


def _filters(query: SearchQuery) -> tuple[Filter, ...]:
    active = [(name, getattr(query, name)) for name in _FILTERS if getattr(query, name)]
    return tuple(
        Filter(name, value, _search_url("/search", replace(query, cursor="", **{name: ""})))
        for name, value in active
    )


def _search_url(path: str, query: SearchQuery) -> str:
    given = {name: value for name, value in asdict(query).items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def _next_url(path: str, query: SearchQuery, cursor: str | None) -> str | None:
    return None if cursor is None else _search_url(path, replace(query, cursor=cursor))


@page("/{workspace:str}")
def workspace_page(
    workspace: FromPath[str], request: Request[Any, Any, Any], site: NamedDependency[Site]
) -> Response[str]:
    """Answer a workspace: its models, as far as the visitor may see them."""
    visitor = site.visitor(request)
    shown = site.data.workspace(visitor.caller, workspace)
    cursor = request.query_params.get("cursor", "")
    found = site.data.search(visitor.caller, SearchQuery(workspace=shown.slug, cursor=cursor))
    following = _next_url(f"/{shown.slug}", SearchQuery(), found.next_cursor)
    return site.page("workspace.html", visitor, workspace=shown, found=found, next_url=following)


# --- one model ----------------------------------------------------------------------------------


@page("/{workspace:str}/{name:str}")
def model_page(
    workspace: FromPath[str],
    name: FromPath[str],
    request: Request[Any, Any, Any],
    site: NamedDependency[Site],
) -> Response[str]:
    """Answer a model's listing page."""
    visitor = site.visitor(request)
    model = site.data.model(visitor.caller, f"{workspace}/{name}")
    cursor = request.query_params.get("cursor")
    revisions = site.data.revisions(visitor.caller, model.ref, cursor)
    content = _latest(site, visitor, model.ref)
    latest = content.revision.version if content else None
    public = _public(site, model)
    older = revisions.next_cursor if revisions.has_more else None
    return site.page(
        "model.html",
        visitor,
        model=model,
        public=public,
        view=content
        and revision_view(content, latest=latest, base_url=site.base_url(request), public=public),
        change=content and _change(site, visitor, content, public),
        yanked=yanked_beside(revisions.items, latest or ""),
        lines=revision_lines(revisions.items, latest),
        chart=size_line(revisions.items),
        older_url=f"{model_url(model.ref)}?{urlencode({'cursor': older})}#revisions" if older else None,
    )


def _public(site: Site, model: wire.Model) -> bool:
    return model.visibility == "public" and not site.data.require_key


def _latest(site: Site, visitor: Visitor, ref: str) -> RevisionContent | None:
    try:
        version = site.data.resolve(visitor.caller, ref, "latest")
    except (RevisionNotFound, Gone):
        return None
    return site.data.content(visitor.caller, ref, version)


@dataclass(frozen=True, slots=True)
class Change:
    """What `latest` gives against its parent: the diff, or how far its computation is."""

    a: str
    b: str
    url: str
    diff: DiffSummary | None
    progress: wire.DiffProgress | None


def _change(site: Site, visitor: Visitor, content: RevisionContent, public: bool) -> Change | None:
    ref, a, b = content.revision.model, content.revision.parent, content.revision.version
    if a is None:
        return None
    try:
        found = site.data.diff(visitor.caller, ref, a, b, LISTING_WAIT_SECONDS)
    except (Gone, NotFound, Unavailable):
        return None
    url = diff_url(ref, a, b)
    if isinstance(found, wire.DiffProgress):
        return Change(a, b, url, None, found)
    return Change(a, b, url, diff_summary(ref, found, public=public), None)


@page("/{workspace:str}/{name:str}/v/{version:str}")
def revision_page(
    workspace: FromPath[str],
    name: FromPath[str],
    version: FromPath[str],
    request: Request[Any, Any, Any],
    site: NamedDependency[Site],
) -> Response[str] | Redirect:
    """Answer one revision's page; any other selector leads to the revision it means now."""
    visitor = site.visitor(request)
    model = site.data.model(visitor.caller, f"{workspace}/{name}")
    try:
        exact = str(Version.parse(version))
    except InvalidVersion:
        resolved = site.data.resolve(visitor.caller, model.ref, version)
        return Redirect(revision_url(model.ref, resolved), headers=dict(SECURITY_HEADERS))
    content = site.data.content(visitor.caller, model.ref, exact)
    public = _public(site, model)
    view = revision_view(content, latest=model.latest, base_url=site.base_url(request), public=public)
    status = 451 if content.revision.quarantined else 200
    return site.page(
        "revision.html", visitor, status=status, model=model, latest=model.latest, public=public, view=view
    )


@page("/{workspace:str}/{name:str}/diff/{span:str}")
def diff_page(
    workspace: FromPath[str],
    name: FromPath[str],
    span: FromPath[str],
    request: Request[Any, Any, Any],
    site: NamedDependency[Site],
) -> Response[str]:
    """Answer a diff page; `span` is `{a}..{b}`, each side any selector."""
    visitor = site.visitor(request)
    model = site.data.model(visitor.caller, f"{workspace}/{name}")
    a, dots, b = span.partition("..")
    if not dots:
        raise RevisionNotFound(f"a diff is between two revisions, as in 1.0.0..1.1.0; {span!r} names one")
    found = site.data.diff(visitor.caller, model.ref, a, b, DIFF_WAIT_SECONDS)
    if isinstance(found, wire.DiffProgress):
        return site.page("diff_wait.html", visitor, model=model, a=a, b=b, progress=found, refresh_seconds=3)
    cards = _cards(site, visitor, model.ref, found.a.version, found.b.version)
    view = diff_view(model.ref, found, cards, public=_public(site, model))
    return site.page("diff.html", visitor, model=model, view=view, open_rows=OPEN_ROWS)


def _cards(site: Site, visitor: Visitor, ref: str, a: str, b: str) -> tuple[str, str] | None:
    sides = [site.data.content(visitor.caller, ref, version) for version in (a, b)]
    if any(side.revision.quarantined for side in sides):
        return None
    return sides[0].card, sides[1].card


# --- signing in ---------------------------------------------------------------------------------


@page("/login")
def login_form(request: Request[Any, Any, Any], site: NamedDependency[Site]) -> Response[str]:
    """Answer the form that takes an API key."""
    following = local_path(request.query_params.get("next"))
    return site.page("login.html", site.visitor(request), next=following, problem=None)


@post("/login", status_code=200, include_in_schema=False, request_max_body_size=_FORM_BYTES)
async def login(request: Request[Any, Any, Any], site: NamedDependency[Site]) -> Response[str] | Redirect:
    """Open a read-only session for a key and go on to where the visitor wanted."""
    if not same_origin(request.headers):
        raise HTTPException(status_code=403)
    form = await request.form()
    key, following = str(form.get("key", "")).strip(), local_path(str(form.get("next", "")))
    try:
        visitor = await to_thread.run_sync(_enter, site, key)
    except NotAuthenticated as refused:
        visitor = await to_thread.run_sync(site.visitor, request)
        return site.page("login.html", visitor, status=401, next=following, problem=refused.message)
    return _go(following, [_cookie(request, site, site.sessions.issue(key), int(LIFETIME.total_seconds()))])


def _enter(site: Site, key: str) -> Visitor:
    if not looks_like_a_key(key):
        raise NotAuthenticated("that is not an API key: keys look like nd_live_…")
    return site.data.enter(site.sessions.key_sha256(key))


@post("/logout", status_code=200, include_in_schema=False, request_max_body_size=_FORM_BYTES)
async def logout(request: Request[Any, Any, Any], site: NamedDependency[Site]) -> Redirect:
    """End the session."""
    if not same_origin(request.headers):
        raise HTTPException(status_code=403)
    return _go("/", [_cookie(request, site, "", 0)])


def _cookie(request: AnyRequest, site: Site, value: str, max_age: int) -> Cookie:
    secure = site.base_url(request).startswith("https:")
    return Cookie(
        key=COOKIE, value=value, max_age=max_age, path="/", httponly=True, samesite="lax", secure=secure
    )


def _go(path: str, cookies: list[Cookie]) -> Redirect:
    headers = {**SECURITY_HEADERS, "Cache-Control": "no-store"}
    return Redirect(path, status_code=303, cookies=cookies, headers=headers)


# --- static files -------------------------------------------------------------------------------


@route("/static/{name:str}", http_method=_READ, sync_to_thread=False, include_in_schema=False)
def static_file(name: FromPath[str]) -> Response[bytes]:
    """Answer a static file. Its address carries its digest, so it may be cached for ever."""
    if name not in STATIC_TYPES:
        raise HTTPException(status_code=404)
    headers = {**SECURITY_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
    return Response(static_bytes(name), media_type=STATIC_TYPES[name], headers=headers)


@route("/favicon.ico", http_method=_READ, sync_to_thread=False, include_in_schema=False)
def favicon() -> Redirect:
    """Lead browsers that do not read the page's icon link to the icon."""
    return Redirect("/static/favicon.svg", headers=dict(SECURITY_HEADERS))


@page("/{workspace:str}/{name:str}/{rest:path}")
def nowhere(workspace: FromPath[str], name: FromPath[str], rest: FromPath[str]) -> Response[str]:
    """Answer a deeper address that nothing else answers, with a page rather than the API's JSON."""
    raise NotFound("There is no page at this address.")


_ROUTES: tuple[HTTPRouteHandler, ...] = (
    *(home, search, workspace_page, model_page, revision_page, diff_page),
    *(login_form, login, logout, static_file, favicon, nowhere),
)


def page_handlers(site: Site) -> list[Router]:
    """Return everything to mount: the pages under `/`, with their own error pages."""

    def error_page(request: AnyRequest, error: Exception) -> Response[str]:
        # A function, not a bound method: the framework copies handlers, and would copy the site with it.
        return site.error_page(request, error)

    return [
        Router(
            "/",
            route_handlers=list(_ROUTES),
            dependencies={"site": Provide(lambda: site, sync_to_thread=False)},
            exception_handlers={
                NodeDataError: error_page,
                HTTPException: error_page,
                Exception: error_page,
            },
        )
    ]
