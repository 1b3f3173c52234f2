"""`node.lock`, `node.sync`, `node.audit`: what a project uses, pinned in a file that it commits."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Protocol

from nodedata_registry.sdk.connection import Connection
from nodedata_registry.sdk.progress import ProgressCallback

if TYPE_CHECKING:
    from nodedata_registry.sdk.audit import AuditResult
    from nodedata_registry.sdk.locate import Surroundings
    from nodedata_registry.sdk.lock import LockResult
    from nodedata_registry.sdk.sync import SyncResult


class Downloads(Protocol):
    """The cache and what belongs to it, opened when it is first used."""

    @property
    def registry(self) -> str:
        """The name of the registry."""
        ...

    def surroundings(self) -> Surroundings:
        """Return what downloads work with."""
        ...

    def close(self) -> None:
        """Close the cache if it was opened."""
        ...


class ProjectCalls:
    """The calls about a project folder, which holds `node-data.toml` and `node-data.lock`."""

    _connection: Connection
    _downloads: Downloads

    def lock(
        self,
        models: Mapping[str, str] | None = None,
        *,
        project: str | os.PathLike[str] = ".",
        upgrade: bool | Collection[str] = False,
        check: bool = False,
        min_age: str | None = None,
        allow_young: Collection[str] = (),
        on_yanked: str = "warn",
    ) -> LockResult:
        """Write what the project's models mean now into its `node-data.lock`.

        Wanted is what `node-data.toml` says; without that file, `models` ({model: selector}) over what
        the lock requests already. A pin stays as long as its wish admits it; `upgrade` resolves all
        anew, or the models named. `check` writes nothing and raises if the lock would change. Ranges
        ignore revisions younger than `min_age` ("7d"; default: what the file says), but for the models
        in `allow_young`.

        Warns `YankedRevisionWarning` for what is locked although it is yanked (`on_yanked="error"`
        raises `RevisionYanked`).

        Raises:
            LockOutdated: `check`, and the lock would change.
            TooYoung: only a revision younger than `min_age` would do; nothing was written.
            InvalidLock, OtherRegistry: the lock that is there cannot be built upon.
            InvalidRequest: `node-data.toml` is wrong, or there is nothing to lock.
        """
        from nodedata_registry.sdk.lock import Asker, LockOrder, lock

        order = LockOrder(project, dict(models or {}), upgrade, check, min_age, allow_young, on_yanked)
        return lock(Asker(self._connection, self._downloads.registry), order)

    def sync(
        self,
        dest: str | os.PathLike[str] | None = None,
        *,
        project: str | os.PathLike[str] = ".",
        rollback: bool = False,
        on_yanked: str = "warn",
        offline: bool | None = None,
        verify: bool = True,
        any_registry: bool = False,
        progress: ProgressCallback | None = None,
    ) -> SyncResult:
        """Restore exactly what the project's lock says: all models, or none.

        With `dest` that folder becomes `workspace/name/…` of every model, in one step; without it the
        models are read-only snapshots in the cache. `rollback` restores what was synced to the place
        before. Every file is hashed, those that are here already too, unless `verify` is False.
        `offline` never asks the network; a silent registry is waited for 3 s if the cache has all.
        `any_registry` takes a lock that names another registry; the digests hold all the same.

        Warns as `models.download` does, and `LockWarning` when the lock is not what `node-data.toml`
        asks for, or a retired revision is used from the cache.

        Raises:
            InvalidLock, OtherRegistry: nothing was touched.
            DigestMismatch: a version does not have the content that was locked.
            RevisionYanked: `on_yanked="error"`; lists all.
            RevisionQuarantined, RevisionRetired, NotInCache, RegistryUnreachable, DestNotEmpty.
            NotAllowedNow: `rollback`, and nothing was synced before.
        """
        from nodedata_registry.sdk.sync import SyncOrder, sync

        order = SyncOrder(project, dest, rollback, on_yanked, offline, verify, any_registry)
        return sync(self._downloads.surroundings(), order, progress)

    def audit(
        self,
        *,
        project: str | os.PathLike[str] = ".",
        offline: bool | str | None = None,
        any_registry: bool = False,
    ) -> AuditResult:
        """Return which locked revisions are yanked, retired, quarantined or changed, or have newer ones.

        `offline`: None asks the registry, True tells what was last heard of, `"fallback"` does so if
        the registry is silent.

        Raises:
            InvalidLock, OtherRegistry, RegistryUnreachable, ModelNotFound.
        """
        from nodedata_registry.sdk.audit import AuditOrder, audit

        return audit(self._downloads.surroundings(), AuditOrder(project, offline, any_registry))
