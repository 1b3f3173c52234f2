"""Who calls, and what a handler needs: the registry, the caller, the model that the path names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from nodedata_registry.core.access import ANONYMOUS, Caller, require_account
from nodedata_registry.errors import InvalidRequest, ModelNotFound, NotAuthenticated
from nodedata_registry.server.api.problems import AnyRequest
from nodedata_registry.server.service.identify import identify
from nodedata_registry.server.service.registry import Registry

Connection = ASGIConnection[Any, Any, Any, Any]
DefaultCaller = Callable[[], Caller]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as handlers see it."""

    request: AnyRequest
    registry: Registry
    caller: Caller

    @property
    def ref(self) -> str:
        """Return the model's reference as services take it: `mdl_…` or `workspace/name`.

        Raises:
            ModelNotFound: an encoded slash in a segment, which no spelling of a model has.
        """
        names = self.request.path_params
        parts = [names["model"]] if "model" in names else [names["workspace"], names["name"]]
        if any("/" in part for part in parts):
            raise ModelNotFound(
                "there is no such model: write its name as workspace/name, the slash unencoded"
            )
        return "/".join(parts)

    @property
    def deny_yanked(self) -> bool:
        """Return whether the caller refuses yanked answers (`?on_yanked=error`).

        Raises:
            InvalidRequest: another value than `warn` or `error`.
        """
        wish = self.request.query_params.get("on_yanked", "warn")
        if wish not in ("warn", "error"):
            raise InvalidRequest(f"on_yanked is warn or error, not {wish[:40]!r}", field="on_yanked")
        return bool(wish == "error")

    @property
    def head(self) -> bool:
        """Return whether only the headers are wanted."""
        return bool(self.request.state.get("head", False))

    def shared(self, visibility: str) -> bool:
        """Return whether a cache may give the answer to others: only where anyone may read it."""
        return visibility == "public" and not self.registry.require_key


def provide_call(request: AnyRequest) -> Call:
    """Return the call of a request that `authenticate` has let through."""
    return Call(request, request.app.state.registry, request.state.caller)


async def authenticate(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Guard every API route: put the caller into the request's state before any body is read.

    Who calls without a key is `state.default_caller`'s to say, which in-process use sets to the owner.
    A plain function, because the framework copies guards that are objects, deeply.

    Raises:
        NotAuthenticated: a key that is malformed, unknown, expired or revoked; none where one is required.
    """
    bearer = bearer_of(connection.headers.getall("authorization", []))
    state = connection.app.state
    if bearer is not None:
        caller = await anyio.to_thread.run_sync(identify, state.registry, bearer)
    elif state.default_caller is not None:
        caller = await anyio.to_thread.run_sync(state.default_caller)
    else:
        caller = ANONYMOUS
    if state.registry.require_key:
        require_account(caller)
    connection.state.caller = caller


def bearer_of(headers: list[str]) -> str | None:
    """Return the key of `Authorization: Bearer`, `None` if the header is absent.

    Raises:
        NotAuthenticated: several headers, another scheme, or no key behind it.
    """
    if not headers:
        return None
    scheme, _, key = headers[0].strip().partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not key.strip():
        raise NotAuthenticated("the Authorization header must be one `Bearer nd_live_…`")
    return key.strip()
