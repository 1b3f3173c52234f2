"""Revisions: the immutable rows, their manifests, and the marks beside them."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, func, insert, select, update

from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.selectors import Candidate
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import DigestMismatch, RevisionNotFound, VersionExists
from nodedata_registry.server.catalog.candidates import CandidateCache
from nodedata_registry.server.catalog.tables import manifest_files, manifests, models
from nodedata_registry.server.catalog.tables import revision_marks as marks
from nodedata_registry.server.catalog.tables import revisions as t
from nodedata_registry.server.catalog.types import within_range
from nodedata_registry.server.rows import Mark, NewRevision, RevisionRow

_ROWS = select(
    *t.c[
        "id",
        "model_id",
        "major",
        "minor",
        "patch",
        "sequence",
        "parent",
        "manifest_digest",
        "commit_hex",
        "changelog",
        "card_sha256",
        "size_bytes",
        "file_count",
        "parameter_count",
        "created_at",
        "created_by",
    ],
    *[column for column in marks.c if column is not marks.c.revision_id],
).join(marks, marks.c.revision_id == t.c.id)
_BY_ID = _ROWS.where(t.c.id == bindparam("wanted"))
_BY_COMMIT = _ROWS.where(t.c.commit_hex == bindparam("wanted"), t.c.model_id == bindparam("model"))
_BY_VERSION = _ROWS.where(
    t.c.model_id == bindparam("model"),
    t.c.major == bindparam("major"),
    t.c.minor == bindparam("minor"),
    t.c.patch == bindparam("patch"),
)
_OF_MODEL = _ROWS.where(t.c.model_id == bindparam("model"))
_BY_PRECEDENCE = _OF_MODEL.order_by(t.c.major.desc(), t.c.minor.desc(), t.c.patch.desc())
_NEWEST = _OF_MODEL.where(t.c.sequence < bindparam("before")).order_by(t.c.sequence.desc())
_NEWEST_FEW = _NEWEST.limit(bindparam("most"))

_CHANGES = select(models.c.changes).where(models.c.id == bindparam("model"))
_CANDIDATES = (
    select(
        t.c.major,
        t.c.minor,
        t.c.patch,
        t.c.manifest_digest,
        marks.c.yank_at.is_not(None),
        marks.c.retirement_at.is_not(None),
        marks.c.quarantine_at.is_not(None),
    )
    .join(marks, marks.c.revision_id == t.c.id)
    .where(t.c.model_id == bindparam("model"))
    .order_by(t.c.major, t.c.minor, t.c.patch)
)
_FACTS = select(t.c.facts).where(t.c.id == bindparam("wanted"))
_VERDICT = select(t.c.verdict).where(t.c.id == bindparam("wanted"))
_LAST = select(func.coalesce(func.max(t.c.sequence), 0)).where(t.c.model_id == bindparam("model"))
_ADD = insert(t)
_ADD_MARKS = insert(marks)

_MANIFEST = select(manifests.c.digest).where(manifests.c.digest == bindparam("wanted"))
_FILES = select(*manifest_files.c["path", "size_bytes", "sha256"]).where(
    manifest_files.c.manifest_digest == bindparam("wanted")
)
_ADD_MANIFEST = insert(manifests)
_ADD_FILES = insert(manifest_files)


def _marking(kind: str) -> Update:
    parts: dict[str, Any] = {f"{kind}_{part}": bindparam(f"new_{part}") for part in ("reason", "at", "by")}
    return update(marks).where(marks.c.revision_id == bindparam("wanted")).values(**parts)


_YANK = _marking("yank")
_HOLD = _marking("hold")
_QUARANTINE = _marking("quarantine")
_RETIRE = _marking("retirement").where(marks.c.retirement_at.is_(None))


class Revisions:
    """`ports.RevisionRows` on a connection. Without a `cache` every list of candidates is read anew."""

    def __init__(self, connection: Connection, cache: CandidateCache | None = None) -> None:
        self._connection = connection
        self._cache = cache

    def add(self, row: NewRevision, manifest: Manifest) -> RevisionRow:
        """Write revision and manifest (once per digest). Raises `VersionExists`, `DigestMismatch`."""
        if self.get(row.model_id, row.version) is not None:
            raise VersionExists(f"version {row.version} exists already", field="version")
        self._add_manifest(manifest, row.manifest_digest)
        sequence = self._connection.execute(_LAST, {"model": row.model_id}).scalar_one() + 1
        self._connection.execute(_ADD, _values(row, sequence))
        self._connection.execute(_ADD_MARKS, {"revision_id": row.id})
        added = self.by_id(row.id)
        if added is None:
            raise RevisionNotFound(f"revision {row.id} was written and cannot be read back")
        return added

    def get(self, model_id: str, version: Version) -> RevisionRow | None:
        """Return the model's revision of exactly that version, `None` if there is none."""
        major, minor, patch = version.numbers
        key = {"model": model_id, "major": major, "minor": minor, "patch": patch}
        return _first(self._connection.execute(_BY_VERSION, key).first())

    def by_id(self, revision_id: str) -> RevisionRow | None:
        """Return the revision, `None` if there is none by that id."""
        return _first(self._connection.execute(_BY_ID, {"wanted": revision_id}).first())

    def by_commit(self, model_id: str, commit: str) -> RevisionRow | None:
        """Return the model's revision with that commit, `None` if there is none."""
        key = {"model": model_id, "wanted": commit}
        return _first(self._connection.execute(_BY_COMMIT, key).first())

    def list(
        self, model_id: str, *, before: int | None = None, limit: int | None = None
    ) -> builtins.list[RevisionRow]:
        """Return all revisions, highest version first; or a page of them, newest first."""
        if before is None and limit is None:
            return [_revision(row) for row in self._connection.execute(_BY_PRECEDENCE, {"model": model_id})]
        key = {"model": model_id, "before": within_range(2**63 if before is None else before)}
        if limit is None:
            return [_revision(row) for row in self._connection.execute(_NEWEST, key)]
        few = {**key, "most": max(0, within_range(limit))}
        return [_revision(row) for row in self._connection.execute(_NEWEST_FEW, few)]

    def candidates(self, model_id: str) -> Sequence[Candidate]:
        """Return every revision as the resolution rule sees it, lowest version first."""
        if self._cache is None:
            return self._load_candidates(model_id)
        changes = self._connection.execute(_CHANGES, {"model": model_id}).scalar()
        if changes is None:
            return ()
        return self._cache.get(model_id, changes, lambda: self._load_candidates(model_id))

    def manifest(self, manifest_digest: str) -> Manifest | None:
        """Return the manifest, `None` if no revision has that digest."""
        if self._connection.execute(_MANIFEST, {"wanted": manifest_digest}).first() is None:
            return None
        found = self._connection.execute(_FILES, {"wanted": manifest_digest})
        files = (FileEntry(path, size_bytes, sha256) for path, size_bytes, sha256 in found)
        # Databases differ in how they order text; a manifest is ordered by code point.
        return Manifest(tuple(sorted(files, key=lambda entry: entry.path)))

    def facts(self, revision_id: str) -> bytes:
        """Return the revision's facts as they were written. Raises `RevisionNotFound`."""
        return _bytes(self._connection.execute(_FACTS, {"wanted": revision_id}).scalar(), revision_id)

    def verdict(self, revision_id: str) -> bytes:
        """Return the revision's verdict as it was written. Raises `RevisionNotFound`."""
        return _bytes(self._connection.execute(_VERDICT, {"wanted": revision_id}).scalar(), revision_id)

    def set_yank(self, revision_id: str, mark: Mark | None) -> None:
        """Set, replace or (`None`) take away the yank. Raises `RevisionNotFound`."""
        self._mark(_YANK, revision_id, mark)

    def set_hold(self, revision_id: str, mark: Mark | None) -> None:
        """Set, replace or (`None`) take away the hold. Raises `RevisionNotFound`."""
        self._mark(_HOLD, revision_id, mark)

    def set_quarantine(self, revision_id: str, mark: Mark | None) -> None:
        """Set, replace or (`None`) take away the quarantine. Raises `RevisionNotFound`."""
        self._mark(_QUARANTINE, revision_id, mark)

    def retire(self, revision_id: str, mark: Mark) -> None:
        """Mark the revision retired, for ever; a repeated call keeps the first mark."""
        present = self.by_id(revision_id)
        if present is None or present.retirement is None:
            self._mark(_RETIRE, revision_id, mark)

    def _mark(self, statement: Update, revision_id: str, mark: Mark | None) -> None:
        values: dict[str, object] = {
            "wanted": revision_id,
            "new_reason": None,
            "new_at": None,
            "new_by": None,
        }
        if mark is not None:
            values |= {"new_reason": mark.reason, "new_at": mark.at, "new_by": mark.by}
        if not self._connection.execute(statement, values).rowcount:
            raise RevisionNotFound(f"there is no revision {revision_id}")

    def _add_manifest(self, manifest: Manifest, digest: str) -> None:
        if manifest.digest != digest:
            raise DigestMismatch(f"the manifest has the digest {manifest.digest}, not {digest}")
        if self._connection.execute(_MANIFEST, {"wanted": digest}).first() is not None:
            return
        files = [
            {"manifest_digest": digest, "path": f.path, "size_bytes": f.size_bytes, "sha256": f.sha256}
            for f in manifest.files
        ]
        if files:
            self._connection.execute(_ADD_FILES, files)
        # Last: its row seals the files.
        self._connection.execute(_ADD_MANIFEST, {"digest": digest, "file_count": len(files)})

    def _load_candidates(self, model_id: str) -> Sequence[Candidate]:
        found = self._connection.execute(_CANDIDATES, {"model": model_id})
        return tuple(
            Candidate(Version(major, minor, patch), digest, bool(yanked), bool(retired), bool(quarantined))
            for major, minor, patch, digest, yanked, retired, quarantined in found
        )


