"""`/v1/models`: models, search, visibility, grants."""

from __future__ import annotations

from typing import Annotated

from litestar.params import FromQuery, JSONBody, QueryParameter

from nodedata_registry import wire
from nodedata_registry.server import render
from nodedata_registry.server.api.routing import Ask, Segment, on, on_model
from nodedata_registry.server.service import models

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many items at most")]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")]


@on("POST", "/models")
def create_model(call: Ask, data: JSONBody[wire.CreateModel]) -> wire.Model:
    """Make a model without revisions; private unless said otherwise."""
    return render.model(models.create_model(call.registry, call.caller, data.ref, data.visibility))


@on("GET", "/models")
def search_models(
    call: Ask,
    q: FromQuery[str] = "",
    task: FromQuery[str | None] = None,
    framework: FromQuery[str | None] = None,
    license: FromQuery[str | None] = None,  # noqa: A002 - the query parameter's name
    workspace: FromQuery[str | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> wire.Models:
    """Return models that the caller may see and that match, best match first."""
    page = models.search_models(
        call.registry,
        call.caller,
        query=q,
        task=task,
        framework=framework,
        license=license,
        workspace=workspace,
        cursor=cursor,
        limit=limit,
    )
    items = [render.model(summary) for summary in page.items]
    return wire.Models(items=items, next_cursor=page.next_cursor, has_more=page.has_more)


@on_model("GET")
def get_model(call: Ask) -> wire.Model:
    """Return a model with the facts of its latest revision."""
    return render.model(models.get_model(call.registry, call.caller, call.ref))


@on_model("PATCH")
def update_model(call: Ask, data: JSONBody[wire.UpdateModel]) -> wire.Model:
    """Change who may see a model. Going public is final and needs `confirm`. Owners only."""
    summary = models.set_visibility(call.registry, call.caller, call.ref, data.visibility, data.confirm)
    return render.model(summary)


@on_model("GET", "/grants")
def list_grants(call: Ask) -> wire.Grants:
    """Return the model's grants, ended ones included. Owners only."""
    rows = models.list_grants(call.registry, call.caller, call.ref)
    return wire.Grants(items=[render.grant(row) for row in rows], next_cursor=None, has_more=False)


@on_model("PUT", "/grants/{account:str}")
def put_grant(call: Ask, account: Segment, data: JSONBody[wire.PutGrant]) -> wire.Grant:
    """Let an outside account read the model. Owners only."""
    return render.grant(models.put_grant(call.registry, call.caller, call.ref, account, data.expires_at))


@on_model("DELETE", "/grants/{account:str}")
def revoke_grant(call: Ask, account: Segment) -> None:
    """End an account's grant. Owners only."""
    models.revoke_grant(call.registry, call.caller, call.ref, account)


HANDLERS = [
    *create_model,
    *search_models,
    *get_model,
    *update_model,
    *list_grants,
    *put_grant,
    *revoke_grant,
]
