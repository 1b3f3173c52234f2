"""Downloading: selector → revision → plan minus what the cache holds → verified files → a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from nodedata_registry import wire
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.digests import is_sha256
from nodedata_registry.core.ids import is_id
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.errors import DigestMismatch, InvalidRequest, NotInCache
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.connection import Connection, Patience
from nodedata_registry.sdk.destination import check_replaceable, destination_path, place
from nodedata_registry.sdk.index import KnownRevision
from nodedata_registry.sdk.locate import Found, Question, Surroundings, locate
from nodedata_registry.sdk.progress import ProgressCallback
from nodedata_registry.sdk.snapshot import Snapshot
from nodedata_registry.sdk.transfer import Content, fetch, missing_bytes
from nodedata_registry.sdk.transport import Answer

Include = str | Iterable[str] | None
Approve = Callable[[Found, Mapping[str, str]], None]

_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)


class Forecast(wire.Answer, frozen=True, kw_only=True):
    """What a download would do: `fetch_bytes` of `total_bytes` would come over the wire."""

    requested: str
    resolved: str
    digest: str
    commit: str
    yanked: wire.Yank | None
    file_count: int
    total_bytes: int
    fetch_bytes: int


@dataclass(frozen=True, slots=True)
class Selection:
    """The files of a revision that a caller wants: all, or those that a pattern names."""

    patterns: tuple[str, ...] | None

    @classmethod
    def of(cls, include: Include) -> Selection:
        """Check the `include` argument; raises `InvalidRequest` for what is no list of patterns."""
        if include is None:
            return cls(None)
        patterns = (include,) if isinstance(include, str) else tuple(include)
        if not patterns or not all(isinstance(one, str) and one for one in patterns):
            raise InvalidRequest(
                '`include` is a list of patterns such as ("*.safetensors",)', field="include"
            )
        return cls(patterns)

    def pick(self, plan: wire.Plan) -> list[wire.PlannedFile]:
        """Return the wanted files; raises `InvalidRequest` if the patterns name none.

        `*` matches across folders, and a pattern that ends in `/` means all in that folder.
        """
        if self.patterns is None:
            return plan.files
        wanted = [file for file in plan.files if any(_matches(file.path, one) for one in self.patterns)]
        if wanted:
            return wanted
        paths = ", ".join(file.path for file in plan.files[:20])
        raise InvalidRequest(
            f"no file of {plan.model} {plan.resolved} matches {', '.join(self.patterns)}; it has: {paths}",
            field="include",
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a download is about: the revision, the files wanted of it, and whether that is all."""

    found: Found
    files: Mapping[str, str]
    contents: tuple[Content, ...]
    whole: bool

    @property
    def made_of(self) -> str:
        """A name for exactly this content of a folder."""
        return self.found.known.commit + ("" if self.whole else ":" + "\0".join(sorted(self.files)))


def download(
    around: Surroundings,
    question: Question,
    dest: str | os.PathLike[str] | None,
    selection: Selection,
    progress: ProgressCallback | None = None,
    approve: Approve | None = None,
) -> Snapshot:
    """Return a folder with the files wanted: a snapshot in the cache, or `dest` made exactly that.

    `approve` is asked before any file is fetched, with the whole revision's files ({path: SHA-256}), and
    raises to refuse them.

    Raises everything that `locate`, `fetch` and `place` raise.
    """
    target = None if dest is None else destination_path(dest)
    if target is not None:
        check_replaceable(around.cache, target)
    wanted = _wanted(around, question, selection)
    if approve is not None:
        approve(wanted.found, {file.path: file.sha256 for file in plan_of(around, wanted.found).files})
    known = wanted.found.known
    if target is not None:
        ensure(around, wanted, progress)
        place(around.cache, target, wanted.files, wanted.made_of)
        return _snapshot(target, wanted.found)
    folder = around.cache.snapshot(known.model_id, known.commit, wanted.files, whole=wanted.whole)
    if folder is None:
        ensure(around, wanted, progress)
        folder = around.cache.make_snapshot(known.model_id, known.commit, wanted.files, whole=wanted.whole)
    return _snapshot(folder, wanted.found)


def forecast(around: Surroundings, question: Question, selection: Selection) -> Forecast:
    """Return what a download would fetch; nothing is fetched but the plan."""
    wanted = _wanted(around, question, selection)
    cache = around.cache
    absent = [one for one in wanted.contents if not cache.has(one.sha256, one.blocks)]
    known = wanted.found.known
    return Forecast(
        requested=wanted.found.requested,
        resolved=known.version,
        digest=known.digest,
        commit=known.commit,
        yanked=known.yanked,
        file_count=len(wanted.files),
        total_bytes=sum(one.size_bytes for one in wanted.contents),
        fetch_bytes=missing_bytes(cache, absent),
    )


