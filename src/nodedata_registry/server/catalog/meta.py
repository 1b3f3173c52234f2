"""Facts about the registry as a whole, as text by name."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update

from nodedata_registry.server.catalog.tables import registry_meta as t

_GET = select(t.c.value).where(t.c.name == bindparam("wanted"))
_SET = update(t).where(t.c.name == bindparam("wanted")).values(value=bindparam("new"))
_ADD = insert(t)


class Meta:
    """`ports.MetaRows` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str) -> str | None:
        """Return the value, `None` if it was never set."""
        value: str | None = self._connection.execute(_GET, {"wanted": name}).scalar()
        return value

    def set(self, name: str, value: str) -> None:
        """Set or replace the value."""
        if not self._connection.execute(_SET, {"wanted": name, "new": value}).rowcount:
            self._connection.execute(_ADD, {"name": name, "value": value})
