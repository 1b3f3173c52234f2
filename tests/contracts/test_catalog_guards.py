"""The database itself refuses to change what is published, whoever opens the file."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nodedata_registry.server.catalog import open_catalog
from tests.contracts.catalog_world import MARK, START, World

IMMUTABLE = (
    "revisions",
    "manifests",
    "manifest_files",
    "file_contents",
    "file_facts",
    "texts",
    "events",
    "diffs",
    "attestations",
)
NEVER_DELETED = ("accounts", "workspaces", "models", "revision_marks")
WITHOUT_ROWID = ("manifests", "manifest_files", "revision_marks")


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection as a stranger opens it: every pragma that protects is off."""
    catalog = open_catalog(path)
    world = World(catalog)
    ann, acme = world.account(), world.workspace()
    walk = world.model("walk", acme, "public")
    written = world.publish(walk, "1.0.0")
    world.publish(walk, "1.1.0")
    world.account("bob"), world.model("run", acme), world.workspace("bolt")
    with catalog.write() as tx:
        for number in range(2):
            tx.contents.put_facts("ab" * 32, f"format{number}", b"facts")
            tx.contents.put_text(f"a{number}" * 32, b"text")
            tx.diffs.put("rev_a", "rev_b", number, b"diff")
            tx.events.append(world.event())
            tx.attestations.add(world.attestation(written.id, number))
        tx.revisions.set_yank(written.id, MARK)
        tx.models.put_grant(walk.id, ann.id, START, None)
    catalog.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("PRAGMA recursive_triggers=OFF")
        yield connection


def refused(connection: sqlite3.Connection, statement: str) -> None:
    """Run a statement that must fail and leave the file as it was."""
    before = list(connection.iterdump())
    with pytest.raises(sqlite3.IntegrityError, match=r"cannot be|immutable|stays|without gaps"):
        connection.execute(statement)
    assert list(connection.iterdump()) == before


@pytest.mark.parametrize("table", IMMUTABLE)
def test_no_column_of_what_is_published_can_be_updated(raw: sqlite3.Connection, table: str) -> None:
    for _, column, *_ in raw.execute(f"PRAGMA table_info({table})").fetchall():
        refused(raw, f"UPDATE {table} SET {column} = {column}")
        refused(raw, f"UPDATE OR REPLACE {table} SET {column} = 1")


@pytest.mark.parametrize("table", [*IMMUTABLE, *NEVER_DELETED])
def test_no_row_can_be_deleted(raw: sqlite3.Connection, table: str) -> None:
    assert raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0
    refused(raw, f"DELETE FROM {table}")
    refused(raw, f"DELETE FROM {table} WHERE 1 = 1 LIMIT 1")


@pytest.mark.parametrize("table", [*IMMUTABLE, *NEVER_DELETED])
def test_no_row_can_be_replaced(raw: sqlite3.Connection, table: str) -> None:
    refused(raw, f"REPLACE INTO {table} SELECT * FROM {table} LIMIT 1")
    refused(raw, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


@pytest.mark.parametrize("table", [t for t in (*IMMUTABLE, *NEVER_DELETED) if t not in WITHOUT_ROWID])
def test_no_row_can_be_replaced_by_its_hidden_number(raw: sqlite3.Connection, table: str) -> None:
    columns = [row[1] for row in raw.execute(f"PRAGMA table_info({table})").fetchall()]
    fresh = ", ".join(f"'new {column}'" for column in columns)
    if table != "events":
        refused(raw, f"INSERT OR REPLACE INTO {table} (rowid, {', '.join(columns)}) VALUES (1, {fresh})")
    refused(raw, f"UPDATE OR REPLACE {table} SET rowid = 1 WHERE rowid = 2")


def test_no_revision_takes_the_version_or_the_place_of_another(raw: sqlite3.Connection) -> None:
    columns = [row[1] for row in raw.execute("PRAGMA table_info(revisions)").fetchall()]
    for changed in ({"id"}, {"id", "sequence"}, {"id", "patch"}):
        fresh = ", ".join(f"'9{name}'" if name in changed else name for name in columns)
        refused(raw, f"INSERT OR REPLACE INTO revisions SELECT {fresh} FROM revisions LIMIT 1")


def test_no_file_is_added_to_a_published_manifest(raw: sqlite3.Connection) -> None:
    refused(
        raw,
        "INSERT INTO manifest_files SELECT manifest_digest, 'new', 1, sha256 FROM manifest_files LIMIT 1",
    )


@pytest.mark.parametrize("sequence", ["0", "2", "4", "NULL", "-1"])
def test_an_event_takes_no_number_but_the_next(raw: sqlite3.Connection, sequence: str) -> None:
    refused(
        raw,
        f"INSERT OR REPLACE INTO events SELECT {sequence}, 'evt_new', kind, at, account_id, workspace_id,"
        " model_id, revision_id, internal, canonical FROM events LIMIT 1",
    )


@pytest.mark.parametrize(
    "change",
    [
        "models SET id = 'mdl_other'",
        "models SET name = 'other'",
        "models SET folded = 'other'",
        "models SET workspace_id = 'ws_other'",
        "OR REPLACE models SET folded = 'walk'",
        "models SET visibility = 'private' WHERE name = 'walk'",
        "workspaces SET id = 'ws_other'",
        "workspaces SET slug = 'other'",
        "OR REPLACE workspaces SET folded = 'acme'",
        "accounts SET id = 'usr_other'",
        "revision_marks SET revision_id = 'rev_other'",
    ],
)
def test_ids_names_and_being_public_are_final(raw: sqlite3.Connection, change: str) -> None:
    refused(raw, f"UPDATE {change}")


def test_a_retired_revision_stays_retired(raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE revision_marks SET retirement_at = 'x', retirement_reason = 'y', retirement_by = 'z'")
    refused(raw, "UPDATE revision_marks SET retirement_at = NULL")
    refused(raw, "UPDATE revision_marks SET retirement_reason = 'other'")
    refused(raw, "UPDATE OR IGNORE revision_marks SET retirement_by = NULL")


def test_marks_and_free_tables_can_still_be_changed(raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE revision_marks SET yank_at = NULL, yank_reason = NULL, yank_by = NULL")
    raw.execute("UPDATE models SET visibility = 'public' WHERE name = 'run'")
    raw.execute("UPDATE accounts SET name = 'anna' WHERE name = 'ann'")
    raw.execute("DELETE FROM grants")


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs the sqlite3 command")
@pytest.mark.parametrize("table", ["revisions", "manifests", "manifest_files", "events"])
def test_the_sqlite3_command_is_refused(raw: sqlite3.Connection, path: Path, table: str) -> None:
    column = raw.execute(f"PRAGMA table_info({table})").fetchall()[1][1]
    for statement in (f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"):
        done = subprocess.run(["sqlite3", str(path), statement], capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert f"{table} cannot be" in done.stderr
