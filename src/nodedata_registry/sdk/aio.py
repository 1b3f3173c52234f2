"""`AsyncNodeData`: the same names and signatures as `NodeData`, to be awaited.

Each call runs the synchronous one in a thread, so the logic exists once; `in_thread` keeps the
signature for type checkers and for `help()`. Warnings are issued where the call is awaited. A call
that is cancelled while it runs still runs to its end in its thread; publishing is all or nothing.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from nodedata_registry.sdk.accounts import Accounts, Events, Keys
from nodedata_registry.sdk.client import NodeData
from nodedata_registry.sdk.models import Grants, Models
from nodedata_registry.sdk.notices import collecting, issue
from nodedata_registry.sdk.projects import ProjectCalls
from nodedata_registry.sdk.workspaces import Retention, Workspaces

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")


class _Threaded(Generic[S]):
    """Holds the synchronous namespace whose methods are awaited."""

    def __init__(self, sync: S) -> None:
        self._sync = sync


def in_thread(
    method: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[_Threaded[S], P], Coroutine[Any, Any, R]]:
    """Return the awaitable form of a synchronous method: same parameters, same result."""

    @functools.wraps(method)
    async def awaitable(self: _Threaded[S], *args: P.args, **kwargs: P.kwargs) -> R:
        found: list[Warning] = []
        try:
            # The lines of code in the thread are nobody's: what it warns of is issued here.
            return await asyncio.to_thread(collecting, found, method, self._sync, *args, **kwargs)
        finally:
            for warning in found:
                issue(warning)

    return awaitable  # type: ignore[return-value]


class AsyncAccounts(_Threaded[Accounts]):
    """Who acts: `node.accounts`."""

    me = in_thread(Accounts.me)
    create = in_thread(Accounts.create)


class AsyncKeys(_Threaded[Keys]):
    """API keys of the caller: `node.keys`."""

    create = in_thread(Keys.create)
    list = in_thread(Keys.list)
    revoke = in_thread(Keys.revoke)


class AsyncEvents(_Threaded[Events]):
    """The append-only record: `node.events`."""

    list = in_thread(Events.list)


class AsyncWorkspaces(_Threaded[Workspaces]):
    """Owners of models: `node.workspaces`."""

    create = in_thread(Workspaces.create)
    get = in_thread(Workspaces.get)
    list = in_thread(Workspaces.list)
    set_retention = in_thread(Workspaces.set_retention)
    members = in_thread(Workspaces.members)
    put_member = in_thread(Workspaces.put_member)
    remove_member = in_thread(Workspaces.remove_member)


class AsyncRetention(_Threaded[Retention]):
    """What a workspace's policy would remove, and doing it: `node.retention`."""

    preview = in_thread(Retention.preview)
    apply = in_thread(Retention.apply)


class AsyncGrants(_Threaded[Grants]):
    """Outside accounts that may read one private model: `node.grants`."""

    put = in_thread(Grants.put)
    list = in_thread(Grants.list)
    revoke = in_thread(Grants.revoke)


class AsyncModels(_Threaded[Models]):
    """Named lines of revisions: `node.models`."""

    create = in_thread(Models.create)
    get = in_thread(Models.get)
    search = in_thread(Models.search)
    list = in_thread(Models.list)
    update_visibility = in_thread(Models.update_visibility)
    create_revision = in_thread(Models.create_revision)
    check = in_thread(Models.check)
    resolve = in_thread(Models.resolve)
    revisions = in_thread(Models.revisions)
    manifest = in_thread(Models.manifest)
    plan = in_thread(Models.plan)
    download = in_thread(Models.download)
    forecast = in_thread(Models.forecast)
    tensors = in_thread(Models.tensors)
    sign = in_thread(Models.sign)
    attestations = in_thread(Models.attestations)
    verify = in_thread(Models.verify)
    yank = in_thread(Models.yank)
    unyank = in_thread(Models.unyank)
    hold = in_thread(Models.hold)
    unhold = in_thread(Models.unhold)
    quarantine = in_thread(Models.quarantine)
    unquarantine = in_thread(Models.unquarantine)
    retire = in_thread(Models.retire)
    diff = in_thread(Models.diff)


class AsyncProjectCalls(_Threaded[ProjectCalls]):
    """The calls about a project folder: `node.lock`, `node.sync`, `node.audit`."""

    lock = in_thread(ProjectCalls.lock)
    sync = in_thread(ProjectCalls.sync)
    audit = in_thread(ProjectCalls.audit)


class AsyncNodeData(AsyncProjectCalls):
    """A registry whose calls are awaited; arguments as `NodeData`. An async context manager."""

    _sync: NodeData

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        self._sync = NodeData(base_url, api_key, path=path, cache=cache)
        self.accounts = AsyncAccounts(self._sync.accounts)
        self.workspaces = AsyncWorkspaces(self._sync.workspaces)
        self.models = AsyncModels(self._sync.models)
        self.grants = AsyncGrants(self._sync.grants)
        self.retention = AsyncRetention(self._sync.retention)
        self.keys = AsyncKeys(self._sync.keys)
        self.events = AsyncEvents(self._sync.events)

    async def close(self) -> None:
        """Close connections, cache and, with `path`, the registry; repeating changes nothing."""
        await asyncio.to_thread(self._sync.close)

    async def __aenter__(self) -> AsyncNodeData:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
