"""How often each revision was downloaded."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, func, insert, select, update

from nodedata_registry.server.catalog.tables import downloads as t

_ONE_MORE = (
    update(t)
    .where(t.c.model_id == bindparam("model"), t.c.revision_id == bindparam("revision"))
    .values(count=t.c.count + 1)
)
_FIRST = insert(t)
_OF = (
    select(t.c.model_id, func.sum(t.c.count))
    .where(t.c.model_id.in_(bindparam("models", expanding=True)))
    .group_by(t.c.model_id)
)


class Downloads:
    """`ports.DownloadRows` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, model_id: str, revision_id: str) -> None:
        """Count one download of the model's revision more."""
        if not self._connection.execute(_ONE_MORE, {"model": model_id, "revision": revision_id}).rowcount:
            self._connection.execute(_FIRST, {"model_id": model_id, "revision_id": revision_id, "count": 1})

    def of(self, model_ids: Iterable[str]) -> dict[str, int]:
        """Return the downloads of those of the models that were ever downloaded, by id."""
        found = self._connection.execute(_OF, {"models": list(model_ids)})
        return {model_id: int(count) for model_id, count in found}
