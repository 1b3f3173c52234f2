"""Restoring what a lock says, all models or none, and going back to what stood there before.

    the lock is sound, from this registry          else nothing is touched
    every pin is heard of (module `heard`)         else nothing is touched
    every content is in the cache, hashed          else nothing is touched; fetching resumes next time
    the folder is exchanged in one step            DEST/<workspace>/<name>/<files>
    or snapshots are made in the cache             and what is current is written down last

What was synced is kept in the cache, `synced/<place>.json`: the locks that are current, that were
before, and that are about to be. `rollback` restores the one before, from the cache alone if it must.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nodedata_registry import wire
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.lockfile import Lock, Pin, parse_lock, render_lock
from nodedata_registry.errors import InvalidLock, InvalidRequest, NotAllowedNow, NotInCache
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.cache import Cache, file_sha256, storage_errors
from nodedata_registry.sdk.destination import check_replaceable, destination_path, place
from nodedata_registry.sdk.download import Wanted, check_plan, ensure
from nodedata_registry.sdk.heard import Heard, hear, tell_yanks
from nodedata_registry.sdk.index import Destination
from nodedata_registry.sdk.locate import Found, Surroundings
from nodedata_registry.sdk.lock import disagreement
from nodedata_registry.sdk.notices import issue
from nodedata_registry.sdk.progress import ProgressCallback
from nodedata_registry.sdk.project_files import (
    LocalPath,
    LockWarning,
    check_registry,
    find_project,
    lock_path,
    read_lock,
    write_whole,
)
from nodedata_registry.sdk.transfer import Content

_DAMAGED = "damaged"


class SyncedModel(wire.Answer, frozen=True):
    """One model as it was restored: `path` is the folder with its files."""

    model: str
    version: str
    digest: str
    commit: str
    path: str
    yanked: wire.Yank | None


class SyncResult(wire.Answer, frozen=True):
    """What a sync restored.

    `changed` says whether it is another state than before, `repaired` names files that were damaged
    here and were replaced, `fetched_bytes` what came over the wire.
    """

    dest: str | None
    changed: bool
    rolled_back: bool
    fetched_bytes: int
    repaired: list[str]
    models: list[SyncedModel]

    def path(self, model: str) -> Path:
        """Return the folder of a model; raises `InvalidRequest` for one that is not locked."""
        for one in self.models:
            if one.model == model:
                return Path(one.path)
        raise InvalidRequest(f"{model!r} is not in the lock", field="model")


@dataclass(frozen=True, slots=True)
class SyncOrder:
    """What to restore and how, as the caller said it."""

    project: LocalPath
    dest: LocalPath | None = None
    rollback: bool = False
    on_yanked: str = "warn"
    offline: bool | None = None
    verify: bool = True
    any_registry: bool = False


def sync(around: Surroundings, order: SyncOrder, progress: ProgressCallback | None = None) -> SyncResult:
    """Restore the lock of a project, or what was synced before it; see `NodeData.sync`."""
    _check(order)
    target = None if order.dest is None else destination_path(order.dest)
    state = StateFile(around.cache, target or lock_path(order.project))
    with around.cache.locked(f"sync-{state.name}"):
        lock = _lock_before(state.read()) if order.rollback else _lock_now(order)
        foreign = not order.any_registry and any(pin.registry != around.registry for pin in lock.pins)
        if foreign and not order.rollback:
            check_registry(lock.pins, around.registry)
        if target is not None:
            check_replaceable(around.cache, target)
        # The way back must stay open: another registry is not asked, and not needed for it.
        offline = order.offline is True or foreign
        return _restore(_Work(around, order, lock, target, state, offline), progress)


@dataclass(frozen=True, slots=True)
class _Work:
    """One sync under way, its place locked."""

    around: Surroundings
    order: SyncOrder
    lock: Lock
    target: Path | None
    state: StateFile
    offline: bool


def _restore(work: _Work, progress: ProgressCallback | None) -> SyncResult:
    cache = work.around.cache
    repaired = _drop_damaged(cache, work.lock) if work.order.verify else []
    heard = hear(
        work.around,
        work.lock.pins,
        lambda pin: not _missing(cache, pin),
        offline=work.offline,
    )
    tell_yanks(heard, work.order.on_yanked)
    fetched = sum(_fetch(work.around, one, progress) for one in heard)
    before = work.state.read()
    after = before.moved_to(work.lock)
    if after != before:
        work.state.write(msgspec.structs.replace(before, next=render_lock(work.lock)))
    if work.order.verify:
        repaired += _mark_damaged_copies(cache, work)
    paths = _place(cache, work)
    work.state.write(after)
    return SyncResult(
        dest=None if work.target is None else str(work.target),
        changed=after != before,
        rolled_back=work.order.rollback,
        fetched_bytes=fetched,
        repaired=sorted(set(repaired)),
        models=[_synced(one, paths[one.pin.model]) for one in heard],
    )


def _synced(one: Heard, path: Path) -> SyncedModel:
    return SyncedModel(
        model=one.pin.model,
        version=str(one.pin.version),
        digest=one.pin.digest,
        commit=one.pin.commit,
        path=str(path),
        yanked=one.known.yanked,
    )


# --- which lock ---


def _check(order: SyncOrder) -> None:
    if order.on_yanked not in ("warn", "error"):
        raise InvalidRequest(f'on_yanked is "warn" or "error", not {order.on_yanked!r}', field="on_yanked")
    if order.offline is not None and not isinstance(order.offline, bool):
        raise InvalidRequest(f"offline is None, True or False, not {order.offline!r}", field="offline")


def _lock_now(order: SyncOrder) -> Lock:
    lock = read_lock(order.project)
    try:
        project = find_project(order.project)
        problem = None if project is None else disagreement(lock, project)
    except InvalidRequest as error:
        problem = error.message
    if problem is not None:
        issue(
            LockWarning(f"{problem}; restored is what the lock says, `node-data lock` brings it up to date")
        )
    return lock


def _lock_before(state: State) -> Lock:
    text = state.before
    if text is None:
        raise NotAllowedNow(
            "there is nothing to go back to: no earlier state was synced to this place with this cache",
            field="rollback",
        )
    return parse_lock(text.encode())


# --- contents ---


def _contents(pin: Pin) -> dict[str, str]:
    return {entry.path: entry.sha256 for entry in pin.manifest.files}


def _missing(cache: Cache, pin: Pin) -> list[str]:
    """Return the paths of a pin's files that the cache lacks."""
    return [path for path, sha256 in _contents(pin).items() if not cache.has(sha256, ())]


