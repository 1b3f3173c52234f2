"""Blocks from a registry to verified files: in place, in parallel, resumable.

    for each block that is not verified yet:
        some cached file holds it  → copied from there, hashed again
        else                       → fetched; contiguous blocks in one ranged request

A block counts when its BLAKE3 was right and the journal says so; the file gets its name when the
SHA-256 of the whole is right. An interrupted download, killed or cut off, goes on from the journal.
"""

from __future__ import annotations

import os
import struct
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from blake3 import blake3

from nodedata_registry.core.blocks import Block
from nodedata_registry.core.digests import block_digest
from nodedata_registry.errors import DigestMismatch, NodeDataError, TransferFailed
from nodedata_registry.sdk.cache import Cache, check_room, file_sha256, storage_errors
from nodedata_registry.sdk.connection import Patience, is_passing
from nodedata_registry.sdk.index import HeldBlock
from nodedata_registry.sdk.progress import Meter, ProgressCallback
from nodedata_registry.sdk.transport import CONNECTIONS, PIECE_BYTES, Answer
from nodedata_registry.sdk.workers import for_each

_RUN_BYTES = 32 * 1024 * 1024
"""Contiguous blocks fetched in one request: large enough to fill a long link, small enough to share."""

_RECORD = struct.Struct(">QI32s")
_SUM = struct.Struct(">I")
_MISMATCHES = 2
"""How often a block may arrive damaged before the registry is believed to hold it so."""


class RangeSource(Protocol):
    """Where bytes of a revision's files come from."""

    @property
    def patience(self) -> Patience:
        """How often to try before giving up."""
        ...

    def open_range(self, path: str, offset: int, length: int) -> AbstractContextManager[Answer]:
        """Give an answer that starts at `offset` of the file and holds at least `length` bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Content:
    """A file content to have: its SHA-256, its blocks in order, and a path under which to fetch it."""

    sha256: str
    size_bytes: int
    path: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A block at its offset in its file."""

    offset: int
    block: Block

    @property
    def end(self) -> int:
        """The offset behind its last byte."""
        return self.offset + self.block.size_bytes


