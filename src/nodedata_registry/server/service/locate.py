"""Finding models and revisions as a caller may see them. Every other service starts here."""

from __future__ import annotations

from collections.abc import Sequence

from nodedata_registry.core.access import (
    Caller,
    ModelTarget,
    Scope,
    WorkspaceTarget,
    may_see,
    require,
    require_workspace,
)
from nodedata_registry.core.ids import is_id
from nodedata_registry.core.names import parse_model_ref
from nodedata_registry.core.selectors import Candidate, parse_selector, resolve
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import Gone, InvalidName, RevisionNotFound, RevisionQuarantined
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.rows import ModelRow, RevisionRow, WorkspaceRow
from nodedata_registry.server.service.registry import Registry


def find_model(
    registry: Registry, tx: ReadTransaction, caller: Caller, ref: str, scope: Scope = Scope.MODELS_READ
) -> ModelRow:
    """Return the model that the caller may act on with `scope`; `ref` is `mdl_…` or `workspace/name`.

    Raises:
        ModelNotFound: no such model for this caller; a malformed reference counts as that too.
        NotAuthenticated, ScopeMissing: visible, but not for this act.
    """
    row = _model_by_ref(tx, ref)
    target = None if row is None else target_of(row)
    require(caller, target, scope, require_key=registry.require_key, asked=ref)
    assert row is not None
    return row


def _model_by_ref(tx: ReadTransaction, ref: str) -> ModelRow | None:
    try:
        parsed = parse_model_ref(ref)
    except InvalidName:
        return None
    if parsed.id is not None:
        return tx.models.get(parsed.id)
    return tx.models.by_ref(parsed.workspace or "", parsed.name or "")


def target_of(row: ModelRow) -> ModelTarget:
    """Return the model as the access rules see it."""
    return ModelTarget(row.workspace_id, row.id, row.visibility == "public")


def find_workspace(
    registry: Registry, tx: ReadTransaction, caller: Caller, slug: str, scope: Scope | None
) -> WorkspaceRow:
    """Return the workspace that the caller may act on; `scope=None` asks only to see it.

    Raises:
        WorkspaceNotFound: no such workspace for this caller.
        NotAuthenticated, ScopeMissing: visible, but not for this act.
    """
    row = tx.workspaces.get(slug) if is_id(slug, "ws_") else tx.workspaces.by_slug(slug)
    target = None if row is None else _workspace_target(registry, tx, caller, row)
    visible = target is not None and target.has_visible_model
    if scope is None and visible:
        assert row is not None
        return row
    require_workspace(
        caller, target, scope or Scope.MODELS_READ, require_key=registry.require_key, asked=slug
    )
    assert row is not None
    return row


def _workspace_target(
    registry: Registry, tx: ReadTransaction, caller: Caller, row: WorkspaceRow
) -> WorkspaceTarget:
    models = tx.models.in_workspace(row.id)
    seen = any(may_see(caller, target_of(model), require_key=registry.require_key) for model in models)
    return WorkspaceTarget(row.id, has_visible_model=seen)


def find_revision(tx: ReadTransaction, model: ModelRow, selector: str) -> RevisionRow:
    """Return the revision that the selector means now, by the resolution rule.

    Raises:
        InvalidSelector, RevisionNotFound, RevisionRetired, RevisionQuarantined.
    """
    try:
        chosen = resolve(candidates_of(tx, model), parse_selector(selector))
    except Gone as error:
        raise _with_reason(tx, model, error) from error
    return get_revision(tx, model, chosen.version)


def _with_reason(tx: ReadTransaction, model: ModelRow, error: Gone) -> Gone:
    """Return the same error, saying why and since when the revision is not served."""
    row = get_revision(tx, model, Version.parse(str(error.details["version"])))
    mark = row.quarantine if isinstance(error, RevisionQuarantined) else row.retirement
    if mark is None:
        return error
    details = {**error.details, "reason": mark.reason, "at": mark.at.isoformat()}
    return type(error)(f"{error.message} Reason: {mark.reason}", field=error.field, details=details)


def candidates_of(tx: ReadTransaction, model: ModelRow) -> Sequence[Candidate]:
    """Return every revision of the model as the resolution rule sees it, lowest first."""
    return tx.revisions.candidates(model.id)


def get_revision(tx: ReadTransaction, model: ModelRow, version: Version) -> RevisionRow:
    """Return exactly that version, whatever its marks.

    Raises:
        RevisionNotFound: it was never published.
    """
    row = tx.revisions.get(model.id, version)
    if row is None:
        raise RevisionNotFound(
            f"{model.ref} has no revision {version}:"
            f" list what it has with `node-data model show {model.ref}`",
            field="revision",
        )
    return row
