"""Templates, static files and the headers that every page carries."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response
from markupsafe import Markup, escape

from nodedata_registry.server.pages import figures
from nodedata_registry.server.pages.views import shape_text

_HERE = Path(__file__).parent

POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing inline, no frames."""

SECURITY_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

STATIC_TYPES = {
    "site.css": "text/css",
    "site.js": "text/javascript",
    "favicon.svg": "image/svg+xml",
}
"""The static files there are, with their media types; nothing else is served from the folder."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the templates: everything printed is escaped, and a misspelt name is an error."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["asset"] = asset
    made.filters.update(
        exact=figures.exact,
        human_bytes=figures.human_bytes,
        human_count=figures.human_count,
        plain=figures.plain,
        stamp=figures.stamp,
        day=figures.day,
        moment=figures.moment,
        short_digest=figures.short_digest,
        shape=shape_text,
        breakable=breakable,
        ticked=ticked,
    )
    return made


def breakable(text: str) -> Markup:
    """Return a dotted or slashed name, escaped, that lines may break after its separators."""
    return Markup("<wbr>").join(part for part in re.split(r"(?<=[./])", text) if part)


def ticked(text: str) -> Markup:
    """Return a message, escaped, with what stands between back-ticks as code.

    >>> ticked("output `a<b` was renamed")
    Markup('output <code>a&lt;b</code> was renamed')
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts)
    )


@lru_cache(maxsize=len(STATIC_TYPES))
def static_bytes(name: str) -> bytes:
    """Return a static file; `name` is a key of `STATIC_TYPES`."""
    return (_HERE / "static" / name).read_bytes()


def asset(name: str) -> str:
    """Return the address of a static file; it changes with the content, so that it may be cached for ever."""
    return f"/static/{name}?v={sha256(static_bytes(name)).hexdigest()[:12]}"


def html(template: str, *, status: int = 200, personal: bool = False, **context: object) -> Response[str]:
    """Return a rendered page. `personal` pages are kept by no cache."""
    return Response(
        environment().get_template(template).render(**context),
        status_code=status,
        media_type=MediaType.HTML,
        headers={
            **SECURITY_HEADERS,
            "Cache-Control": "private, no-store" if personal else "no-cache",
            "Vary": "Cookie",
        },
    )
