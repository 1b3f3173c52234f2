"""Retention: preview what a workspace's policy would retire, and apply just that preview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nodedata_registry.core.access import Caller, Scope, require_account
from nodedata_registry.core.keys import is_live
from nodedata_registry.core.retention import (
    Policy,
    RetentionPlan,
    RevisionState,
    plan,
    preview_digest,
)
from nodedata_registry.errors import PreviewChanged
from nodedata_registry.server.ports import ReadTransaction, WriteTransaction
from nodedata_registry.server.rows import Mark, ModelRow, RevisionRow, WorkspaceRow
from nodedata_registry.server.service.locate import find_workspace
from nodedata_registry.server.service.record import record
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.summary import refresh_summary

_ADMIN = Scope.WORKSPACE_ADMIN


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """One model's plan, and the sizes of its revisions in bytes by revision id."""

    model: ModelRow
    plan: RetentionPlan
    sizes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Preview:
    """What applying the workspace's policy now would do."""

    workspace: WorkspaceRow
    policy: Policy | None
    models: tuple[PlannedModel, ...]

    @property
    def digest(self) -> str:
        """What `apply` must be given: it stands for exactly this outcome."""
        return preview_digest({one.model.id: one.plan for one in self.models})


def preview(registry: Registry, caller: Caller, slug: str) -> Preview:
    """Return what the policy would retire and what keeps every other revision. Owners only.

    Raises:
        WorkspaceNotFound, NotAuthenticated, ScopeMissing.
    """
    with registry.catalog.read() as tx:
        return _preview(registry, tx, find_workspace(registry, tx, caller, slug, _ADMIN))


def _preview(registry: Registry, tx: ReadTransaction, workspace: WorkspaceRow) -> Preview:
    models = [_planned(registry, tx, workspace, model) for model in tx.models.in_workspace(workspace.id)]
    return Preview(workspace, workspace.policy, tuple(models))


def _planned(
    registry: Registry, tx: ReadTransaction, workspace: WorkspaceRow, model: ModelRow
) -> PlannedModel:
    rows = tx.revisions.list(model.id)
    granted = is_granted(tx, model, registry.now())
    states = [state_of(model, row, granted=granted) for row in rows]
    sizes = {row.id: row.size_bytes for row in rows}
    return PlannedModel(model, plan(workspace.policy, states, registry.now()), sizes)


def state_of(model: ModelRow, row: RevisionRow, *, granted: bool) -> RevisionState:
    """Return the revision as the retention rules see it."""
    return RevisionState(
        id=row.id,
        version=row.version,
        created_at=row.created_at,
        yanked=row.yank is not None,
        held=row.hold is not None,
        retired=row.retirement is not None,
        quarantined=row.quarantine is not None,
        under_grant=granted,
        ever_public=model.visibility == "public",
    )


def is_granted(tx: ReadTransaction, model: ModelRow, now: datetime) -> bool:
    """Return whether any grant on the model lives."""
    return any(
        grant.revoked_at is None and is_live(grant.expires_at, now) for grant in tx.models.grants(model.id)
    )


def apply(registry: Registry, caller: Caller, slug: str, digest: str) -> list[str]:
    """Retire exactly what the preview with that digest names; return it as `workspace/name@version`.

    Raises:
        WorkspaceNotFound, NotAuthenticated, ScopeMissing.
        PreviewChanged: the outcome is no longer what that preview showed.
    """
    with registry.catalog.write() as tx:
        workspace = find_workspace(registry, tx, caller, slug, _ADMIN)
        now_planned = _preview(registry, tx, workspace)
        if now_planned.digest != digest:
            raise PreviewChanged(
                "what the policy would retire has changed since this preview: look at a new one",
                field="preview",
                details={"digest": now_planned.digest},
            )
        actor = require_account(caller)
        return [
            retired
            for planned in now_planned.models
            for retired in _retire_planned(registry, tx, actor, planned)
        ]


def _retire_planned(registry: Registry, tx: WriteTransaction, actor: str, planned: PlannedModel) -> list[str]:
    done = []
    for item in planned.plan.retire:
        reason = "retention policy: " + "; ".join(item.reasons)
        tx.revisions.retire(item.id, Mark(reason[:500], registry.now(), actor))
        record(
            registry,
            tx,
            "revision.retired",
            actor,
            model=planned.model,
            revision_id=item.id,
            body={"version": str(item.version), "reason": reason[:500]},
        )
        done.append(f"{planned.model.ref}@{item.version}")
    if done:
        refresh_summary(registry, tx, planned.model)
    return done
