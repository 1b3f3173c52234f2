"""The append-only record: gap-free numbers, and bytes that a log can hash.

The canonical bytes are RFC 8785 JSON of

    {"account_id": …, "at": "2025-01-02T03:04:05.000006Z", "body": {…}, "event": 1, "id": "evt_…",
     "kind": …, "model_id": …, "revision_id": …, "sequence": N, "workspace_id": …}

with `null` for an id that does not apply. `event` numbers this form.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import Connection, bindparam, func, insert, select

from nodedata_registry.core.digests import JsonValue, canonical_json
from nodedata_registry.server.catalog.tables import events as t
from nodedata_registry.server.catalog.types import to_text, within_range
from nodedata_registry.server.rows import EventRow, NewEvent

FORM = 1

_LAST = select(func.coalesce(func.max(t.c.sequence), 0))
_ADD = insert(t)
_AFTER = (
    select(
        *t.c[
            "sequence",
            "id",
            "kind",
            "at",
            "account_id",
            "workspace_id",
            "model_id",
            "revision_id",
            "internal",
            "canonical",
        ]
    )
    .where(t.c.sequence > bindparam("mark"))
    .order_by(t.c.sequence)
    .limit(bindparam("most"))
)
_SEQUENCE = select(t.c.sequence).where(t.c.id == bindparam("wanted"))


def canonical_bytes(event: NewEvent, sequence: int) -> bytes:
    """Return the bytes of the event in its place, the same for ever.

    Raises:
        InvalidRequest: the body holds what canonical JSON cannot carry exactly.
    """
    return canonical_json(
        {
            "account_id": event.account_id,
            "at": to_text(event.at),
            "body": cast("dict[str, JsonValue]", event.body),
            "event": FORM,
            "id": event.id,
            "kind": event.kind,
            "model_id": event.model_id,
            "revision_id": event.revision_id,
            "sequence": sequence,
            "workspace_id": event.workspace_id,
        }
    )


class Events:
    """`ports.EventRows` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, event: NewEvent) -> EventRow:
        """Give the event the next number and write its canonical bytes."""
        sequence = self._connection.execute(_LAST).scalar_one() + 1
        row = EventRow(
            sequence=sequence,
            id=event.id,
            kind=event.kind,
            at=event.at,
            account_id=event.account_id,
            workspace_id=event.workspace_id,
            model_id=event.model_id,
            revision_id=event.revision_id,
            internal=event.internal,
            canonical=canonical_bytes(event, sequence),
        )
        self._connection.execute(_ADD, {name: getattr(row, name) for name in t.c.keys()})  # noqa: SIM118
        return row

    def after(self, sequence: int, limit: int) -> list[EventRow]:
        """Return up to `limit` events with a higher number, lowest first."""
        key = {"mark": within_range(sequence), "most": max(0, within_range(limit))}
        return [EventRow(*row) for row in self._connection.execute(_AFTER, key)]

    def sequence_of(self, event_id: str) -> int | None:
        """Return the number of the event with that id, `None` if there is none."""
        return self._connection.execute(_SEQUENCE, {"wanted": event_id}).scalar()
