"""Blocks as files on a local disk: `<root>/blocks/ab/cd/<hex>`, read-only; temp files in `<root>/tmp`.

What is not obvious:

- `put` holds a shared lock on the block's folder and `delete` an exclusive one. So a put that finds
  its block present renews the file's time before any delete can judge it, or comes after the delete
  and writes the block again. Between puts there is no waiting; the create-only link decides.
- A block that is present is compared with what was sent. It costs a read, and in return no damaged
  block is ever acknowledged: it is replaced by the verified bytes.
- The folders `ab/cd` are never removed, so that no put loses the folder it writes to.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from nodedata_registry.core.digests import block_digest
from nodedata_registry.core.sweep import StoredBlock
from nodedata_registry.errors import (
    BlockNotFound,
    DataFolderNotWritable,
    DigestMismatch,
    InsufficientStorage,
    InvalidRequest,
    ServerError,
)
from nodedata_registry.server.blobs import durable

TEMP_AGE_SECONDS = 3600.0
"""How old a temp file is before a start may remove it; one whose writer lives stays anyway."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FOLDER = re.compile(r"[0-9a-f]{2}", re.ASCII)
# EFBIG is what a limit on file size (RLIMIT_FSIZE) gives.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class DiskBlobStore:
    """The `BlobStore` on a folder of a POSIX filesystem with hard links. Holds no open files."""

    def __init__(self, root: Path, *, temp_age_seconds: float = TEMP_AGE_SECONDS) -> None:
        """Open the store, creating its folders, and remove what killed writers left behind.

        Raises:
            DataFolderNotWritable: the folders cannot be made or written.
            InsufficientStorage: the disk is full.
        """
        self._blocks = root / "blocks"
        self._temp = root / "tmp"
        self._durable_folders: set[Path] = set()
        with _starting(root):
            for folder in (self._blocks, self._temp):
                durable.make_folder(folder)
            durable.sweep_temp(self._temp, temp_age_seconds)

    def put(self, digest: str, data: bytes) -> bool:
        """Store a block durably and return whether it is new; see `BlobStore.put`."""
        target = self._file(digest)
        _check_bytes(digest, data, "the bytes that were sent")
        with _wrapped(f"storing block {digest}"):
            self._ensure_folder(target.parent)
            with durable.locked_folder(target.parent, exclusive=False):
                if not target.exists() and durable.create(target, data, self._temp):
                    return True
                return self._renew(target, data)

    def get(self, digest: str, *, verify: bool = False) -> bytes:
        """Return the whole block, recomputing its BLAKE3 with `verify`; see `BlobStore.get`."""
        with _opened_block(self._file(digest), digest) as descriptor:
            data = _read_exactly(descriptor, 0, os.fstat(descriptor).st_size)
        if verify:
            _check_bytes(digest, data, "the stored bytes")
        return data

    def read(self, digest: str, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset` on; see `BlobStore.read`."""
        with _opened_block(self._file(digest), digest) as descriptor:
            size_bytes = os.fstat(descriptor).st_size
            if offset < 0 or length < 0 or offset + length > size_bytes:
                raise InvalidRequest(
                    f"asked for {length} bytes from {offset} of block {digest}, which has {size_bytes}"
                )
            return _read_exactly(descriptor, offset, length)

    def path(self, digest: str) -> Path | None:
        """Return the block's file, or `None` if it is absent; see `BlobStore.path`."""
        target = self._file(digest)
        return target if self._status(target) is not None else None

    def has(self, digest: str) -> bool:
        """Tell whether the block is stored."""
        return self._status(self._file(digest)) is not None

    def size(self, digest: str) -> int:
        """Return the stored size in bytes; see `BlobStore.size`."""
        status = self._status(self._file(digest))
        if status is None:
            raise _not_stored(digest)
        return status.st_size

    def delete(self, digest: str, *, stored_before: datetime | None = None) -> bool:
        """Remove the block unless it was put since `stored_before`; see `BlobStore.delete`."""
        target = self._file(digest)
        with _wrapped(f"deleting block {digest}"):
            try:
                with durable.locked_folder(target.parent, exclusive=True):
                    if stored_before is not None and _stored_at(target.lstat()) >= stored_before:
                        return False
                    target.unlink()
            except FileNotFoundError:
                return False
        return True

    def iterate(self) -> Iterator[StoredBlock]:
        """Yield every block by digest, one folder in memory at a time; see `BlobStore.iterate`."""
        for outer in _subfolders(self._blocks):
            for inner in _subfolders(outer):
                yield from _blocks_in(inner)

    def check(self) -> None:
        """Pass if a file can be made durably here right now; see `BlobStore.check`."""
        probe = self._temp / f"check-{os.getpid()}-{os.urandom(8).hex()}"
        with _starting(self._temp):
            try:
                durable.create(probe, b"check", self._temp)
            finally:
                probe.unlink(missing_ok=True)

    def _file(self, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise InvalidRequest(
                f"{digest[:80]!r} is no block digest: it takes 64 characters of 0-9a-f", field="digest"
            )
        return self._blocks / digest[:2] / digest[2:4] / digest

    def _ensure_folder(self, folder: Path) -> None:
        # Two threads may both come here for one folder; making it twice is harmless.
        if folder not in self._durable_folders:
            self._durable_folders.add(_made(folder))

    def _renew(self, target: Path, data: bytes) -> bool:
        """Make a present block durable and young; replace it if it is damaged. True if replaced."""
        if _holds(target, data):
            now_ns = time.time_ns()
            os.utime(target, ns=(now_ns, now_ns))
            durable.sync_folder(target.parent)
            return False
        durable.replace(target, data, self._temp)
        return True

    def _status(self, target: Path) -> os.stat_result | None:
        with _wrapped(f"looking for block {target.name}"):
            try:
                status = target.lstat()
            except FileNotFoundError:
                return None
        return status if stat.S_ISREG(status.st_mode) else None


# --- files --------------------------------------------------------------------------------------


def _made(folder: Path) -> Path:
    """Create `ab/cd` durably; `ab` may be as new to other processes as `cd`."""
    durable.make_folder(folder.parent)
    durable.make_folder(folder)
    return folder


def _holds(target: Path, data: bytes) -> bool:
    descriptor = os.open(target, _READ)
    try:
        if os.fstat(descriptor).st_size != len(data):
            return False
        return _read_exactly(descriptor, 0, len(data)) == data
    finally:
        os.close(descriptor)


def _read_exactly(descriptor: int, offset: int, length: int) -> bytes:
    parts = []
    while length:
        part = os.pread(descriptor, length, offset)
        if not part:
            # Blocks are read-only and never shortened, so this is damage and not a race.
            raise OSError(errno.EIO, "the file became shorter while it was read")
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _subfolders(folder: Path) -> list[Path]:
    with _wrapped("listing the blocks"):
        return sorted(entry for entry in folder.iterdir() if _FOLDER.fullmatch(entry.name))


def _blocks_in(folder: Path) -> Iterator[StoredBlock]:
    with _wrapped("listing the blocks"):
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        if _DIGEST.fullmatch(entry.name) is not None:
            block = _listed(entry)
            if block is not None:
                yield block


def _listed(entry: os.DirEntry[str]) -> StoredBlock | None:
    with _wrapped("listing the blocks"):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return StoredBlock(entry.name, status.st_size, _stored_at(status))


def _stored_at(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, timezone.utc)


# --- errors -------------------------------------------------------------------------------------


def _check_bytes(digest: str, data: bytes, what: str) -> None:
    found = block_digest(data)
    if found != digest:
        raise DigestMismatch(
            f"block {digest}: {what} ({len(data)} bytes) have the BLAKE3 {found}",
            details={"digest": digest, "found": found},
        )


def _not_stored(digest: str) -> BlockNotFound:
    return BlockNotFound(f"block {digest} is not stored here", details={"digest": digest})


@contextlib.contextmanager
def _opened_block(target: Path, digest: str) -> Iterator[int]:
    with _wrapped(f"reading block {digest}"):
        try:
            descriptor = os.open(target, _READ)
        except FileNotFoundError:
            raise _not_stored(digest) from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _wrapped(doing: str) -> Iterator[None]:
    """Turn the system's errors into ours; who expects a missing file catches that inside."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise InsufficientStorage(
                f"the disk is full: {doing} failed ({error.strerror}); free some space and try again"
            ) from error
        raise ServerError(f"the block store failed while {doing}: {error.strerror}") from error


@contextlib.contextmanager
def _starting(folder: Path) -> Iterator[None]:
    """Name the folder where the store cannot be written at all."""
    try:
        with _wrapped(f"preparing {folder}"):
            yield
    except ServerError as error:
        reason = getattr(error.__cause__, "strerror", None) or error.message
        raise DataFolderNotWritable(
            f"the block store in {folder} cannot be written: {reason}; check owner, mode and mount"
        ) from error
