"""The application: every handler, wired to a registry, inside the edge."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, ControllerRouterHandler, HTTPScope, Receive, Scope, Send

from nodedata_registry.errors import NodeDataError
from nodedata_registry.server.api.bodies import JsonRequest
from nodedata_registry.server.api.calls import DefaultCaller, authenticate, provide_call
from nodedata_registry.server.api.edge import Edge, Pace, Spelling
from nodedata_registry.server.api.openapi import StrictStructs, openapi_config, serve_openapi
from nodedata_registry.server.api.paths import decode_segment
from nodedata_registry.server.api.problems import (
    AnyRequest,
    answer_framework,
    answer_known,
    answer_unknown,
)
from nodedata_registry.server.api.rates import RateLimits
from nodedata_registry.server.api.routes import (
    accounts,
    attestations,
    diffs,
    marks,
    models,
    publishing,
    records,
    revisions,
    workspaces,
)
from nodedata_registry.server.api.routes.health import healthz
from nodedata_registry.server.service.registry import Registry


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """How an application differs from the usual one.

    `default_caller` acts where no key is sent; `pages` are further handlers (what browsers and stock
    clients see), which `answer_routing` and `spelling` serve where no handler takes a request.
    `public_url` is the registry's address outside.
    """

    version: str
    default_caller: DefaultCaller | None = None
    rates: RateLimits = field(default_factory=RateLimits)
    pace: Pace = field(default_factory=Pace)
    pages: Sequence[ControllerRouterHandler] = ()
    public_url: str | None = None
    answer_routing: Callable[[AnyRequest, HTTPException], Response[bytes]] = answer_framework
    spelling: Spelling = lambda _path, _error: None


def build_app(registry: Registry, options: ApiOptions) -> Edge:
    """Return the ASGI application of a registry."""
    return Edge(
        inner=cast("ASGIApp", build_router(registry, options)),
        new_request_id=lambda: registry.new_id("req_"),
        now=time.time,
        rates=options.rates,
        pace=options.pace,
        spelling=options.spelling,
    )


def build_router(registry: Registry, options: ApiOptions) -> Litestar:
    """Return the application inside the edge, which routes and answers."""
    return Litestar(
        route_handlers=[healthz, serve_openapi, _api(), *options.pages],
        request_class=JsonRequest,
        dependencies={"call": Provide(provide_call, sync_to_thread=False)},
        exception_handlers={
            NodeDataError: answer_known,
            HTTPException: options.answer_routing,
            Exception: answer_unknown,
        },
        middleware=[_decoding],
        openapi_config=openapi_config(options.version),
        plugins=[StrictStructs()],
        state=State(
            {
                "registry": registry,
                "version": options.version,
                "default_caller": options.default_caller,
                "public_url": options.public_url,
            },
            deep_copy=False,
        ),
        # The handlers above log what is worth logging, once.
        logging_config=None,
        request_max_body_size=registry.limits.small_json_bytes,
    )


def _api() -> Router:
    handlers = [
        *accounts.HANDLERS,
        *workspaces.HANDLERS,
        *models.HANDLERS,
        *revisions.HANDLERS,
        *marks.HANDLERS,
        *attestations.HANDLERS,
        *publishing.HANDLERS,
        *diffs.HANDLERS,
        *records.HANDLERS,
    ]
    return Router("/v1", route_handlers=handlers, guards=[authenticate])


def _decoding(app: ASGIApp) -> ASGIApp:
    """Decode path parameters once the route is found: routing itself has seen them encoded."""

    async def decode(scope: Scope, receive: Receive, send: Send) -> None:
        given = cast("HTTPScope", scope).get("path_params", {})
        # A new dict: the framework keeps the old one in its routing cache.
        scope["path_params"] = {
            name: decode_segment(value) if isinstance(value, str) else value for name, value in given.items()
        }
        await app(scope, receive, send)

    return decode
