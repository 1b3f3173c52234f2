"""Putting the parts together: a data folder becomes a registry, a registry an application.

The only module that knows every part. `serve` runs what it makes behind a socket; `NodeData(path=…)`
calls the same application in its own process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from litestar.types import ControllerRouterHandler

from nodedata_registry.core.access import Caller
from nodedata_registry.errors import DataFolderNotWritable
from nodedata_registry.server.api.build import ApiOptions, build_app
from nodedata_registry.server.api.edge import Edge, Pace
from nodedata_registry.server.api.rates import RateLimits
from nodedata_registry.server.blobs.disk import DiskBlobStore
from nodedata_registry.server.catalog.sqlite.catalog import open_catalog
from nodedata_registry.server.hub import answer_routing, hub_handlers, spell_refusal
from nodedata_registry.server.jobs.diffs import ThreadDiffRunner
from nodedata_registry.server.jobs.locks import Turn
from nodedata_registry.server.page_data import RegistryPages
from nodedata_registry.server.pages import Sessions, Site, page_handlers
from nodedata_registry.server.service.accounts import ensure_owner
from nodedata_registry.server.service.identify import owner_caller
from nodedata_registry.server.service.registry import Limits, Registry

CATALOG_FILE = "registry.db"
BLOBS_FOLDER = "blobs"
_PAGE_SECRET = "page_session_secret"
_UNLIMITED = RateLimits(per_key=0, per_address=0)


@dataclass(slots=True)
class OpenedRegistry:
    """A registry on a data folder, with what must be given back at the end."""

    registry: Registry
    runner: ThreadDiffRunner
    turn: Turn
    closed: bool = field(default=False)

    def close(self) -> None:
        """Finish what runs, close the catalog, release the locks. Repeating changes nothing."""
        if self.closed:
            return
        self.closed = True
        self.runner.close()
        self.registry.catalog.close()
        self.turn.end()


def open_registry(data: Path, *, require_key: bool = False, limits: Limits | None = None) -> OpenedRegistry:
    """Open the registry in a data folder, creating or migrating what is needed.

    Several processes may have one folder open; the first of them also works ahead (`jobs.lock`).

    Raises:
        DataFolderNotWritable: the folder cannot be created or written.
        CatalogTooNew, CannotStart: the catalog cannot be used by this program.
        InsufficientStorage: the disk is full.
    """
    folder = prepare_folder(data)
    blobs = DiskBlobStore(folder / BLOBS_FOLDER)
    blobs.check()
    catalog = open_catalog(folder / CATALOG_FILE)
    turn = Turn(folder)
    turn.is_ours()
    runner = ThreadDiffRunner(works_ahead=turn.is_ours)
    registry = Registry(
        catalog=catalog,
        blobs=blobs,
        diffs=runner,
        now=utc_now,
        random=os.urandom,
        require_key=require_key,
        limits=limits or Limits(),
    )
    return OpenedRegistry(registry, runner, turn)


def prepare_folder(data: Path) -> Path:
    """Return the absolute data folder, made if it is absent; only its owner may look inside.

    Raises:
        DataFolderNotWritable: it cannot be made, is no folder, or cannot be written.
    """
    folder = data.expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DataFolderNotWritable(
            f"the data folder {folder} cannot be created: {error.strerror}"
        ) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise DataFolderNotWritable(
            f"the data folder {folder} cannot be written: change its owner, or choose another with --data"
        )
    return folder


def create_app(
    opened: OpenedRegistry,
    *,
    rates: RateLimits | None = None,
    pace: Pace | None = None,
    public_url: str | None = None,
) -> Edge:
    """Return the ASGI application of a registry: API, pages, and what stock Hub clients ask for."""
    return build_app(
        opened.registry,
        ApiOptions(
            version=program_version(),
            rates=rates or RateLimits(),
            pace=pace or Pace(),
            pages=[*hub_handlers(), *_pages(opened.registry, public_url)],
            public_url=public_url,
            answer_routing=answer_routing,
            spelling=spell_refusal,
        ),
    )


@dataclass(frozen=True, slots=True)
class LocalRegistry:
    """A registry for use in this process: its ASGI application, and the end of it."""

    app: Edge
    opened: OpenedRegistry

    def close(self) -> None:
        """Close the registry; the application must not be called any more."""
        self.opened.close()


def open_local(path: Path, api_key: str | None = None) -> LocalRegistry:
    """Open the registry in a folder for this process, creating it if need be.

    Without `api_key` requests that carry no key act as the owner: whoever holds the folder holds
    everything in it. With one, nobody is assumed, and requests must carry it.

    Raises:
        As `open_registry` does.
    """
    opened = open_registry(path)
    try:
        ensure_owner(opened.registry)
        default: Callable[[], Caller] | None = None
        if api_key is None:
            registry = opened.registry
            default = lambda: owner_caller(registry)  # noqa: E731 - a named one would say no more
        options = ApiOptions(version=program_version(), default_caller=default, rates=_UNLIMITED)
        return LocalRegistry(build_app(opened.registry, options), opened)
    except BaseException:
        opened.close()
        raise


def program_version() -> str:
    """Return the version of the installed program."""
    return version("nodedata-registry")


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(timezone.utc)


def _pages(registry: Registry, public_url: str | None) -> list[ControllerRouterHandler]:
    sessions = Sessions(_page_secret(registry), registry.now)
    site = Site(RegistryPages(registry), sessions, public_url)
    return list(page_handlers(site))


def _page_secret(registry: Registry) -> bytes:
    """Return the secret that signs page sessions, made at the first start."""
    with registry.catalog.read() as tx:
        kept = tx.meta.get(_PAGE_SECRET)
    if kept is None:
        with registry.catalog.write() as tx:
            kept = tx.meta.get(_PAGE_SECRET) or registry.random(32).hex()
            tx.meta.set(_PAGE_SECRET, kept)
    return bytes.fromhex(kept)
