"""What the catalog file itself refuses, whoever opens it: the triggers, rebuilt from `GUARDS`.

A table that a migration rebuilds loses its triggers silently, so `install` runs after every
upgrade and whenever a catalog opens with triggers other than these. Each guard has three:

- `…_kept` refuses DELETE;
- `…_fixed` refuses UPDATE of what is fixed (and of the hidden row number, through which
  UPDATE OR REPLACE could take another row's place);
- `…_once` refuses INSERT over an existing key. REPLACE deletes without asking the first trigger
  unless `recursive_triggers` is on, and that is each connection's own choice.
"""

from __future__ import annotations

from sqlalchemy import Connection

from nodedata_registry.server.catalog.tables import GUARDS, Guard

PREFIX = "guard_"

_SEALED = (
    """CREATE TRIGGER guard_manifest_files_sealed BEFORE INSERT ON manifest_files
WHEN EXISTS (SELECT 1 FROM manifests WHERE digest = NEW.manifest_digest)
BEGIN SELECT RAISE(ABORT, 'a published manifest is immutable'); END""",
    """CREATE TRIGGER guard_events_gapless BEFORE INSERT ON events
WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM events)
BEGIN SELECT RAISE(ABORT, 'events are numbered without gaps'); END""",
    """CREATE TRIGGER guard_models_public_stays BEFORE UPDATE OF visibility ON models
WHEN OLD.visibility = 'public' AND NEW.visibility IS NOT 'public'
AND EXISTS (SELECT 1 FROM revisions WHERE model_id = OLD.id)
BEGIN SELECT RAISE(ABORT, 'a public model with a revision stays public'); END""",
    """CREATE TRIGGER guard_revision_marks_retired_stays BEFORE UPDATE ON revision_marks
WHEN OLD.retirement_at IS NOT NULL AND (NEW.retirement_at IS NOT OLD.retirement_at
OR NEW.retirement_reason IS NOT OLD.retirement_reason OR NEW.retirement_by IS NOT OLD.retirement_by)
BEGIN SELECT RAISE(ABORT, 'a retired revision stays retired'); END""",
)

# Not guards, but of the same kind: they tell caches in any process that a model changed.
_COUNTING = (
    """CREATE TRIGGER guard_revisions_counted AFTER INSERT ON revisions
BEGIN UPDATE models SET changes = changes + 1 WHERE id = NEW.model_id; END""",
    """CREATE TRIGGER guard_revision_marks_counted AFTER UPDATE ON revision_marks
BEGIN UPDATE models SET changes = changes + 1
WHERE id = (SELECT model_id FROM revisions WHERE id = NEW.revision_id); END""",
)


def remove(connection: Connection) -> None:
    """Take the triggers away, for a migration: SQLite renames no table that a trigger misses."""
    for name in _installed(connection):
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')


def install(connection: Connection) -> None:
    """Make the file's triggers exactly those of this program; a repeated call changes nothing."""
    remove(connection)
    for statement in _statements():
        connection.exec_driver_sql(statement)


def are_installed(connection: Connection) -> bool:
    """Return whether the file's triggers are those of this program, word for word."""
    return sorted(_installed(connection).values()) == sorted(_statements())


def _installed(connection: Connection) -> dict[str, str]:
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'guard_*'"
    )
    return {row.name: row.sql for row in rows}


def _statements() -> list[str]:
    return [statement for guard in GUARDS for statement in _of(guard)] + [*_SEALED, *_COUNTING]


def _of(guard: Guard) -> tuple[str, str, str]:
    name = f"{PREFIX}{guard.table}"
    return (
        f"CREATE TRIGGER {name}_kept BEFORE DELETE ON {guard.table}\n"
        f"BEGIN SELECT RAISE(ABORT, '{guard.table} cannot be deleted'); END",
        f"CREATE TRIGGER {name}_fixed BEFORE UPDATE ON {guard.table}\n{_changes(guard)}"
        f"BEGIN SELECT RAISE(ABORT, '{guard.table} cannot be changed'); END",
        f"CREATE TRIGGER {name}_once BEFORE INSERT ON {guard.table}\n"
        f"WHEN {_taken(guard)}\n"
        f"BEGIN SELECT RAISE(ABORT, '{guard.table} cannot be replaced'); END",
    )


def _changes(guard: Guard) -> str:
    if guard.fixed is None:
        return ""
    columns = [*guard.fixed, *(["rowid"] if guard.has_rowid else [])]
    return "WHEN " + " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in columns) + "\n"


def _taken(guard: Guard) -> str:
    keys = [*guard.keys, *([("rowid",)] if guard.has_rowid else [])]
    return "\nOR ".join(
        f"EXISTS (SELECT 1 FROM {guard.table} WHERE "
        + " AND ".join(f"{column} = NEW.{column}" for column in key)
        + ")"
        for key in keys
    )
