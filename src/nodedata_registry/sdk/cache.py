"""The download cache: verified contents once, snapshots made of them, and who is at work.

    NODE_DATA_CACHE/
      files/<sha256>                   verified contents, read-only
      snapshots/<model id>/<commit>    folders with a revision's files: reflinks or hard links into files/
      partial/<sha256>, .journal       downloads under way, and which of their blocks are verified
      locks/                           held while a content or a folder is being made
      index-1.db                       see `index`; another layout of it gets another number

A name under files/ or snapshots/ appears only when all its bytes are verified. A cached file that no
longer looks as it did when it was verified is hashed again before it is used.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from nodedata_registry.core.blocks import Block
from nodedata_registry.errors import DataFolderNotWritable, InsufficientStorage
from nodedata_registry.sdk.folders import clone_or_copy, clone_or_link, exchange, remove_folder
from nodedata_registry.sdk.index import CacheIndex

_PIECE_BYTES = 1024 * 1024
_LOCK_SHARDS = 64
"""Locks are held per group of contents: few file descriptors whatever the number of files."""

_LOCK_PAUSE_SECONDS = 0.02
_READ_ONLY = 0o444
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Cache:
    """One cache folder, shared with every other process of this user."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with storage_errors(root):
            # Private models lie here: only this user may look, unless the folder was made otherwise.
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("files", "snapshots", "partial", "locks"):
                (root / name).mkdir(exist_ok=True)
            self.index = CacheIndex(root / "index-1.db")

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    @property
    def partial_folder(self) -> Path:
        """Where downloads under way are kept."""
        return self.root / "partial"

    # --- contents ---

    def content_path(self, sha256: str) -> Path:
        """Return where a content lies or would lie."""
        return self.root / "files" / sha256

    def has(self, sha256: str, blocks: Iterable[Block]) -> bool:
        """Return whether a content is here and is what it was when it was verified.

        What looks different is hashed again: kept if it is whole after all, removed if not.
        """
        path = self.content_path(sha256)
        try:
            status = path.stat()
        except FileNotFoundError:
            return False
        if self.index.stamp(sha256) == (status.st_size, status.st_mtime_ns):
            return True
        if file_sha256(path) == sha256:
            self.index.put_content(sha256, status.st_size, status.st_mtime_ns, blocks)
            return True
        self.drop(sha256)
        return False

    def adopt(self, verified: Path, sha256: str, blocks: Iterable[Block]) -> None:
        """Give a verified file (of the same file system) its name among the contents."""
        verified.chmod(_READ_ONLY)
        verified.replace(self.content_path(sha256))
        status = self.content_path(sha256).stat()
        self.index.put_content(sha256, status.st_size, status.st_mtime_ns, blocks)

    def drop(self, sha256: str) -> None:
        """Remove a content that turned out to be damaged."""
        self.content_path(sha256).unlink(missing_ok=True)
        self.index.forget_content(sha256)

    # --- locks ---

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold a named lock against threads and processes; ends with the process, however it dies."""
        with (self.root / "locks" / f"{name}.lock").open("ab") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            yield

    @contextmanager
    def contents_locked(self, sha256s: Iterable[str]) -> Iterator[None]:
        """Hold the locks under which these contents may be downloaded.

        Always taken in the same order, so that two downloads cannot wait for each other.
        """
        shards = sorted({int(sha256[:2], 16) % _LOCK_SHARDS for sha256 in sha256s})
        with ExitStack() as stack:
            for shard in shards:
                stack.enter_context(self.locked(f"contents-{shard:02d}"))
            yield

    @contextmanager
    def content_locked_within(self, sha256: str, seconds: float) -> Iterator[bool]:
        """Hold a content's lock if it is free within some seconds; give whether it is held."""
        shard = int(sha256[:2], 16) % _LOCK_SHARDS
        until = time.monotonic() + seconds
        with (self.root / "locks" / f"contents-{shard:02d}.lock").open("ab") as file:
            while True:
                try:
                    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() >= until:
                        break
                    time.sleep(_LOCK_PAUSE_SECONDS)
                else:
                    yield True
                    return
        yield False

    # --- snapshots ---

    def snapshot(self, model_id: str, commit: str, files: Mapping[str, str], *, whole: bool) -> Path | None:
        """Return the folder with exactly these files ({path: sha256}) if it is here and untouched."""
        folder = self.snapshot_path(model_id, commit, files, whole=whole)
        for path, sha256 in files.items():
            try:
                status = (folder / path).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            if self.index.stamp(sha256) != (status.st_size, status.st_mtime_ns):
                return None
        return folder if folder.is_dir() else None

    def make_snapshot(self, model_id: str, commit: str, files: Mapping[str, str], *, whole: bool) -> Path:
        """Make the folder from cached contents and return it; it appears whole or not at all."""
        folder = self.snapshot_path(model_id, commit, files, whole=whole)
        with self.locked(f"snapshot-{folder.name}"), storage_errors(self.root):
            present = self.snapshot(model_id, commit, files, whole=whole)
            if present is not None:
                return present
            folder.parent.mkdir(parents=True, exist_ok=True)
            for left in folder.parent.glob(f".{folder.name}.*"):
                remove_folder(left)
            building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
            building.chmod(0o755)
            self._fill(building, files)
            if folder.exists():
                exchange(building, folder)
                remove_folder(building)
            else:
                building.rename(folder)
        return folder

    def snapshot_path(self, model_id: str, commit: str, files: Iterable[str], *, whole: bool) -> Path:
        """Return where the snapshot of a revision, or of some of its files, lies or would lie."""
        name = commit
        if not whole:
            listed = "\0".join(sorted(files)).encode()
            name += "-" + hashlib.sha256(listed).hexdigest()[:16]
        return self.root / "snapshots" / model_id / name

    def _fill(self, folder: Path, files: Mapping[str, str]) -> None:
        for path, sha256 in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            clone_or_link(self.content_path(sha256), target)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def copy_contents(cache: Cache, folder: Path, files: Mapping[str, str]) -> None:
    """Copy cached contents ({path: sha256}) into a folder; nothing there shares bytes that can change."""
    for path, sha256 in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        clone_or_copy(cache.content_path(sha256), target)


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raise `InsufficientStorage` if the disk surely has no room for that many bytes."""
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise InsufficientStorage(
            f"{needed_bytes} bytes are to be fetched, and {folder} has room for {free_bytes};"
            " free some, or set NODE_DATA_CACHE to a larger disk"
        )


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk and a folder that cannot be written into errors of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise InsufficientStorage(
                f"the disk of {folder} is full; free some room and run it again: it resumes"
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
            raise DataFolderNotWritable(
                f"{os.fspath(error.filename or folder)} cannot be written ({error.strerror});"
                " set NODE_DATA_CACHE or dest to a folder of yours"
            ) from error
        raise
