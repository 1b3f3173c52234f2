"""Parts of a revision's files: only the blocks that a range touches move, verified, and are kept.

    the file is whole in the cache            → read there
    its blocks were fetched by a range before → read there
    else                                      → fetched into the file under way that a download would
                                                use: it goes on from there

Every block is hashed with BLAKE3 whenever it is read; one that the disk damaged is fetched again. The
revision is resolved once, so what is read of it is always of one revision.
"""

from __future__ import annotations

import os
import tempfile
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from nodedata_registry import wire
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.digests import block_digest
from nodedata_registry.errors import FileNotFoundInRevision, NotInCache
from nodedata_registry.sdk.cache import Cache, storage_errors
from nodedata_registry.sdk.connection import Patience
from nodedata_registry.sdk.download import RevisionSource, plan_of
from nodedata_registry.sdk.index import KnownRevision
from nodedata_registry.sdk.locate import Found, Question, Surroundings, locate
from nodedata_registry.sdk.transfer import Content, Partial, Place, RangeSource, fetch_places, read_journal
from nodedata_registry.sdk.transport import Answer

_RECENT_BYTES = 16 * 1024 * 1024
"""Blocks kept in memory after a read of a part of them: small reads often follow each other."""

_WAIT_SECONDS = 2.0
"""How long a range waits while another process downloads the file, before it fetches for itself."""


class RevisionFiles:
    """The files of one revision, to be read in parts. Safe from many threads.

    Attributes:
        found: which revision it is, and the selector that was asked for.
        plan: its files and their blocks.
    """

    def __init__(self, around: Callable[[], Surroundings], found: Found, plan: wire.Plan) -> None:
        self.found = found
        self.plan = plan
        self._around = around
        self._files = {file.path: _File(file) for file in plan.files}
        self._recent = _Recent()

    @classmethod
    def open(cls, around: Callable[[], Surroundings], question: Question) -> RevisionFiles:
        """Resolve the question, once and with the warnings that belong to it, and list the files.

        Raises everything that `locate` raises. Offline, a revision whose list of files the cache knows
        can be opened; a read says what is missing.
        """
        surroundings = around()
        index = surroundings.cache.index
        found = locate(
            surroundings, question, lambda known: index.plan(known.model_id, known.commit) is not None
        )
        return cls(around, found, plan_of(surroundings, found))

    @property
    def known(self) -> KnownRevision:
        """The revision: ids, version, digest, commit and its yank."""
        return self.found.known

    def file(self, path: str) -> wire.PlannedFile:
        """Return one file of the revision.

        Raises:
            FileNotFoundInRevision: it has none at that path.
        """
        return self._file(path).planned

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytearray:
        """Return the bytes [start, end) of a file, as far as it has them; its end by default.

        Raises:
            FileNotFoundInRevision: the revision has no file at that path.
            NotInCache: offline, and a block is missing.
            DigestMismatch, TransferFailed, RegistryUnreachable, InsufficientStorage.
        """
        file = self._file(path)
        size_bytes = file.planned.size_bytes
        stop = size_bytes if end is None else min(end, size_bytes)
        sink = _Sink(max(start, 0), max(stop, start, 0), self._recent)
        wanted = [place for place in file.between(sink.start, sink.end) if not sink.take_recent(place)]
        cache = self._around().cache
        missing = _from_disk(cache, file, wanted, sink)
        if missing:
            self._bring(file, missing, sink)
        return sink.data

    def _file(self, path: str) -> _File:
        file = self._files.get(path)
        if file is None:
            names = ", ".join(sorted(self._files)[:20])
            raise FileNotFoundInRevision(
                f"{self.known.model} {self.known.version} has no file {path!r}; it has: {names}",
                field="path",
            )
        return file

    def _bring(self, file: _File, missing: Sequence[Place], sink: _Sink) -> None:
        around = self._around()
        # One thread of this process at a time: the next one finds the blocks on the disk.
        with file.lock, _folder_for(around.cache, file.content.sha256) as folder:
            missing = _from_disk(around.cache, file, missing, sink)
            if missing:
                self._fetch(around, Partial(folder, file.content), missing, sink)

    def _fetch(self, around: Surroundings, partial: Partial, missing: Sequence[Place], sink: _Sink) -> None:
        for place in missing:
            # It was not found sound on the disk, whatever the journal says.
            if partial.is_confirmed(place):
                partial.unconfirm(place)
        fetch_places(self._source(around, partial.content.path), around.cache, partial, missing)
        for place in missing:
            sink.put(place, partial.read(place.offset, place.block.size_bytes))

    def _source(self, around: Surroundings, path: str) -> RangeSource:
        if around.connection is not None and self.found.fresh:
            return RevisionSource(around.connection, self.known)
        return _NoSource(self.known, path)


