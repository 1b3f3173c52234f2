"""Connections to the catalog file, with the pragmas that its promises rest on.

- `journal_mode=WAL`, `synchronous=FULL`: readers never wait for the writer, and what was
  acknowledged survives a power cut (NORMAL loses it).
- `foreign_keys`, `recursive_triggers`: neither is on by default; without the second, REPLACE
  passes the triggers that refuse deletion.
- The driver starts no transaction of its own (`isolation_level=None`): every transaction starts
  with the word given to `open_engine`, a writer's with BEGIN IMMEDIATE, so that a transaction that
  read first never fails to become a writer.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import ExceptionContext

from nodedata_registry.errors import CannotStart
from nodedata_registry.server.catalog.sqlite.failures import failure_of

READ = "BEGIN"
WRITE = "BEGIN IMMEDIATE"

_PRAGMAS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA journal_size_limit=67108864",
)


def open_engine(
    path: Path,
    begin: str,
    *,
    wait_seconds: float = 30.0,
    foreign_keys: bool = True,
    max_pages: int | None = None,
) -> Engine:
    """Return an engine whose connections belong to their caller and may move between threads.

    `max_pages` caps the size of the file; a write beyond it fails as on a full disk. Errors of
    statements come out as ours (`failures`).
    """

    def connect() -> sqlite3.Connection:
        connection = connect_file(path, wait_seconds)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        if begin == READ:
            connection.execute("PRAGMA query_only=ON")
        if max_pages is not None:
            connection.execute(f"PRAGMA max_page_count={max_pages}")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: _begin(connection, begin))
    event.listen(engine, "handle_error", _raise_ours)
    return engine


def connect_file(path: Path, wait_seconds: float) -> sqlite3.Connection:
    """Return a driver connection to an existing file; a lost one is never created anew."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=wait_seconds,
        cached_statements=256,
    )


def create_file(path: Path) -> None:
    """Create the file, empty and for its owner only, unless it exists."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def use_write_ahead_log(path: Path, wait_seconds: float) -> None:
    """Turn the write-ahead log on, which the file remembers.

    Raises:
        CannotStart: the file system cannot do it (network file systems mostly).
    """
    connection = connect_file(path, wait_seconds)
    try:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    finally:
        connection.close()
    if mode != "wal":
        raise CannotStart(f"SQLite cannot keep a write-ahead log beside {path}: use a local file system")


def _begin(connection: Connection, word: str) -> None:
    connection.exec_driver_sql(word)


def _raise_ours(context: ExceptionContext) -> None:
    ours = failure_of(context.original_exception)
    if ours is not None:
        raise ours
