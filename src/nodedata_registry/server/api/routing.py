"""How handlers are declared: one decorator a kind of address.

A model has two spellings, `/models/mdl_…` and `/models/{workspace}/{name}`; `on_model` declares both.
Synchronous handlers run in threads, so a handler may wait for the catalog.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler, delete, get, patch, post, put
from litestar.params import FromPath, SkipValidation

from nodedata_registry.server.api.calls import Call
from nodedata_registry.server.api.openapi import ERRORS

Ask = NamedDependency[SkipValidation[Call]]
"""The parameter `call` of every handler."""

Segment = FromPath[str]
"""A parameter that is one segment of the path, decoded."""

Function = Callable[..., Any]

_METHODS: dict[str, Callable[..., Any]] = {
    "GET": get,
    "POST": post,
    "PUT": put,
    "PATCH": patch,
    "DELETE": delete,
}
_MODEL = ("/models/{model:str}", "/models/{workspace:str}/{name:str}")


def on(method: str, path: str, **options: Any) -> Callable[[Function], list[HTTPRouteHandler]]:
    """Declare a handler at one address; `options` are the framework's (status, media type)."""
    return _declare(method, [path], options)


def on_model(method: str, tail: str = "", **options: Any) -> Callable[[Function], list[HTTPRouteHandler]]:
    """Declare a handler below a model, under both spellings of it."""
    return _declare(method, [model + tail for model in _MODEL], options)


def _declare(
    method: str, paths: list[str], options: dict[str, Any]
) -> Callable[[Function], list[HTTPRouteHandler]]:
    def wrap(function: Function) -> list[HTTPRouteHandler]:
        own = dict(options)
        if not inspect.iscoroutinefunction(function):
            own["sync_to_thread"] = True
        # One handler a path: the framework's description mixes up parameters of several paths.
        return [_METHODS[method](path, responses=ERRORS, **own)(function) for path in paths]

    return wrap