class _File:
    """One file of the revision and where its blocks lie."""

    def __init__(self, planned: wire.PlannedFile) -> None:
        blocks = tuple(Block(digest, size_bytes) for digest, size_bytes in planned.blocks)
        self.planned = planned
        self.content = Content(planned.sha256, planned.size_bytes, planned.path, blocks)
        self.lock = threading.Lock()
        self._starts: list[int] = []
        offset = 0
        for block in blocks:
            self._starts.append(offset)
            offset += block.size_bytes

    def between(self, start: int, end: int) -> Iterator[Place]:
        """Yield the blocks that hold bytes of [start, end), in order."""
        if start >= end:
            return
        for number in range(bisect_right(self._starts, start) - 1, len(self._starts)):
            if self._starts[number] >= end:
                return
            yield Place(self._starts[number], self.content.blocks[number])


class _Recent:
    """The last few blocks that were read in part, by digest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: OrderedDict[str, bytes] = OrderedDict()
        self._size_bytes = 0

    def get(self, digest: str) -> bytes | None:
        with self._lock:
            data = self._blocks.get(digest)
            if data is not None:
                self._blocks.move_to_end(digest)
            return data

    def put(self, digest: str, data: bytes) -> None:
        with self._lock:
            if digest in self._blocks:
                return
            self._blocks[digest] = data
            self._size_bytes += len(data)
            while self._size_bytes > _RECENT_BYTES:
                self._size_bytes -= len(self._blocks.popitem(last=False)[1])


class _Sink:
    """The bytes [start, end) of a file, filled block by block."""

    def __init__(self, start: int, end: int, recent: _Recent) -> None:
        self.start = start
        self.end = end
        self.data = bytearray(end - start)
        self._recent = recent

    def put(self, place: Place, block: bytes) -> None:
        """Take what is wanted of a verified block."""
        begin, end = max(place.offset, self.start), min(place.end, self.end)
        part = memoryview(block)[begin - place.offset : end - place.offset]
        self.data[begin - self.start : end - self.start] = part
        if len(part) < len(block):
            self._recent.put(place.block.digest, block)

    def take_recent(self, place: Place) -> bool:
        """Fill from memory if the block is there; return whether it was."""
        block = self._recent.get(place.block.digest)
        if block is not None:
            self.put(place, block)
        return block is not None


class _NoSource:
    """Stands where the registry would be when it must not be asked."""

    patience = Patience()

    def __init__(self, known: KnownRevision, path: str) -> None:
        self._known = known
        self._path = path

    def open_range(self, path: str, offset: int, length: int) -> AbstractContextManager[Answer]:
        """Raise `NotInCache`."""
        raise NotInCache(
            f"offline, and the cache lacks bytes {offset} to {offset + length} of {path} of"
            f" {self._known.model} {self._known.version}; read them, or download the file, once while"
            " the registry can be reached",
            details={"missing": [self._path]},
        )


def _from_disk(cache: Cache, file: _File, places: Sequence[Place], sink: _Sink) -> list[Place]:
    """Fill from the cached file, or from the one under way; return the places that neither has sound."""
    content = file.content
    if places and cache.has(content.sha256, content.blocks):
        missing = _sound(cache.content_path(content.sha256), places, sink)
        if missing:
            cache.drop(content.sha256)
        return missing
    journal = read_journal(cache.partial_folder / f"{content.sha256}.journal") if places else set()
    there = [p for p in places if (p.offset, p.block.size_bytes, p.block.digest) in journal]
    # Every place counts by its hash: the file may be on its way to another name meanwhile.
    damaged = _sound(cache.partial_folder / content.sha256, there, sink) if there else []
    left = {place.offset for place in places} - {place.offset for place in there}
    left |= {place.offset for place in damaged}
    return [place for place in places if place.offset in left]


def _sound(path: Path, places: Iterable[Place], sink: _Sink) -> list[Place]:
    """Fill from a file; return the places where it holds something else."""
    places = list(places)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return places
    damaged: list[Place] = []
    with file:
        for place in places:
            data = os.pread(file.fileno(), place.block.size_bytes, place.offset)
            if block_digest(data) == place.block.digest:
                sink.put(place, data)
            else:
                damaged.append(place)
    return damaged


@contextmanager
def _folder_for(cache: Cache, sha256: str) -> Iterator[Path]:
    """Give the folder for a file under way: the shared one, or for one call while others hold that."""
    with storage_errors(cache.root), cache.content_locked_within(sha256, _WAIT_SECONDS) as held:
        if held:
            yield cache.partial_folder
            return
        with tempfile.TemporaryDirectory(dir=cache.partial_folder, prefix="busy-") as folder:
            yield Path(folder)
