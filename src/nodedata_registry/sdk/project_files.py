"""The two files of a project folder: `node-data.toml`, which people write, and `node-data.lock`."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from nodedata_registry import wire
from nodedata_registry.core.lockfile import LOCK_NAME, Lock, LockedYank, Pin, parse_lock
from nodedata_registry.core.project import PROJECT_NAME, Project, parse_project
from nodedata_registry.errors import (
    DataFolderNotWritable,
    InsufficientStorage,
    InvalidLock,
    InvalidRequest,
    OtherRegistry,
)
from nodedata_registry.sdk.notices import NodeDataWarning

LocalPath = str | os.PathLike[str]


class LockWarning(NodeDataWarning):
    """A lock is used although something speaks against it: it is old, or a pin was retired."""


def lock_path(project: LocalPath) -> Path:
    """Return where the lock of a project folder lies; absolute, symlinks followed."""
    return Path(os.path.realpath(project)) / LOCK_NAME


def read_lock_text(project: LocalPath) -> str | None:
    r"""Return the text of the lock with `\n` line ends, or `None` if there is no lock."""
    data = _read(lock_path(project))
    return None if data is None else data.decode("utf-8-sig", "replace").replace("\r\n", "\n")


def find_lock(project: LocalPath) -> Lock | None:
    """Return the lock of a project folder, or `None` if there is none; raises `InvalidLock`."""
    data = _read(lock_path(project))
    return None if data is None else parse_lock(data)


def read_lock(project: LocalPath) -> Lock:
    """Return the lock of a project folder.

    Raises:
        InvalidLock: there is none, or it is not one that can be used.
    """
    found = find_lock(project)
    if found is None:
        raise InvalidLock(f"{lock_path(project)} is not there: `node-data lock` makes it", field=LOCK_NAME)
    return found


def find_project(project: LocalPath) -> Project | None:
    """Return what the folder's `node-data.toml` says, or `None`; raises `InvalidRequest`."""
    folder = Path(os.path.realpath(project))
    if not folder.is_dir():
        raise InvalidRequest(
            f"{folder} is no folder; pass the one that holds {PROJECT_NAME}", field="project"
        )
    data = _read(folder / PROJECT_NAME)
    return None if data is None else parse_project(data)


def write_lock(project: LocalPath, text: str) -> None:
    """Write the lock of a project folder, whole and durable.

    Raises:
        DataFolderNotWritable, InsufficientStorage: the old lock stands.
    """
    path = lock_path(project)
    try:
        write_whole(path, text)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InsufficientStorage(f"the disk of {path.parent} is full; nothing was locked") from error
        raise DataFolderNotWritable(f"{path} cannot be written: {error.strerror}") from error


def write_whole(path: Path, text: str) -> None:
    """Write a file so that its name shows the old text or the new, whole and durable."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            # Made private by mkstemp; a lock is for everyone who may read the folder.
            os.fchmod(file.fileno(), path.stat().st_mode & 0o777 if path.exists() else 0o644)
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
        _make_durable(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _make_durable(folder: Path) -> None:
    """Write the names in a folder to the disk: robots lose power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_registry(pins: tuple[Pin, ...], registry: str) -> None:
    """Return if every pin was locked from this registry; raises `OtherRegistry`."""
    for pin in pins:
        if pin.registry != registry:
            raise OtherRegistry(
                f"{LOCK_NAME} locks {pin.model} from {pin.registry}, and this is {registry}: use the"
                " registry that it names; or, if this one holds the same models, say so"
                " (any_registry=True, --any-registry), or lock anew from it (`node-data lock --upgrade`)",
                field="registry",
                details={"locked": pin.registry, "asked": registry},
            )


def locked_yank(yank: wire.Yank | None) -> LockedYank | None:
    """Return a yank as the lock states it."""
    return None if yank is None else LockedYank(yank.at, yank.reason, yank.suggested)


def wire_yank(yank: LockedYank | None) -> wire.Yank | None:
    """Return a locked yank as answers state it."""
    return None if yank is None else wire.Yank(reason=yank.reason, at=yank.at, suggested=yank.suggested)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}", field="project") from error
