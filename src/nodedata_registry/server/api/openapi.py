"""`/openapi.json`: OpenAPI 3.1, made from the handlers and the wire structs."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Litestar, Response, get
from litestar._openapi.schema_generation import SchemaCreator
from litestar._openapi.schema_generation.plugins.struct import StructSchemaPlugin
from litestar.connection import Request
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Schema, SecurityScheme
from litestar.typing import FieldDefinition

from nodedata_registry.server.api.problems import ErrorAnswer

_ERROR_STATUSES = (400, 401, 403, 404, 408, 409, 410, 413, 416, 422, 429, 451, 500, 503, 507)

ERRORS = {
    status: ResponseSpec(ErrorAnswer, description="Refused; `error.code` says why", generate_examples=False)
    for status in _ERROR_STATUSES
}
"""The error answers that every operation may give: one shape, see `status.STATUS`."""


class StrictStructs(StructSchemaPlugin):
    """Adds to the framework's schema of a struct that unknown members are refused, where they are."""

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        """Return the schema of the struct, closed if the struct forbids unknown members."""
        schema = super().to_openapi_schema(field_definition, schema_creator)
        info = msgspec.inspect.type_info(field_definition.annotation)
        if isinstance(info, msgspec.inspect.StructType) and info.forbid_unknown_fields:
            schema.additional_properties = False
        return schema


def openapi_config(version: str) -> OpenAPIConfig:
    """Return the description's frame; `version` is the program's.

    The framework's own documentation pages load scripts from elsewhere, so only JSON is served. Its
    addresses are kept out of the way of pages, under a name that no workspace can have.
    """
    bearer = SecurityScheme(type="http", scheme="bearer", description="An API key, `nd_live_…`")
    return OpenAPIConfig(
        title="Model registry",
        version=version,
        path="/openapi",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        use_handler_docstrings=True,
        components=Components(security_schemes={"key": bearer}),
        security=[{}, {"key": []}],
    )


_PARAMETERS = {
    "model": "The model's id, `mdl_…`; by name it is `/models/{workspace}/{name}`",
    "workspace": "The workspace's slug",
    "name": "The model's name in its workspace",
    "slug": "The workspace's slug",
    "account": "An account's id, `usr_…`",
    "key": "A key's id, `key_…`",
    "upload": "An upload's id, `upl_…`",
    "digest": "A block's BLAKE3-256 in lower-case hex",
    "selector": "An exact version, a range, `latest` or `sha256:<manifest digest>`, percent-encoded",
    "span": "Two selectors, `{a}..{b}`, split at the first `..`",
    "path": "A file's path in the revision; its slashes may stand as they are",
}


def describe(app: Litestar) -> dict[str, Any]:
    """Return the description as JSON values, with what each part of a path means."""
    described: dict[str, Any] = app.openapi_schema.to_schema()
    for methods in described["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    # The framework takes a path within the path for a URI, which it is not.
                    parameter["schema"] = {"type": "string", "minLength": 1}
                    parameter["description"] = _PARAMETERS[parameter["name"]]
    return described


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def serve_openapi(request: Request[Any, Any, State]) -> Response[bytes]:
    """Return the description of every call."""
    body = msgspec.json.encode(describe(request.app))
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-cache"})
