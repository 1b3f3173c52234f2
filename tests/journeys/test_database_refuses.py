"""The catalog file itself refuses to change what was published, whoever opens it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nodedata_registry import NodeData
from tests.journeys.policies import MIB, change_weights, contents, write_policy
from tests.journeys.running import OWNER_KEY, Running

MODEL = "acme/grasp"
FIXED = {
    "revisions": ("version", "changelog", "manifest_digest", "created_at"),
    "manifests": ("digest", "size_bytes"),
    "manifest_files": ("path", "sha256", "size_bytes"),
    "events": ("kind", "body", "sequence"),
    "file_contents": ("sha256", "size_bytes"),
    "texts": ("sha256", "content"),
}

SENTENCES = ("cannot be", "a published manifest is immutable", "events are numbered without gaps")


@pytest.fixture(scope="module")
def published(registry: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two revisions, one of them yanked, in the registry that runs."""
    files = write_policy(tmp_path_factory.mktemp("work") / "model", MIB)
    with NodeData(registry.url, OWNER_KEY) as node:
        node.models.create(MODEL, visibility="public")
        node.models.create_revision(MODEL, "1.0.0", files, "First")
        change_weights(files / "model.safetensors")
        node.models.create_revision(MODEL, "1.0.1", files, "Tuned")
        node.models.yank(MODEL, "1.0.1", "Drops what it holds")
    yield registry


def sql(data: Path, statement: str) -> str:
    """Run a statement with the `sqlite3` command, else with Python's; return the error, or nothing."""
    if shutil.which("sqlite3") is None:
        return _sql_in_python(data, statement)
    run = subprocess.run(
        ["sqlite3", "-cmd", ".timeout 10000", str(data / "registry.db"), statement],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stderr.strip()


def _sql_in_python(data: Path, statement: str) -> str:
    with closing(sqlite3.connect(data / "registry.db", timeout=10)) as database:
        try:
            database.executescript(statement)
        except sqlite3.Error as error:
            return str(error)
    return ""


def rows(data: Path, table: str) -> list[tuple[object, ...]]:
    """Return everything that a table holds."""
    with closing(sqlite3.connect(f"file:{data}/registry.db?mode=ro", uri=True)) as database:
        return sorted(database.execute(f"SELECT * FROM {table}"), key=repr)


def columns(data: Path, table: str) -> list[str]:
    """Return the names of a table's columns."""
    with closing(sqlite3.connect(f"file:{data}/registry.db?mode=ro", uri=True)) as database:
        return [str(row[1]) for row in database.execute(f"PRAGMA table_info({table})")]


def refused(data: Path, table: str, statement: str) -> None:
    """Run a statement; it must fail with the catalog's own sentence and leave the table as it was."""
    before = rows(data, table)
    assert before
    error = sql(data, statement)
    assert any(sentence in error for sentence in SENTENCES), error
    assert rows(data, table) == before


@pytest.mark.parametrize("table", FIXED)
def test_every_column_of_what_was_published_refuses_an_update(published: Running, table: str) -> None:
    for column in columns(published.data, table):
        refused(published.data, table, f"UPDATE {table} SET {column} = 7")
        refused(published.data, table, f"UPDATE OR REPLACE {table} SET {column} = {column} || '7'")


@pytest.mark.parametrize("table", FIXED)
def test_what_was_published_cannot_be_deleted(published: Running, table: str) -> None:
    refused(published.data, table, f"DELETE FROM {table}")
    refused(published.data, table, f"PRAGMA foreign_keys = OFF; DELETE FROM {table}")


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("table", FIXED)
def test_what_was_published_cannot_be_replaced(published: Running, table: str, recursive: str) -> None:
    before = f"PRAGMA recursive_triggers = {recursive}; PRAGMA foreign_keys = OFF;"
    refused(published.data, table, f"{before} REPLACE INTO {table} SELECT * FROM {table}")
    refused(published.data, table, f"{before} INSERT OR IGNORE INTO {table} SELECT * FROM {table}")


def test_a_published_manifest_takes_no_further_file(published: Running) -> None:
    names = columns(published.data, "manifest_files")
    wanted = ", ".join("'extra.bin'" if name == "path" else name for name in names)
    statement = f"INSERT INTO manifest_files SELECT {wanted} FROM manifest_files LIMIT 1"
    before = rows(published.data, "manifest_files")
    assert "a published manifest is immutable" in sql(published.data, statement)
    assert rows(published.data, "manifest_files") == before


def test_events_are_appended_without_a_gap_or_not_at_all(published: Running) -> None:
    names = columns(published.data, "events")
    given = {"sequence": "sequence + 100", "id": "'evt_0'"}
    wanted = ", ".join(given.get(name, name) for name in names)
    statement = f"INSERT INTO events SELECT {wanted} FROM events ORDER BY sequence DESC LIMIT 1"
    assert "events are numbered without gaps" in sql(published.data, statement)


def test_a_public_model_stays_public_in_the_file_too(published: Running) -> None:
    error = sql(published.data, "UPDATE models SET visibility = 'private'")
    assert "stays public" in error


def test_after_all_attempts_the_registry_serves_what_was_published(
    published: Running, tmp_path: Path
) -> None:
    with NodeData(published.url, OWNER_KEY, cache=tmp_path / "cache") as node:
        assert [one.version for one in node.models.revisions(MODEL).items] == ["1.0.1", "1.0.0"]
        snapshot = node.models.download(MODEL, "1.0.0")
        listed = {file.path: file.sha256 for file in node.models.manifest(MODEL, "1.0.0").files}
        assert contents(snapshot) == listed
