"""From whatever the file is to the tables of this program, or a sentence why not.

The history in `migrations` is the only way tables come about: a new file runs all of it. A migration
and the triggers of the new tables are one transaction: killed at any moment, the file is as before.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect

from nodedata_registry.errors import CannotStart, CatalogTooNew, DataFolderNotWritable, InsufficientStorage
from nodedata_registry.server.catalog.sqlite import triggers
from nodedata_registry.server.catalog.sqlite.engine import (
    WRITE,
    connect_file,
    create_file,
    open_engine,
    use_write_ahead_log,
)
from nodedata_registry.server.catalog.sqlite.failures import failure_of
from nodedata_registry.server.catalog.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"


def history(migrations: Path = MIGRATIONS) -> ScriptDirectory:
    """Return the migrations in a folder, those of this program by default."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def bring_up_to_date(path: Path, wait_seconds: float = 30.0, migrations: Path = MIGRATIONS) -> None:
    """Create or migrate the catalog at `path`, with a copy made before a migration; see `open_catalog`.

    Raises:
        CatalogTooNew: a newer program wrote the file.
        CannotStart: the file is no catalog, or lies where SQLite cannot keep it safe.
        DataFolderNotWritable: the folder is missing or not ours to write.
        InsufficientStorage: no room for the copy or the migration.
    """
    try:
        with _alone(path):
            create_file(path)
            _migrate(path, wait_seconds, history(migrations))
            use_write_ahead_log(path, wait_seconds)
    except (sqlite3.Error, OSError) as error:
        raise _refusal(path, error) from error


def upgrade(connection: Connection, script: ScriptDirectory, to: str = "head") -> None:
    """Run the migrations up to the revision `to` inside the connection's transaction."""

    def steps(revision: tuple[str, ...], _context: MigrationContext) -> list[RevisionStep]:
        return script._upgrade_revs(to, revision)  # type: ignore[arg-type]

    with EnvironmentContext(Config(), script, fn=steps, destination_rev=to) as environment:
        environment.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        environment.run_migrations()


def current(connection: Connection) -> str | None:
    """Return the revision the file is at, `None` for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def _migrate(path: Path, wait_seconds: float, script: ScriptDirectory) -> None:
    # Rebuilding a table that others refer to needs foreign keys off, which cannot be
    # switched inside a transaction; they are checked at its end instead.
    engine = open_engine(path, WRITE, wait_seconds=wait_seconds, foreign_keys=False)
    with engine.connect() as connection, connection.begin():
        found, wanted = current(connection), script.get_heads()[0]
        _check_known(path, connection, found, script)
        if found == wanted and triggers.are_installed(connection):
            return
        if found is not None and found != wanted:
            _copy(path, path.with_name(f"{path.name}.before-{wanted}"))
        triggers.remove(connection)
        upgrade(connection, script)
        triggers.install(connection)
        _check_references(connection)


def _check_known(path: Path, connection: Connection, found: str | None, script: ScriptDirectory) -> None:
    if found is None:
        if inspect(connection).get_table_names():
            raise CannotStart(f"{path} is an SQLite file of another program: choose another folder")
        return
    try:
        script.get_revision(found)
    except CommandError as error:
        raise CatalogTooNew(
            f"{path} was written by a newer program (its schema is {found}, this program knows "
            f"{script.get_heads()[0]}): install that program, or restore an older copy"
        ) from error


def _check_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise CannotStart(f"the migration would leave a row of {broken[0]} without its {broken[2]}: undone")


def _copy(path: Path, target: Path) -> None:
    """Copy the catalog as of its last commit, durably and all or nothing."""
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    create_file(partial)
    try:
        with closing(connect_file(path, 30.0)) as source, closing(connect_file(partial, 30.0)) as copy:
            source.backup(copy)
        _sync(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, error: sqlite3.Error | OSError) -> Exception:
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return InsufficientStorage(f"no room to create or migrate {path}: free space, try again")
        return DataFolderNotWritable(f"{path} cannot be created or opened for writing: {error.strerror}")
    return failure_of(error) or error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time create or migrate; the others wait and then find it done."""
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
