"""`/healthz`: whether this process can answer."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.datastructures import State

from nodedata_registry.server.service.registry import Registry


class Health(msgspec.Struct, frozen=True):
    """The answer of a registry that works."""

    status: str
    version: str


@get("/healthz", sync_to_thread=True, cache_control=None)
def healthz(state: State) -> Health:
    """Answer once the registry is ready and its catalog can be read."""
    registry: Registry = state.registry
    with registry.catalog.read() as tx:
        tx.accounts.any()
    return Health(status="ok", version=state.version)