def _drop_damaged(cache: Cache, lock: Lock) -> list[str]:
    """Hash every cached content of the lock, drop those that are damaged, and return their paths."""
    wrong: dict[str, bool] = {}
    for entry in lock.files().values():
        path = cache.content_path(entry.sha256)
        if entry.sha256 not in wrong and path.exists():
            wrong[entry.sha256] = file_sha256(path) != entry.sha256
    for sha256, damaged in wrong.items():
        if damaged:
            cache.drop(sha256)
    return [path for path, entry in lock.files().items() if wrong.get(entry.sha256)]


def _fetch(around: Surroundings, one: Heard, progress: ProgressCallback | None) -> int:
    """Bring what the cache lacks of a pin, and return how many bytes came over the wire."""
    missing = set(_missing(around.cache, one.pin))
    if not missing:
        return 0
    plan = check_plan(_plan(around, one), one.known)
    contents = {
        file.sha256: Content(
            file.sha256,
            file.size_bytes,
            file.path,
            tuple(Block(digest, size) for digest, size in file.blocks),
        )
        for file in plan.files
        if file.path in missing
    }
    found = Found(str(one.pin.version), one.known, fresh=one.fresh)
    wanted = Wanted(found, _contents(one.pin), tuple(contents.values()), whole=True)
    return ensure(around, wanted, progress)


