"""Model cards as safe HTML.

Two independent layers: the parser never passes HTML through, and the sanitiser keeps a short list
of tags whatever the parser does. Images become links, for a remote image tells its host who reads
the card. Headings move down two levels, below the page's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import quote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

SHOWN_CHARS = 131_072
"""Longer cards are cut here: rendering is bounded, and the file itself is one click away."""

_TAGS = {
    *("a", "p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "h3", "h4", "h5", "h6"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_CLASSES = {"th": {"right", "center"}, "td": {"right", "center"}}
_SCHEMES = {"http", "https", "mailto"}
_LOWEST_HEADING = 6


@lru_cache(maxsize=64)
def render_card(text: str, title: str | None = None, files_url: str | None = None) -> Markup:
    """Return a card's Markdown as safe HTML.

    A first heading equal to `title` is left out, for the page shows it already. `files_url` is the
    address that relative links continue (it ends with a slash); without one they become plain text.
    """
    parser = _parser(files_url)
    tokens = parser.parse(text[:SHOWN_CHARS])
    _drop_repeated_title(tokens, title)
    html = parser.renderer.render(tokens, parser.options, {})
    return Markup(
        nh3.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            allowed_classes=_CLASSES,
            url_schemes=_SCHEMES,
            link_rel="noopener nofollow noreferrer",
        )
        .replace("<table>", '<div class="scroll" tabindex="0"><table>')
        .replace("</table>", "</table></div>")
    )


def _parser(files_url: str | None) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.core.ruler.push("card", _rewrite(files_url))
    return parser


def _rewrite(files_url: str | None) -> Callable[[StateCore], None]:
    def walk(state: StateCore) -> None:
        for token in state.tokens:
            _lower_heading(token)
            _align_by_class(token)
            if token.children:
                token.children = _without_images(token.children)
                _point_links(token.children, files_url)

    return walk


def _lower_heading(token: Token) -> None:
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(int(token.tag[1]) + 2, _LOWEST_HEADING)}"


def _align_by_class(token: Token) -> None:
    """Replace the parser's inline style of a table cell, which the page's policy would refuse."""
    style = str(token.attrs.pop("style", "")) if token.type in ("th_open", "td_open") else ""
    for side in ("right", "center"):
        if side in style:
            token.attrs["class"] = side


def _without_images(children: Sequence[Token]) -> list[Token]:
    kept: list[Token] = []
    inside_link = 0
    for token in children:
        inside_link += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type != "image":
            kept.append(token)
            continue
        text = Token("text", "", 0, content=token.content or "image")
        if inside_link:
            kept.append(text)
            continue
        opening = Token("link_open", "a", 1, attrs={"href": token.attrs.get("src", "")})
        kept += [opening, text, Token("link_close", "a", -1)]
    return kept


def _point_links(children: Sequence[Token], files_url: str | None) -> None:
    for token in children:
        if token.type == "link_open":
            href = _absolute(str(token.attrs.get("href", "")), files_url)
            token.attrs = {} if href is None else {**token.attrs, "href": href}


def _absolute(href: str, files_url: str | None) -> str | None:
    try:
        parts = urlsplit(href)
    except ValueError:
        return None
    if parts.scheme:
        return href if parts.scheme.lower() in _SCHEMES else None
    if parts.netloc or href.startswith(("/", "\\", "#", "?")) or files_url is None:
        return None
    path = parts.path.removeprefix("./")
    if not path or ".." in path.split("/"):
        return None
    return files_url + quote(path, safe="/%")


def _drop_repeated_title(tokens: list[Token], title: str | None) -> None:
    if title is None or len(tokens) < 3 or tokens[0].type != "heading_open":
        return
    if tokens[1].content.strip().casefold() == title.strip().casefold():
        del tokens[:3]