def ensure(around: Surroundings, wanted: Wanted, progress: ProgressCallback | None = None) -> int:
    """Bring every wanted content into the cache; return the bytes that were fetched."""
    cache = around.cache
    absent = [one for one in wanted.contents if not cache.has(one.sha256, one.blocks)]
    if not absent:
        return 0
    with cache.contents_locked(one.sha256 for one in absent):
        # Another process may have brought them while this one waited.
        absent = [one for one in absent if not cache.has(one.sha256, one.blocks)]
        if not absent:
            return 0
        source = _source(around, wanted, absent)
        return fetch(source, cache, absent, progress)


class RevisionSource:
    """The files of one revision, by ranged requests under its exact version."""

    def __init__(self, connection: Connection, known: KnownRevision) -> None:
        self._connection = connection
        self._known = known

    @property
    def patience(self) -> Patience:
        """How often to try."""
        return self._connection.patience

    def open_range(self, path: str, offset: int, length: int) -> AbstractContextManager[Answer]:
        """Ask for a range of a file."""
        call = calls.file_range(self._known.model_id, self._known.version, path, offset, length)
        return self._connection.stream(call)


def _source(around: Surroundings, wanted: Wanted, absent: Sequence[Content]) -> RevisionSource:
    if around.connection is not None and wanted.found.fresh:
        return RevisionSource(around.connection, wanted.found.known)
    missing = sorted(one.path for one in absent)
    raise NotInCache(
        f"offline, and the cache lacks {len(missing)} files of {wanted.found.known.model}"
        f" {wanted.found.known.version}: {', '.join(missing[:5])}",
        details={"missing": missing},
    )


def _wanted(around: Surroundings, question: Question, selection: Selection) -> Wanted:
    found = locate(around, question, lambda known: _is_whole(around, known, selection))
    plan = plan_of(around, found)
    picked = selection.pick(plan)
    return _wanted_of(found, plan, picked)


def _wanted_of(found: Found, plan: wire.Plan, picked: Sequence[wire.PlannedFile]) -> Wanted:
    contents = {
        file.sha256: Content(
            file.sha256,
            file.size_bytes,
            file.path,
            tuple(Block(digest, size_bytes) for digest, size_bytes in file.blocks),
        )
        for file in picked
    }
    files = {file.path: file.sha256 for file in picked}
    return Wanted(found, files, tuple(contents.values()), whole=len(picked) == len(plan.files))


def _is_whole(around: Surroundings, known: KnownRevision, selection: Selection) -> bool:
    """Return whether the cache alone can serve the wanted files of a revision."""
    plan = around.cache.index.plan(known.model_id, known.commit)
    if plan is None:
        return False
    wanted = _wanted_of(Found("", known, fresh=False), plan, selection.pick(plan))
    return all(around.cache.has(one.sha256, one.blocks) for one in wanted.contents)


def plan_of(around: Surroundings, found: Found) -> wire.Plan:
    """Return the files and blocks of a revision, checked; asked once and then kept.

    Raises:
        NotInCache: it is not kept, and the registry cannot be asked.
        DigestMismatch: the registry's list is not the revision's.
    """
    known = found.known
    kept = around.cache.index.plan(known.model_id, known.commit)
    if kept is not None:
        return check_plan(kept, known)
    if around.connection is None or not found.fresh:
        raise NotInCache(f"offline, and the cache does not know the files of {known.model} {known.version}")
    plan = check_plan(around.connection.ask(calls.plan(known.model_id, known.version)), known)
    around.cache.index.put_plan(plan)
    return plan


def check_plan(plan: wire.Plan, known: KnownRevision) -> wire.Plan:
    """Return the plan if it is the revision's: paths safe, manifest digest right, blocks adding up.

    Raises:
        DigestMismatch: it is not; nothing it says may touch the disk.
    """
    # `model_id` and `commit` become folder names, block digests are read as hex.
    sound = is_id(known.model_id, "mdl_") and _COMMIT.fullmatch(known.commit) is not None
    sound = sound and (plan.model_id, plan.commit) == (known.model_id, known.commit)
    sound = sound and all(_adds_up(file) for file in plan.files)
    manifest = Manifest.of(FileEntry(file.path, file.size_bytes, file.sha256) for file in plan.files)
    if sound and manifest.digest == known.digest:
        return msgspec.structs.replace(plan, yanked=None)
    raise DigestMismatch(
        f"the files that the registry lists for {known.model} {known.version} are not those of the"
        f" digest {known.digest}; nothing was fetched"
    )


def _adds_up(file: wire.PlannedFile) -> bool:
    sizes = [size for _, size in file.blocks]
    return (
        sum(sizes) == file.size_bytes
        and all(0 < size < 2**32 for size in sizes)
        and all(is_sha256(digest) for digest, _ in file.blocks)
    )


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern + "*" if pattern.endswith("/") else pattern)


def _snapshot(folder: os.PathLike[str], found: Found) -> Snapshot:
    known = found.known
    return Snapshot(
        folder,
        requested=found.requested,
        resolved=known.version,
        digest=known.digest,
        commit=known.commit,
        yanked=known.yanked,
    )
