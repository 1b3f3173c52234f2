"""Retention and the record of events."""

from __future__ import annotations

from litestar.params import JSONBody

from nodedata_registry import wire
from nodedata_registry.server import render
from nodedata_registry.server.api.routes.models import Cursor, Limit
from nodedata_registry.server.api.routing import Ask, Segment, on
from nodedata_registry.server.service import events, retain


@on("GET", "/workspaces/{slug:str}/retention/preview")
def preview_retention(call: Ask, slug: Segment) -> wire.RetentionPreview:
    """Return what applying the policy now would do, with every reason."""
    return render.preview(retain.preview(call.registry, call.caller, slug))


@on("POST", "/workspaces/{slug:str}/retention/apply", status_code=200)
def apply_retention(call: Ask, slug: Segment, data: JSONBody[wire.ApplyRetention]) -> wire.RetentionResult:
    """Execute a preview, if it still is what would happen. Owners only."""
    retired = retain.apply(call.registry, call.caller, slug, data.preview)
    return wire.RetentionResult(workspace=slug, retired=list(retired))


@on("GET", "/events")
def list_events(call: Ask, cursor: Cursor = None, limit: Limit = 50) -> wire.Events:
    """Return events that the caller may see, oldest first."""
    page = events.list_events(call.registry, call.caller, cursor=cursor, limit=limit)
    items = [render.event(view) for view in page.items]
    return wire.Events(items=items, next_cursor=page.next_cursor, has_more=page.has_more)


HANDLERS = [*preview_retention, *apply_retention, *list_events]
