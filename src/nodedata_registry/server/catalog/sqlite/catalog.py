"""The catalog in one SQLite file, shared by the threads of this process and by other processes.

Connections are kept and lent out: opening one costs more than most reads. Readers see the snapshot of
their first statement and never wait. Writers of this process queue at a lock, which wakes them in
order without polling; between processes SQLite's own lock decides, for which the winner waits at most
`wait_seconds`. Connections do not survive a fork: open the catalog in the child.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from nodedata_registry.errors import Unavailable
from nodedata_registry.server.catalog.candidates import CandidateCache
from nodedata_registry.server.catalog.migrate import bring_up_to_date
from nodedata_registry.server.catalog.sqlite.engine import READ, WRITE, open_engine
from nodedata_registry.server.catalog.transaction import Transaction

_MOST_KEPT_READERS = 32


def open_catalog(path: Path, *, wait_seconds: float = 30.0, max_pages: int | None = None) -> SqliteCatalog:
    """Return the catalog at `path`, created or migrated first if need be.

    A file that is to be migrated is copied beside itself before (`registry.db.before-<revision>`).
    `wait_seconds` is how long a writer waits for others, `max_pages` a ceiling for the file's size.
    The folder must exist.

    Raises:
        CatalogTooNew: a newer program wrote the file.
        CannotStart: the file is no catalog, or lies where SQLite cannot keep it safe.
        DataFolderNotWritable: the folder is missing or not ours to write.
        InsufficientStorage: no room for the copy or the migration.
    """
    bring_up_to_date(path, wait_seconds)
    return SqliteCatalog(path, wait_seconds=wait_seconds, max_pages=max_pages)


class SqliteCatalog:
    """`ports.Catalog` on a file that is up to date; made by `open_catalog`."""

    def __init__(self, path: Path, *, wait_seconds: float = 30.0, max_pages: int | None = None) -> None:
        self.path = path
        self._wait_seconds = wait_seconds
        self._reading = open_engine(path, READ, wait_seconds=wait_seconds)
        self._writing = open_engine(path, WRITE, wait_seconds=wait_seconds, max_pages=max_pages)
        self._cache = CandidateCache()
        self._readers: deque[Transaction] = deque()
        self._writer: Transaction | None = None
        self._turn = threading.Lock()
        self._turn_of: int | None = None
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Read one snapshot. Safe from many threads, also inside another transaction."""
        transaction = self._lend()
        try:
            yield transaction
        finally:
            self._take_back(transaction)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Commit durably at the end; undo everything on any exception.

        Raises:
            Unavailable: other writers did not finish in time.
            InsufficientStorage: the disk is full.
            RuntimeError: this thread is in a `write()` already.
        """
        self._await_turn()
        try:
            writer, self._writer = self._writer or self._open(self._writing, None), None
            try:
                writer.connection.begin()
                yield writer
                writer.connection.commit()
                self._writer = writer
            finally:
                if self._writer is None:
                    # Closing undoes the transaction, whatever state an error left it in.
                    writer.connection.close()
        finally:
            self._turn_of = None
            self._turn.release()

    def close(self) -> None:
        """Close all connections; a transaction under way keeps its own until it ends."""
        self._closed = True
        while self._readers:
            self._readers.pop().connection.close()
        with self._turn:
            if self._writer is not None:
                self._writer.connection.close()
                self._writer = None

    def _lend(self) -> Transaction:
        try:
            return self._readers.pop()
        except IndexError:
            return self._open(self._reading, self._cache)

    def _take_back(self, transaction: Transaction) -> None:
        transaction.connection.rollback()
        if self._closed or len(self._readers) >= _MOST_KEPT_READERS:
            transaction.connection.close()
        else:
            self._readers.append(transaction)

    def _await_turn(self) -> None:
        if self._turn_of == threading.get_ident():
            raise RuntimeError("write() inside write() of the same thread would wait for itself")
        if not self._turn.acquire(timeout=self._wait_seconds):
            raise Unavailable(f"other writers kept the catalog busy for {self._wait_seconds:g} s: try again")
        self._turn_of = threading.get_ident()

    def _open(self, engine: Engine, cache: CandidateCache | None) -> Transaction:
        if self._closed:
            raise Unavailable("the catalog is closed")
        return Transaction(engine.connect(), cache)
