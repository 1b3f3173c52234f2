"""What the cache remembers beside its files, in one SQLite file that many processes share.

    contents      which cached files were verified, and what they looked like then
    blocks        which cached file holds a block, and where: such blocks are never fetched again
    models        model ids by registry and name
    revisions     digest, commit and last known yank state by model and version, for offline use
    plans         files and blocks of a revision; immutable, so never asked twice
    destinations  folders outside the cache that a download made, and so may replace

All of it can be lost without harm: files are then hashed or fetched again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nodedata_registry import wire
from nodedata_registry.core.blocks import Block

_SCHEMA = """
CREATE TABLE IF NOT EXISTS contents (
    sha256 TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (
    digest TEXT NOT NULL, sha256 TEXT NOT NULL, offset INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
    PRIMARY KEY (digest, sha256, offset)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blocks_of_content ON blocks (sha256);
CREATE TABLE IF NOT EXISTS models (
    registry TEXT NOT NULL, ref TEXT NOT NULL, model_id TEXT NOT NULL, PRIMARY KEY (registry, ref)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revisions (
    model_id TEXT NOT NULL, version TEXT NOT NULL, model TEXT NOT NULL, digest TEXT NOT NULL,
    commit_id TEXT NOT NULL, yanked BLOB, PRIMARY KEY (model_id, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plans (
    model_id TEXT NOT NULL, commit_id TEXT NOT NULL, plan BLOB NOT NULL, PRIMARY KEY (model_id, commit_id)
);
CREATE TABLE IF NOT EXISTS destinations (
    path TEXT NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL, made_of TEXT NOT NULL,
    stamps BLOB NOT NULL, PRIMARY KEY (path, device, inode)
);
"""
_BATCH = 500


class KnownRevision(msgspec.Struct, frozen=True):
    """What was last heard of a revision."""

    model_id: str
    model: str
    version: str
    digest: str
    commit: str
    yanked: wire.Yank | None


@dataclass(frozen=True, slots=True)
class HeldBlock:
    """Where a cached file holds a block."""

    sha256: str
    offset: int
    size_bytes: int


class Destination(msgspec.Struct, frozen=True):
    """A folder that a download made: which one it is, of what, and how its files looked."""

    device: int
    inode: int
    made_of: str
    stamps: dict[str, tuple[int, int]]


class CacheIndex:
    """The index of one cache folder; safe from many threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._database = self._open()
        except sqlite3.DatabaseError:
            # Damaged (a disk error, a foreign file): everything in it can be found out again.
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._database = self._open()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    # --- contents and their blocks ---

    def stamp(self, sha256: str) -> tuple[int, int] | None:
        """Return size and modification time (ns) that a verified content had, if it is known."""
        rows = self._read("SELECT size_bytes, modified_ns FROM contents WHERE sha256 = ?", sha256)
        return (int(rows[0][0]), int(rows[0][1])) if rows else None

    def put_content(self, sha256: str, size_bytes: int, modified_ns: int, blocks: Iterable[Block]) -> None:
        """Remember a verified content and where its blocks lie."""
        rows = []
        offset = 0
        for block in blocks:
            rows.append((block.digest, sha256, offset, block.size_bytes))
            offset += block.size_bytes
        with self._writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO contents VALUES (?, ?, ?)", (sha256, size_bytes, modified_ns)
            )
            database.executemany("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?)", rows)

    def forget_content(self, sha256: str) -> None:
        """Forget a content whose file is gone or damaged."""
        with self._writing() as database:
            database.execute("DELETE FROM contents WHERE sha256 = ?", (sha256,))
            database.execute("DELETE FROM blocks WHERE sha256 = ?", (sha256,))

    def find_blocks(self, digests: Iterable[str]) -> dict[str, HeldBlock]:
        """Return for each block that a cached file holds one place where it lies."""
        wanted = sorted(set(digests))
        found: dict[str, HeldBlock] = {}
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            marks = ",".join("?" * len(batch))
            query = f"SELECT digest, sha256, offset, size_bytes FROM blocks WHERE digest IN ({marks})"
            for digest, sha256, offset, size_bytes in self._read(query, *batch):
                found[str(digest)] = HeldBlock(str(sha256), int(offset), int(size_bytes))
        return found

    # --- what the registry said ---

    def put_revision(self, registry: str, ref: str, known: KnownRevision) -> None:
        """Remember an answer: the model's id under the name asked for, and the revision's state."""
        yanked = None if known.yanked is None else msgspec.json.encode(known.yanked)
        row = (known.model_id, known.version, known.model, known.digest, known.commit, yanked)
        names = {(registry, ref, known.model_id), (registry, known.model, known.model_id)}
        # Robots ask often and learn nothing new: their flash memory need not be written each time.
        kept = self._read("SELECT * FROM revisions WHERE model_id = ? AND version = ?", *row[:2])
        if kept == [row] and all(self.model_id(registry, name) == own for _, name, own in names):
            return
        with self._writing() as database:
            database.executemany("INSERT OR REPLACE INTO models VALUES (?, ?, ?)", sorted(names))
            database.execute("INSERT OR REPLACE INTO revisions VALUES (?, ?, ?, ?, ?, ?)", row)

    def model_id(self, registry: str, ref: str) -> str | None:
        """Return the id that a model's name had when the registry was last asked."""
        rows = self._read("SELECT model_id FROM models WHERE registry = ? AND ref = ?", registry, ref)
        return str(rows[0][0]) if rows else None

    def revisions(self, model_id: str) -> list[KnownRevision]:
        """Return every revision of a model that was ever heard of, in no order."""
        query = "SELECT model_id, model, version, digest, commit_id, yanked FROM revisions WHERE model_id = ?"
        return [
            KnownRevision(str(own), str(model), str(version), str(digest), str(commit), _yank(yanked))
            for own, model, version, digest, commit, yanked in self._read(query, model_id)
        ]

    def put_plan(self, plan: wire.Plan) -> None:
        """Keep the files and blocks of a revision."""
        with self._writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO plans VALUES (?, ?, ?)",
                (plan.model_id, plan.commit, msgspec.json.encode(plan)),
            )

    def plan(self, model_id: str, commit: str) -> wire.Plan | None:
        """Return the kept plan of a revision."""
        rows = self._read("SELECT plan FROM plans WHERE model_id = ? AND commit_id = ?", model_id, commit)
        if not rows:
            return None
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(rows[0][0], type=wire.Plan)
        return None

    # --- folders made outside the cache ---

    def put_destination(self, path: Path, destination: Destination) -> None:
        """Remember a folder that a download made."""
        row = (
            str(path),
            destination.device,
            destination.inode,
            destination.made_of,
            msgspec.json.encode(destination.stamps),
        )
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO destinations VALUES (?, ?, ?, ?, ?)", row)

    def destinations(self, path: Path) -> list[Destination]:
        """Return every folder that was made to stand at a path; more than one while it is exchanged."""
        query = "SELECT device, inode, made_of, stamps FROM destinations WHERE path = ?"
        return [
            Destination(
                int(device),
                int(inode),
                str(made_of),
                msgspec.json.decode(stamps, type=dict[str, tuple[int, int]]),
            )
            for device, inode, made_of, stamps in self._read(query, str(path))
        ]

    def keep_only(self, path: Path, destination: Destination) -> None:
        """Forget every other folder that was made for a path."""
        with self._writing() as database:
            database.execute(
                "DELETE FROM destinations WHERE path = ? AND NOT (device = ? AND inode = ?)",
                (str(path), destination.device, destination.inode),
            )

    # --- the file ---

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=60, check_same_thread=False, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.executescript(_SCHEMA)
        except BaseException:
            database.close()
            raise
        return database

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _yank(stored: bytes | None) -> wire.Yank | None:
    return None if stored is None else msgspec.json.decode(stored, type=wire.Yank)
