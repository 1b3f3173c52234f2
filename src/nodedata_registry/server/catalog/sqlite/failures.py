"""The error of ours for what SQLite reports."""

from __future__ import annotations

import sqlite3

from nodedata_registry.errors import (
    CannotStart,
    InsufficientStorage,
    InvalidRequest,
    NodeDataError,
    ServerError,
    TooLarge,
    Unavailable,
)

# Growing the shared-memory file fails for want of space only; SQLite has no code of its own for it.
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_WAITED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def failure_of(error: BaseException) -> NodeDataError | None:
    """Return the error to raise instead of one that came out of a statement; `None` to let it pass."""
    if isinstance(error, NodeDataError):
        return error
    if isinstance(error, (OverflowError, UnicodeEncodeError)):
        return InvalidRequest(f"the catalog cannot keep this value: {error}")
    if isinstance(error, sqlite3.Error):
        return _of_database(error)
    return None


def _of_database(error: sqlite3.Error) -> NodeDataError:
    # Errors that the driver itself finds (a closed connection) carry no code.
    code = getattr(error, "sqlite_errorcode", 0)
    if code in _FULL or code & 0xFF in _FULL:
        return InsufficientStorage(
            "the disk of the catalog is full; nothing was written: free space, try again"
        )
    if code & 0xFF in _WAITED:
        return Unavailable("the catalog is busy with another writer: try again in a moment")
    if code == sqlite3.SQLITE_NOTADB:
        return CannotStart("the catalog is no SQLite file: choose another folder, or restore a copy")
    if code & 0xFF == sqlite3.SQLITE_TOOBIG:
        return TooLarge("the value is larger than the catalog can keep in one row")
    return ServerError(f"the catalog failed: {error} ({getattr(error, 'sqlite_errorname', 'no code')})")
