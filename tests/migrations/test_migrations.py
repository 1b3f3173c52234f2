"""The catalog's history: it leads to the tables of the program, from anywhere, or changes nothing."""

from __future__ import annotations

import multiprocessing
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from nodedata_registry.errors import (
    CannotStart,
    CatalogTooNew,
    DataFolderNotWritable,
    Unavailable,
)
from nodedata_registry.server.catalog import open_catalog
from nodedata_registry.server.catalog.migrate import MIGRATIONS, bring_up_to_date, history, upgrade
from nodedata_registry.server.catalog.sqlite import search
from nodedata_registry.server.catalog.tables import GUARDS, metadata

REBUILD = """
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "0004", "0003", None, None

def upgrade():
    with op.batch_alter_table("events", recreate="always") as events:
        events.add_column(sa.Column("later", sa.Text()))
    with op.batch_alter_table("revisions", recreate="always") as revisions:
        revisions.add_column(sa.Column("later", sa.Text()))
"""
FAIL = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "0004", "0003", None, None

def upgrade():
    op.execute("CREATE TABLE half (x)")
    op.execute("DROP TABLE diffs")
    op.execute("SELECT * FROM nowhere")
"""
ORPHAN = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "0004", "0003", None, None

def upgrade():
    op.execute("DELETE FROM accounts")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


def history_with(tmp_path: Path, step: str) -> Path:
    """Return a history that has one step more than the program's."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "v0004_later.py").write_text(step)
    return folder


