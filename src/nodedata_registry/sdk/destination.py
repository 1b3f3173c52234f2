"""A folder outside the cache that becomes exactly a revision, in one step.

It is built beside its place and exchanged with what stands there. Replaced is only what is absent,
empty or ours. Ours is a folder that a download made: the cache remembers which one it was (device and
inode) and how its files looked; one of them at least must still look so, since inodes are used again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from nodedata_registry.errors import DestNotEmpty, InvalidRequest
from nodedata_registry.sdk.cache import Cache, copy_contents, storage_errors
from nodedata_registry.sdk.folders import exchange, remove_folder
from nodedata_registry.sdk.index import Destination


def destination_path(dest: str | os.PathLike[str]) -> Path:
    """Return the folder that `dest` names: absolute, a symlink at its end followed."""
    return Path(os.path.realpath(dest))


def check_replaceable(cache: Cache, target: Path) -> None:
    """Return if the folder is absent, empty or ours.

    Raises:
        DestNotEmpty: it is something else.
        InvalidRequest: it can never be replaced in one step: a mount point, or the cache's own place.
    """
    if cache.root == target or cache.root.is_relative_to(target) or target.is_relative_to(cache.root):
        raise InvalidRequest(f"{target} and the download cache {cache.root} overlap", field="dest")
    if not target.exists():
        return
    if target.is_mount():
        raise InvalidRequest(
            f"{target} is a mount point, which cannot be replaced in one step; name a folder inside it",
            field="dest",
        )
    if not target.is_dir():
        raise DestNotEmpty(f"{target} is a file; name a folder that is absent or empty", field="dest")
    if any(target.iterdir()) and _ours(cache, target) is None:
        raise DestNotEmpty(
            f"{target} holds files that no download put there; empty it or name another folder",
            field="dest",
        )


def place(cache: Cache, target: Path, files: Mapping[str, str], made_of: str) -> None:
    """Make the folder hold exactly `files` ({path: sha256}), copied from the cache.

    Does nothing if it does already. `made_of` names what it then is: commit and selection.
    """
    name = hashlib.sha256(os.fsencode(target)).hexdigest()[:32]
    with cache.locked(f"dest-{name}"), storage_errors(target):
        check_replaceable(cache, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        _tidy(target)
        ours = _ours(cache, target)
        if ours is not None and ours.made_of == made_of and _stamps(target) == ours.stamps:
            return
        building = target.with_name(_prefix(target) + secrets.token_hex(8))
        building.mkdir()
        try:
            copy_contents(cache, building, files)
            _put_in_place(cache, target, building, made_of)
        finally:
            remove_folder(building)


def _put_in_place(cache: Cache, target: Path, building: Path, made_of: str) -> None:
    status = building.stat()
    made = Destination(status.st_dev, status.st_ino, made_of, _stamps(building))
    _make_durable(building, made.stamps)
    # Remembered before the exchange: a crash between the two leaves a folder that is known as ours.
    cache.index.put_destination(target, made)
    try:
        if target.exists() and any(target.iterdir()):
            exchange(building, target)
        else:
            building.rename(target)
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.EXDEV):
            raise
        raise InvalidRequest(
            f"{target} cannot be replaced in one step ({error.strerror}); name a folder inside it",
            field="dest",
        ) from error
    cache.index.keep_only(target, made)


def _ours(cache: Cache, target: Path) -> Destination | None:
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    for made in cache.index.destinations(target):
        same = (made.device, made.inode) == (status.st_dev, status.st_ino)
        if same and any(_stamp(target / path) == stamp for path, stamp in made.stamps.items()):
            return made
    return None


def _tidy(target: Path) -> None:
    """Remove what a killed download left beside the folder; the lock says that none is at work."""
    prefix = _prefix(target)
    for left in target.parent.iterdir():
        if left.name.startswith(prefix):
            remove_folder(left)


def _prefix(target: Path) -> str:
    return f".{target.name}.node-data-"


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            stamp = _stamp(path)
            if stamp is not None:
                found[path.relative_to(folder).as_posix()] = stamp
    return found


def _make_durable(folder: Path, paths: Mapping[str, object]) -> None:
    """Write file bytes to the disk before the folder gets its name: robots lose power."""
    for path in paths:
        descriptor = os.open(folder / path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
