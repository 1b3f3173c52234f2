"""Writing events: every change leaves one, in the transaction that makes the change."""

from __future__ import annotations

from collections.abc import Mapping

from nodedata_registry.server.ports import WriteTransaction
from nodedata_registry.server.rows import ModelRow, NewEvent
from nodedata_registry.server.service.registry import Registry


def record(
    registry: Registry,
    tx: WriteTransaction,
    kind: str,
    actor: str,
    *,
    workspace_id: str | None = None,
    model: ModelRow | None = None,
    revision_id: str | None = None,
    body: Mapping[str, object],
    internal: bool = False,
) -> None:
    """Append one event. `internal` ones (grants, keys, members) stay with the workspace."""
    tx.events.append(
        NewEvent(
            id=registry.new_id("evt_"),
            kind=kind,
            at=registry.now(),
            account_id=actor,
            workspace_id=model.workspace_id if model is not None else workspace_id,
            model_id=model.id if model is not None else None,
            revision_id=revision_id,
            body=dict(body),
            internal=internal,
        )
    )