def _values(row: NewRevision, sequence: int) -> dict[str, object]:
    return {
        "id": row.id,
        "model_id": row.model_id,
        "major": row.version.major,
        "minor": row.version.minor,
        "patch": row.version.patch,
        "sequence": sequence,
        "parent": None if row.parent is None else str(row.parent),
        "manifest_digest": row.manifest_digest,
        "commit_hex": row.commit,
        "changelog": row.changelog,
        "card_sha256": row.card_sha256,
        "size_bytes": row.size_bytes,
        "file_count": row.file_count,
        "parameter_count": row.parameter_count,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "facts": row.facts,
        "verdict": row.verdict,
    }


def _bytes(value: bytes | None, revision_id: str) -> bytes:
    if value is None:
        raise RevisionNotFound(f"there is no revision {revision_id}")
    return value


def _first(row: Row[Any] | None) -> RevisionRow | None:
    return None if row is None else _revision(row)


def _revision(row: Row[Any]) -> RevisionRow:
    return RevisionRow(
        id=row.id,
        model_id=row.model_id,
        version=Version(row.major, row.minor, row.patch),
        sequence=row.sequence,
        parent=None if row.parent is None else Version.parse(row.parent),
        manifest_digest=row.manifest_digest,
        commit=row.commit_hex,
        changelog=row.changelog,
        card_sha256=row.card_sha256,
        size_bytes=row.size_bytes,
        file_count=row.file_count,
        parameter_count=row.parameter_count,
        created_at=row.created_at,
        created_by=row.created_by,
        yank=_made(row.yank_reason, row.yank_at, row.yank_by),
        hold=_made(row.hold_reason, row.hold_at, row.hold_by),
        quarantine=_made(row.quarantine_reason, row.quarantine_at, row.quarantine_by),
        retirement=_made(row.retirement_reason, row.retirement_at, row.retirement_by),
    )


def _made(reason: str | None, at: datetime | None, by: str | None) -> Mark | None:
    return None if at is None or reason is None or by is None else Mark(reason, at, by)
