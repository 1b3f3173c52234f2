"""`NodeData`: a registry, behind an address or in this process, as one object."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, cast

from nodedata_registry.errors import ExtraMissing, InvalidRequest, RegistryUnreachable
from nodedata_registry.sdk.accounts import Accounts, Events, Keys
from nodedata_registry.sdk.connection import Connection
from nodedata_registry.sdk.models import Grants, Models
from nodedata_registry.sdk.projects import ProjectCalls
from nodedata_registry.sdk.settings import Settings, read_settings
from nodedata_registry.sdk.workspaces import Retention, Workspaces

if TYPE_CHECKING:
    from nodedata_registry.sdk.cache import Cache
    from nodedata_registry.sdk.inprocess import AsgiApp
    from nodedata_registry.sdk.locate import Surroundings
    from nodedata_registry.sdk.transport import Answer, Exchange, Transport


class NodeData(ProjectCalls):
    """A registry. Safe from many threads; a context manager; `close()` lets go of it.

    Attributes:
        accounts, workspaces, models, grants, retention, keys, events: the calls, by what they act on.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        """Connect to `base_url` (`NODE_DATA_BASE_URL`), or open the registry in the folder `path`.

        `api_key` defaults to `NODE_DATA_API_KEY`, then to what `node-data login` saved. With `path`
        the caller acts as the owner unless `api_key` is passed; the environment's key is ignored.
        `cache` is the folder of downloads (`NODE_DATA_CACHE`).

        Raises:
            InvalidRequest: no address is known, or both an address and a folder are given.
            ExtraMissing: `path` is given and the `[server]` extra is not installed.
        """
        if base_url is not None and path is not None:
            raise InvalidRequest("pass either base_url or path, not both", field="path")
        settings = read_settings(base_url, api_key, cache)
        key = api_key if path is not None else settings.api_key
        transport = _http(settings) if path is None else _in_process(Path(path), api_key)
        self._connection = Connection(transport, key)
        self._downloads = _Downloads(self._connection, settings, path)
        # Not of this object: `NodeData(path=…).models` is used without it.
        weakref.finalize(self._connection, transport.close)
        self.accounts = Accounts(self._connection)
        self.workspaces = Workspaces(self._connection)
        self.models = Models(self._connection, self._downloads.surroundings)
        self.grants = Grants(self._connection)
        self.retention = Retention(self._connection)
        self.keys = Keys(self._connection)
        self.events = Events(self._connection)

    def close(self) -> None:
        """Close connections, cache and, with `path`, the registry; repeating changes nothing."""
        self._downloads.close()
        self._connection.close()

    def __enter__(self) -> NodeData:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def surroundings_of(node: NodeData) -> Callable[[], Surroundings]:
    """Return what gives the surroundings of a client's downloads; who holds it keeps them open."""
    return node._downloads.surroundings


class _Downloads:
    """The cache and what belongs to it, opened by the first download."""

    def __init__(
        self, connection: Connection, settings: Settings, path: str | os.PathLike[str] | None
    ) -> None:
        self._connection = connection
        self._settings = settings
        self.registry = settings.base_url or "" if path is None else f"folder:{Path(path).resolve()}"
        # A registry in this process needs no network, so there is nothing to be offline from.
        self._offline = settings.offline and path is None
        self._lock = threading.Lock()
        self._cache: Cache | None = None

    def surroundings(self) -> Surroundings:
        """Return what downloads work with."""
        from nodedata_registry.sdk.cache import Cache
        from nodedata_registry.sdk.locate import Surroundings

        with self._lock:
            if self._cache is None:
                self._cache = Cache(self._settings.cache)
                weakref.finalize(self, self._cache.close)
            return Surroundings(self._connection, self._cache, self.registry, self._offline)

    def close(self) -> None:
        """Close the cache if it was opened."""
        with self._lock:
            if self._cache is not None:
                self._cache.close()
            self._cache = None


def _http(settings: Settings) -> Transport:
    if settings.base_url is None:
        raise InvalidRequest(
            "no registry is known: pass base_url, set NODE_DATA_BASE_URL, run `node-data login`,"
            " or open a folder with NodeData(path=…)",
            field="base_url",
        )
    if settings.offline:
        return _OfflineTransport()
    from nodedata_registry.sdk.transport import HttpTransport

    return HttpTransport(settings.base_url)


class _OfflineTransport:
    """Stands where the network would be when it must not be asked."""

    def open(self, exchange: Exchange) -> AbstractContextManager[Answer]:
        """Raise `RegistryUnreachable`."""
        raise RegistryUnreachable(
            f"NODE_DATA_OFFLINE is set, so the registry was not asked ({exchange.method} {exchange.target})"
        )

    def close(self) -> None:
        """Do nothing."""


class _Local(Protocol):
    """What `server.app.open_local` gives."""

    def close(self) -> None:
        """Close the registry."""
        ...


def _in_process(path: Path, api_key: str | None) -> Transport:
    try:
        from nodedata_registry.server.app import open_local
    except ImportError as error:
        if (error.name or "").startswith("nodedata_registry"):
            raise
        raise ExtraMissing(
            "a registry in this process needs the server parts: pip install 'nodedata-registry[server]'"
            f" on Python 3.11 or newer (missing: {error.name or error})"
        ) from error
    from nodedata_registry.sdk.inprocess import InProcessTransport

    local = open_local(path, api_key)
    try:
        return _LocalTransport(InProcessTransport(cast("AsgiApp", local.app)), local)
    except BaseException:
        local.close()
        raise


class _LocalTransport:
    """A registry in this process, closed together with the way to it."""

    def __init__(self, transport: Transport, local: _Local) -> None:
        self._transport = transport
        self._local = local

    @contextmanager
    def open(self, exchange: Exchange) -> Iterator[Answer]:
        """Pass the exchange on."""
        with self._transport.open(exchange) as answer:
            yield answer

    def close(self) -> None:
        """Stop the application, then close the registry."""
        self._transport.close()
        self._local.close()