class Partial:
    """A file under way: written in place, with a journal of verified blocks that outlives the process.

    Only for the holder of the content's lock.
    """

    def __init__(self, folder: Path, content: Content) -> None:
        self.content = content
        self._path = folder / content.sha256
        self._journal_path = folder / f"{content.sha256}.journal"
        if not self._path.exists():
            self._journal_path.unlink(missing_ok=True)
        self._confirmed = read_journal(self._journal_path)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        self._journal = os.open(self._journal_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if os.fstat(self._file).st_size != content.size_bytes:
            os.ftruncate(self._file, content.size_bytes)
        # Closed when nothing uses them any more: a thread that an interrupt left behind must not write
        # to a number that means another file by then.
        weakref.finalize(self, _close, self._file, self._journal)

    @property
    def places(self) -> Iterator[Place]:
        """Every block in order."""
        offset = 0
        for block in self.content.blocks:
            yield Place(offset, block)
            offset += block.size_bytes

    @property
    def absent_bytes(self) -> int:
        """The size of all blocks that are not verified."""
        return sum(place.block.size_bytes for place in self.places if not self.is_confirmed(place))

    def is_confirmed(self, place: Place) -> bool:
        """Return whether the block at this place is verified."""
        return (place.offset, place.block.size_bytes, place.block.digest) in self._confirmed

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes that are not verified yet."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file, view, offset)
            offset += written
            view = view[written:]

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Return bytes that were written."""
        return os.pread(self._file, size_bytes, offset)

    def confirm(self, place: Place) -> None:
        """Note that the block at this place is verified."""
        block = place.block
        record = _RECORD.pack(place.offset, block.size_bytes, bytes.fromhex(block.digest))
        # One append of one small record: a crash leaves at most a torn tail, which the sum reveals.
        os.write(self._journal, record + _SUM.pack(zlib.crc32(record)))
        self._confirmed.add((place.offset, block.size_bytes, block.digest))

    def unconfirm(self, place: Place) -> None:
        """Take a confirmation back: the disk lost the block, so it must come again."""
        gone = (place.offset, place.block.size_bytes, place.block.digest)
        kept = [p for p in self.places if self.is_confirmed(p)]
        os.ftruncate(self._journal, 0)
        self._confirmed.clear()
        for one in kept:
            if (one.offset, one.block.size_bytes, one.block.digest) != gone:
                self.confirm(one)

    def is_whole(self) -> bool:
        """Return whether the file's SHA-256 is right.

        If not, every block is hashed again and those that are wrong are no longer confirmed.
        """
        if file_sha256(self._path) == self.content.sha256:
            return True
        good = [
            p for p in self.places if block_digest(self.read(p.offset, p.block.size_bytes)) == p.block.digest
        ]
        os.ftruncate(self._journal, 0)
        self._confirmed.clear()
        for place in good:
            self.confirm(place)
        return False

    def finish(self) -> Path:
        """Make the bytes durable, drop the journal and return the file."""
        os.fsync(self._file)
        self._journal_path.unlink(missing_ok=True)
        return self._path

    def discard(self) -> None:
        """Remove the file and its journal."""
        self._path.unlink(missing_ok=True)
        self._journal_path.unlink(missing_ok=True)


def read_journal(path: Path) -> set[tuple[int, int, str]]:
    """Return (offset, size, digest) of the blocks that a journal calls verified, up to a torn end."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return set()
    size = _RECORD.size + _SUM.size
    found = set()
    for start in range(0, len(data) - size + 1, size):
        record = data[start : start + _RECORD.size]
        (total,) = _SUM.unpack_from(data, start + _RECORD.size)
        if total != zlib.crc32(record):
            break
        offset, length, digest = _RECORD.unpack(record)
        found.add((offset, length, digest.hex()))
    return found


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Run:
    """Contiguous places of one file, fetched in one request."""

    partial: Partial
    places: tuple[Place, ...]


def missing_bytes(cache: Cache, contents: Iterable[Content]) -> int:
    """Return how many bytes a fetch of contents that are not cached would move.

    Blocks that any cached file, or a download under way, holds are not counted; repeated ones once.
    """
    contents = list(contents)
    wanted = {block.digest: block.size_bytes for content in contents for block in content.blocks}
    held = set(cache.index.find_blocks(wanted))
    for content in contents:
        journal = read_journal(cache.partial_folder / f"{content.sha256}.journal")
        held |= {digest for _, _, digest in journal}
    return sum(size for digest, size in wanted.items() if digest not in held)


def fetch(
    source: RangeSource, cache: Cache, contents: Sequence[Content], progress: ProgressCallback | None = None
) -> int:
    """Bring contents into the cache, verified; return how many bytes were fetched.

    The caller holds the contents' locks.

    Raises:
        DigestMismatch: the registry sends bytes that are not what it announced.
        TransferFailed, RegistryUnreachable: it stopped answering; a later call resumes.
        InsufficientStorage: the disk is full; a later call resumes.
    """
    with storage_errors(cache.root):
        partials = [Partial(cache.partial_folder, content) for content in contents]
        check_room(cache.root, sum(partial.absent_bytes for partial in partials))
        return _Fetch(source, cache, partials, progress).run()


def fetch_places(source: RangeSource, cache: Cache, partial: Partial, places: Sequence[Place]) -> int:
    """Bring some blocks of a content into its partial file, verified; return how many bytes were fetched.

    Confirmed ones are left as they are. A later `fetch` of the content goes on from there. The caller
    holds the content's lock. Raises as `fetch` does.
    """
    with storage_errors(cache.root):
        check_room(cache.root, sum(place.block.size_bytes for place in places))
        return _Fetch(source, cache, [partial], None).fill([(partial, place) for place in places])


class _Fetch:
    """One fetch: first what is here already, then what must come over the wire, then repeats."""

    def __init__(
        self,
        source: RangeSource,
        cache: Cache,
        partials: Sequence[Partial],
        progress: ProgressCallback | None,
    ) -> None:
        self._source = source
        self._cache = cache
        self._partials = partials
        self._progress = progress
        self._stopped = False

    def run(self) -> int:
        """Fetch and adopt everything; return the bytes fetched."""
        fetched_bytes = self.fill(_all_places(self._partials))
        damaged = [partial for partial in self._partials if not partial.is_whole()]
        if damaged:
            # A power cut can leave journal entries whose bytes were lost; only those come again.
            fetched_bytes += self.fill(_all_places(damaged))
        for partial in damaged:
            if not partial.is_whole():
                partial.discard()
                raise DigestMismatch(
                    f"{partial.content.path} does not have the SHA-256 {partial.content.sha256} that the"
                    " registry announced; nothing was kept",
                    details={"file": partial.content.path},
                )
        for partial in self._partials:
            self._cache.adopt(partial.finish(), partial.content.sha256, partial.content.blocks)
        return fetched_bytes

    def fill(self, places: Iterable[tuple[Partial, Place]]) -> int:
        """Bring every place that is not confirmed; return the bytes fetched."""
        self._stopped = False
        first, repeats = _pending(places)
        held = self._cache.index.find_blocks(place.block.digest for _, place in first)
        absent = [
            (partial, place)
            for partial, place in first
            if not self._copy_held(partial, place, held.get(place.block.digest))
        ]
        meter = Meter(self._progress, "fetch", sum(place.block.size_bytes for _, place in absent))
        try:
            for_each(_runs(absent), lambda run: self._fetch_run(run, meter), CONNECTIONS)
        finally:
            self._stopped = True
        for partial, place, origin, offset in repeats:
            data = origin.read(offset, place.block.size_bytes)
            _land_checked(partial, place, data)
        return meter.done_bytes

    def _copy_held(self, partial: Partial, place: Place, held: HeldBlock | None) -> bool:
        """Copy a block from a cached file; a file that lost it is forgotten."""
        if held is None or held.size_bytes != place.block.size_bytes:
            return False
        try:
            with self._cache.content_path(held.sha256).open("rb") as file:
                data = os.pread(file.fileno(), held.size_bytes, held.offset)
            _land_checked(partial, place, data)
        except (FileNotFoundError, DigestMismatch):
            self._cache.drop(held.sha256)
            return False
        return True

    def _fetch_run(self, run: _Run, meter: Meter) -> None:
        """Fetch a run; after a break, go on behind the last verified block."""
        pending = list(run.places)
        failures = 0
        while pending and not self._stopped:
            before = len(pending)
            try:
                self._fetch_part(run.partial, pending, meter)
            except NodeDataError as error:
                failures = 1 if len(pending) < before else failures + 1
                limit = _MISMATCHES if isinstance(error, DigestMismatch) else self._source.patience.attempts
                if not is_passing(error) or failures >= limit:
                    self._stopped = True
                    raise
                asked = error.details.get("retry_after_seconds") or 0.0
                longest = self._source.patience.longest_pause_seconds
                time.sleep(max(min(float(asked), longest), self._source.patience.pause(failures)))

    def _fetch_part(self, partial: Partial, pending: list[Place], meter: Meter) -> None:
        start, end = pending[0].offset, pending[-1].end
        path = partial.content.path
        with self._source.open_range(path, start, end - start) as answer:
            body = _RangeBody(answer, start)
            while pending:
                if self._stopped:
                    return
                body.land(partial, pending[0])
                meter.add(pending.pop(0).block.size_bytes, path)
            body.drain()


class _RangeBody:
    """The body of a ranged answer, positioned at the range's start whether or not it was honoured."""

    def __init__(self, answer: Answer, start: int) -> None:
        self._answer = answer
        self._left = b""
        if answer.status != 206:
            self._skip(start)
        elif not answer.headers.get("content-range", f"bytes {start}-").startswith(f"bytes {start}-"):
            raise TransferFailed(f"another range than from byte {start} was answered")

    def land(self, partial: Partial, place: Place) -> None:
        """Write the next block in place while hashing it, and confirm it if it is right."""
        digest = blake3()
        offset = place.offset
        while offset < place.end:
            piece = self._next(place.end - offset)
            digest.update(piece)
            partial.write(offset, piece)
            offset += len(piece)
        if digest.hexdigest() != place.block.digest:
            raise _damaged(partial, place)
        partial.confirm(place)

    def drain(self) -> None:
        """Read the end, so that the connection can be used again; a whole file is not read on."""
        if self._answer.status == 206:
            self._answer.read(1)

    def _skip(self, size_bytes: int) -> None:
        while size_bytes:
            size_bytes -= len(self._next(size_bytes))

    def _next(self, size_bytes: int) -> bytes:
        if not self._left:
            self._left = self._answer.read(PIECE_BYTES)
            if not self._left:
                raise TransferFailed("the answer ended before the announced range did")
        piece, self._left = self._left[:size_bytes], self._left[size_bytes:]
        return piece


def _all_places(partials: Iterable[Partial]) -> Iterator[tuple[Partial, Place]]:
    return ((partial, place) for partial in partials for place in partial.places)


def _pending(
    places: Iterable[tuple[Partial, Place]],
) -> tuple[list[tuple[Partial, Place]], list[tuple[Partial, Place, Partial, int]]]:
    """Return unverified places: first occurrences of a block, and repeats with where to copy from."""
    first: list[tuple[Partial, Place]] = []
    repeats: list[tuple[Partial, Place, Partial, int]] = []
    seen: dict[str, tuple[Partial, int]] = {}
    for partial, place in places:
        origin = seen.get(place.block.digest)
        confirmed = partial.is_confirmed(place)
        if origin is None:
            seen[place.block.digest] = (partial, place.offset)
        if not confirmed and origin is None:
            first.append((partial, place))
        elif not confirmed and origin is not None:
            repeats.append((partial, place, *origin))
    return first, repeats


def _runs(places: Iterable[tuple[Partial, Place]]) -> Iterator[_Run]:
    """Group places that follow each other in one file, up to the size of a run."""
    group: list[Place] = []
    owner: Partial | None = None
    for partial, place in places:
        fits = owner is partial and group and group[-1].end == place.offset
        if owner is not None and not (fits and place.end - group[0].offset <= _RUN_BYTES):
            yield _Run(owner, tuple(group))
            group = []
        owner = partial
        group.append(place)
    if owner is not None:
        yield _Run(owner, tuple(group))


def _land_checked(partial: Partial, place: Place, data: bytes) -> None:
    if len(data) != place.block.size_bytes or block_digest(data) != place.block.digest:
        raise _damaged(partial, place)
    partial.write(place.offset, data)
    partial.confirm(place)


def _damaged(partial: Partial, place: Place) -> DigestMismatch:
    return DigestMismatch(
        f"bytes {place.offset} to {place.end} of {partial.content.path} arrived damaged: they are not the"
        f" block {place.block.digest}",
        details={"file": partial.content.path},
    )
