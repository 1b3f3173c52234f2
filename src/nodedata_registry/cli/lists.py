"""Reading a long list, page after page, up to a number of items."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from nodedata_registry import wire

Listed = TypeVar("Listed", "wire.Models", "wire.Revisions", "wire.Events")

_PAGE_ITEMS = 100


def gather(fetch: Callable[[str | None, int], Listed], limit: int, cursor: str | None = None) -> Listed:
    """Return up to `limit` items as one page; its cursor goes on behind them."""
    import msgspec

    page = fetch(cursor, min(limit, _PAGE_ITEMS))
    items = list(page.items)
    while page.has_more and len(items) < limit:
        page = fetch(page.next_cursor, min(limit - len(items), _PAGE_ITEMS))
        items.extend(page.items)
    return msgspec.structs.replace(page, items=items)
