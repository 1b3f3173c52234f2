"""Open publishes and their leases."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from nodedata_registry.server.catalog.tables import uploads as t
from nodedata_registry.server.rows import UploadRow

_GET = select(
    *t.c["id", "model_id", "workspace_id", "account_id", "opened_at", "lease_until", "committed_at"]
).where(t.c.id == bindparam("wanted"))
_ADD = insert(t)
_RENEW = (
    update(t)
    .where(t.c.id == bindparam("wanted"), t.c.lease_until < bindparam("until"))
    .values(lease_until=bindparam("until"))
)
_CLOSE = (
    update(t)
    .where(t.c.id == bindparam("wanted"), t.c.committed_at.is_(None))
    .values(committed_at=bindparam("at"))
)
_DROP = delete(t).where(t.c.lease_until < bindparam("before"))


class Uploads:
    """`ports.UploadRows` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, row: UploadRow) -> None:
        """Write a new upload."""
        values = {
            "id": row.id,
            "model_id": row.model_id,
            "workspace_id": row.workspace_id,
            "account_id": row.account_id,
            "opened_at": row.opened_at,
            "lease_until": row.lease_until,
            "committed_at": row.committed_at,
        }
        self._connection.execute(_ADD, values)

    def get(self, upload_id: str) -> UploadRow | None:
        """Return the upload, `None` if it is unknown or was dropped."""
        found = self._connection.execute(_GET, {"wanted": upload_id}).first()
        return None if found is None else UploadRow(*found)

    def renew(self, upload_id: str, until: datetime) -> None:
        """Lengthen the lease; it never becomes shorter."""
        self._connection.execute(_RENEW, {"wanted": upload_id, "until": until})

    def close(self, upload_id: str, at: datetime) -> None:
        """Mark the upload committed; a repeated call keeps the first time."""
        self._connection.execute(_CLOSE, {"wanted": upload_id, "at": at})

    def drop_expired(self, before: datetime) -> int:
        """Delete the uploads whose lease ended before the given time; return how many."""
        return self._connection.execute(_DROP, {"before": before}).rowcount