def schema(path: Path, kinds: str = "table index trigger") -> set[str]:
    """Return the statements that make the file's schema, in one spelling."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    wanted = [sql for kind, sql in rows if kind in kinds.split() and "alembic_version" not in sql]
    return {respelled(sql) for sql in wanted}


def respelled(sql: str) -> str:
    """Return the statement without what has no meaning: white space, quotes, the order of constraints."""
    plain = re.sub(r"[\s\"]+", " ", sql).replace("( ", "(").replace(" )", ")")
    body, end, options = plain.rpartition(")")
    columns, *constraints = re.split(r", (?=CONSTRAINT )", body)
    return ", ".join([columns, *sorted(constraints)]) + end + options


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_the_history_leads_to_the_tables_of_the_program(path: Path, tmp_path: Path) -> None:
    open_catalog(path).close()
    engine = create_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.exec_driver_sql(search.CREATE)
    engine.dispose()
    assert schema(path, "table index") == schema(tmp_path / "fresh.db")


def test_alembic_sees_no_difference_either(path: Path) -> None:
    open_catalog(path).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        found = compare_metadata(context, metadata)
    engine.dispose()
    assert [change for change in found if "model_search" not in str(change)] == []


def test_the_history_is_one_line() -> None:
    steps = list(history().walk_revisions())
    assert len(history().get_heads()) == len(history().get_bases()) == 1
    assert [step.revision for step in steps] == [f"{n:04d}" for n in range(len(steps), 0, -1)]


def test_every_guarded_table_has_its_triggers(path: Path) -> None:
    open_catalog(path).close()
    found = {name for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    for guard in GUARDS:
        assert {f"guard_{guard.table}_{rule}" for rule in ("kept", "fixed", "once")} <= found
    assert {"guard_events_gapless", "guard_manifest_files_sealed", "guard_models_public_stays"} <= found


def test_a_rebuilt_table_has_its_triggers_again(path: Path, tmp_path: Path) -> None:
    open_catalog(path).close()
    before = schema(path, "trigger")
    bring_up_to_date(path, migrations=history_with(tmp_path, REBUILD))
    assert "later" in str(rows(path, "SELECT sql FROM sqlite_master WHERE name = 'events'"))
    assert schema(path, "trigger") == before


def test_a_lost_or_changed_trigger_comes_back_at_the_next_start(path: Path) -> None:
    open_catalog(path).close()
    before = schema(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER guard_events_kept")
        connection.execute("DROP TRIGGER guard_texts_once")
        connection.execute("CREATE TRIGGER guard_texts_once BEFORE INSERT ON texts BEGIN SELECT 1; END")
        connection.commit()
    assert schema(path) != before
    open_catalog(path).close()
    assert schema(path) == before


def test_opening_again_changes_and_copies_nothing(path: Path) -> None:
    open_catalog(path).close()
    before = schema(path)
    open_catalog(path).close()
    assert schema(path) == before
    assert not list(path.parent.glob("*before*"))


def test_a_copy_is_made_before_a_migration(path: Path, tmp_path: Path) -> None:
    with closing(open_catalog(path)) as catalog, catalog.write() as tx:
        tx.meta.set("registry", "r1")
    before = schema(path)
    bring_up_to_date(path, migrations=history_with(tmp_path, REBUILD))
    copy = path.with_name("registry.db.before-0004")
    assert schema(copy) == before
    assert rows(copy, "SELECT value FROM registry_meta") == [("r1",)]
    assert rows(path, "SELECT value FROM registry_meta") == [("r1",)]
    assert not list(tmp_path.glob("*.partial"))


def test_a_copy_can_be_opened_in_place_of_the_catalog(path: Path, tmp_path: Path) -> None:
    open_catalog(path).close()
    bring_up_to_date(path, migrations=history_with(tmp_path, REBUILD))
    with closing(open_catalog(path.with_name("registry.db.before-0004"))) as catalog, catalog.write() as tx:
        tx.meta.set("registry", "r2")


@pytest.mark.parametrize(("step", "said"), [(FAIL, "nowhere"), (ORPHAN, "members without its accounts")])
def test_a_migration_that_fails_changes_nothing(path: Path, tmp_path: Path, step: str, said: str) -> None:
    open_catalog(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO workspaces VALUES ('ws_1', 'acme', 'acme', NULL, '2025')")
        connection.execute("INSERT INTO members VALUES ('ws_1', 'usr_1', 'owner')")
        connection.execute("INSERT INTO accounts VALUES ('usr_1', 'ann', 1, '2025')")
        connection.commit()
    before = schema(path)
    with pytest.raises((CannotStart, Unavailable), match=said):
        bring_up_to_date(path, migrations=history_with(tmp_path, step))
    assert schema(path) == before
    assert rows(path, "SELECT name FROM accounts") == [("ann",)]
    open_catalog(path).close()


def test_a_catalog_of_a_newer_program_is_left_alone(path: Path, tmp_path: Path) -> None:
    bring_up_to_date(path, migrations=history_with(tmp_path, REBUILD))
    before = schema(path)
    with pytest.raises(CatalogTooNew, match="0004"):
        open_catalog(path)
    assert schema(path) == before


def test_a_file_of_another_program_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
        connection.commit()
    with pytest.raises(CannotStart, match="another program"):
        open_catalog(path)
    assert schema(path) == {"CREATE TABLE bookmarks (url)"}
    assert rows(path, "PRAGMA journal_mode") == [("delete",)]


def test_what_is_no_sqlite_file_is_left_alone(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(CannotStart, match="no SQLite file"):
        open_catalog(path)
    assert path.read_bytes() == b"Dear diary, " * 1000


def test_a_missing_folder_is_said_to_be_unusable(tmp_path: Path) -> None:
    with pytest.raises(DataFolderNotWritable, match=r"registry\.db"):
        open_catalog(tmp_path / "none" / "registry.db")


def open_and_close(path: Path) -> None:
    open_catalog(path).close()


def test_many_processes_may_start_first_together(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=open_and_close, args=(path,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]


def at_revision(path: Path, revision: str) -> None:
    """Make the catalog that the program of that revision made, its triggers left out."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        upgrade(connection, history(), to=revision)
    engine.dispose()


def test_a_catalog_without_attestations_gets_them_guarded(path: Path) -> None:
    at_revision(path, "0002")
    assert "attestations" not in str(schema(path))
    open_catalog(path).close()
    assert any("guard_attestations_fixed" in statement for statement in schema(path, "trigger"))
    assert path.with_name("registry.db.before-0003").is_file()


def test_a_catalog_of_the_beginning_gets_its_downloads_and_keeps_its_rows(path: Path) -> None:
    at_revision(path, "0001")
    assert "downloads" not in str(schema(path))
    with closing(sqlite3.connect(path)) as connection:
        row = ("ws_1", "acme", "acme", None, "2025-01-01T00:00:00.000000Z")
        connection.execute("INSERT INTO workspaces VALUES (?, ?, ?, ?, ?)", row)
        connection.commit()
    with closing(open_catalog(path)) as catalog, catalog.read() as tx:
        assert tx.workspaces.by_slug("acme") is not None
        assert tx.downloads.of(["mdl_1"]) == {}
    assert "CREATE INDEX ix_revisions_commit_hex ON revisions (commit_hex)" in schema(path)
    assert path.with_name("registry.db.before-0003").is_file()
