"""Signatures beside revisions: added, never changed."""

from __future__ import annotations

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from nodedata_registry.server.catalog.tables import attestations as t
from nodedata_registry.server.rows import AttestationRow

_OF = select(t).where(t.c.revision_id == bindparam("revision")).order_by(t.c.id)
_SAME = select(t).where(t.c.revision_id == bindparam("revision"), t.c.sha256 == bindparam("digest"))
_COUNT = select(func.count()).select_from(t).where(t.c.revision_id == bindparam("revision"))
_ADD = insert(t)


class Attestations:
    """`ports.AttestationRows` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, row: AttestationRow) -> None:
        """Write a new attestation."""
        values = {column.name: getattr(row, column.name) for column in t.columns}
        self._connection.execute(_ADD, values)

    def find(self, revision_id: str, sha256: str) -> AttestationRow | None:
        """Return the revision's attestation whose bundle has that SHA-256."""
        found = self._connection.execute(_SAME, {"revision": revision_id, "digest": sha256}).first()
        return None if found is None else _row(found)

    def count(self, revision_id: str) -> int:
        """Return how many attestations the revision has."""
        return int(self._connection.execute(_COUNT, {"revision": revision_id}).scalar_one())

    def of(self, revision_id: str) -> list[AttestationRow]:
        """Return the revision's attestations, oldest first."""
        return [_row(row) for row in self._connection.execute(_OF, {"revision": revision_id})]


def _row(row: Row[tuple[object, ...]]) -> AttestationRow:
    return AttestationRow(**row._mapping)
