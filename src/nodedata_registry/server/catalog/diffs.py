"""Computed diffs, kept for ever per rules number."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select

from nodedata_registry.server.catalog.tables import diffs as t

_GET = select(t.c.diff).where(
    t.c.a_id == bindparam("a"), t.c.b_id == bindparam("b"), t.c.rules == bindparam("number")
)
_PUT = insert(t)


class Diffs:
    """`ports.DiffRows` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, a_id: str, b_id: str, rules: int) -> bytes | None:
        """Return the kept diff, `None` if it was not computed under these rules."""
        diff: bytes | None = self._connection.execute(_GET, {"a": a_id, "b": b_id, "number": rules}).scalar()
        return diff

    def put(self, a_id: str, b_id: str, rules: int, diff: bytes) -> None:
        """Keep a diff once; a repeated call changes nothing."""
        if self.get(a_id, b_id, rules) is None:
            self._connection.execute(_PUT, {"a_id": a_id, "b_id": b_id, "rules": rules, "diff": diff})