def _plan(around: Surroundings, one: Heard) -> wire.Plan:
    kept = around.cache.index.plan(one.known.model_id, one.known.commit)
    if kept is not None:
        return kept
    if around.connection is None or not one.fresh:
        raise NotInCache(f"offline, and the cache lacks files of {one.pin.model} {one.pin.version}")
    plan = around.connection.ask(calls.plan(one.known.model_id, one.known.version))
    around.cache.index.put_plan(check_plan(plan, one.known))
    return plan


# --- places ---


def _place(cache: Cache, work: _Work) -> dict[str, Path]:
    """Make the folders and return each model's."""
    if work.target is None:
        return {
            pin.model: cache.make_snapshot(pin.model_id, pin.commit, _contents(pin), whole=True)
            for pin in work.lock.pins
        }
    files = {path: entry.sha256 for path, entry in work.lock.files().items()}
    place(cache, work.target, files, _made_of(work.lock))
    return {pin.model: work.target / pin.model for pin in work.lock.pins}


def _made_of(lock: Lock) -> str:
    return f"lock:{lock.contents_digest}"


def _mark_damaged_copies(cache: Cache, work: _Work) -> list[str]:
    """Hash the copies that stand in their places already; those that are damaged are made anew."""
    if work.target is None:
        return [path for pin in work.lock.pins for path in _spoiled_snapshot(cache, pin)]
    files = {path: entry.sha256 for path, entry in work.lock.files().items()}
    status = work.target.stat() if work.target.exists() else None
    for made in cache.index.destinations(work.target):
        standing = status is not None and (made.device, made.inode) == (status.st_dev, status.st_ino)
        if standing and made.made_of == _made_of(work.lock):
            damaged = list(_damaged(cache, work.target, files))
            if damaged:
                marked = Destination(made.device, made.inode, _DAMAGED, made.stamps)
                cache.index.put_destination(work.target, marked)
            return damaged
    return []


def _spoiled_snapshot(cache: Cache, pin: Pin) -> Iterator[str]:
    folder = cache.snapshot(pin.model_id, pin.commit, _contents(pin), whole=True)
    if folder is None:
        return
    for path in list(_damaged(cache, folder, _contents(pin))):
        # A snapshot that lacks a file is made anew.
        (folder / path).unlink()
        yield f"{pin.model}/{path}"


def _damaged(cache: Cache, folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    for path, sha256 in files.items():
        copy = folder / path
        linked = copy.is_file() and copy.samefile(cache.content_path(sha256))
        if copy.is_file() and not linked and file_sha256(copy) != sha256:
            yield path


# --- what was synced ---


class State(msgspec.Struct, frozen=True):
    """The texts of the locks that were synced to a place; `next` stands only while a sync works."""

    current: str | None = None
    previous: str | None = None
    next: str | None = None

    @property
    def before(self) -> str | None:
        """What a rollback restores: the last good state, if a sync was killed over it."""
        return self.previous if self.next is None else self.current

    def moved_to(self, lock: Lock) -> State:
        """Return the state after `lock` was restored; the same contents again change nothing."""
        if self.current is not None and _digest_of(self.current) == lock.contents_digest:
            return State(self.current, self.previous)
        return State(render_lock(lock), self.current)


class StateFile:
    """Where the state of one place is kept."""

    def __init__(self, cache: Cache, place: Path) -> None:
        self.name = hashlib.sha256(os.fsencode(place)).hexdigest()[:32]
        self._folder = cache.root / "synced"

    def read(self) -> State:
        """Return the state; an empty one if none was kept or it cannot be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=State)
        except (FileNotFoundError, msgspec.MsgspecError):
            return State()

    def write(self, state: State) -> None:
        """Keep the state."""
        if state == self.read():
            return
        with storage_errors(self._folder):
            self._folder.mkdir(exist_ok=True)
            write_whole(self._path, msgspec.json.encode(state).decode())

    @property
    def _path(self) -> Path:
        return self._folder / f"{self.name}.json"


def _digest_of(text: str) -> str | None:
    try:
        return parse_lock(text.encode()).contents_digest
    except InvalidLock:
        return None
