"""Models, their visibility, search and grants."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from nodedata_registry.core.access import Caller, Scope, require_account
from nodedata_registry.core.names import check_model_name, parse_model_ref
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import (
    AccountNotFound,
    ConfirmationRequired,
    InvalidName,
    InvalidRequest,
    NotAllowedNow,
)
from nodedata_registry.server.ports import ReadTransaction, WriteTransaction
from nodedata_registry.server.rows import GrantRow, ModelRow, ModelSummary
from nodedata_registry.server.service.locate import find_model, find_workspace
from nodedata_registry.server.service.record import record
from nodedata_registry.server.service.registry import Page, Registry

VISIBILITIES = ("public", "private")
_ADMIN = Scope.WORKSPACE_ADMIN


def create_model(registry: Registry, caller: Caller, ref: str, visibility: str) -> ModelSummary:
    """Create a model without revisions; needs `models:upload` in the workspace.

    Raises:
        InvalidName: the reference breaks the naming rules or is reserved.
        WorkspaceNotFound, ScopeMissing, NotAuthenticated: not there, or not for this caller.
        NameTaken: the name, or a look-alike, was used before.
    """
    parsed = parse_model_ref(ref)
    if parsed.workspace is None or parsed.name is None:
        raise InvalidName(f"name a new model as workspace/name, not {ref[:80]!r}", field="ref")
    name = check_model_name(parsed.name)
    _check_visibility(visibility)
    with registry.catalog.write() as tx:
        workspace = find_workspace(registry, tx, caller, parsed.workspace, Scope.MODELS_UPLOAD)
        row = ModelRow(
            registry.new_id("mdl_"), workspace.id, workspace.slug, name, visibility, registry.now()
        )
        tx.models.add(row)
        summary = ModelSummary(row, None, None, None, None, None, 0, row.created_at)
        tx.models.put_summary(summary, row.ref)
        record(
            registry,
            tx,
            "model.created",
            require_account(caller),
            model=row,
            body={"ref": row.ref, "visibility": visibility},
        )
    return summary


def _check_visibility(visibility: str) -> None:
    if visibility not in VISIBILITIES:
        raise InvalidRequest(f"visibility is public or private, not {visibility[:40]!r}", field="visibility")


def get_model(registry: Registry, caller: Caller, ref: str) -> ModelSummary:
    """Return the model with the facts of its latest revision."""
    with registry.catalog.read() as tx:
        return _summary(tx, find_model(registry, tx, caller, ref))


def _summary(tx: ReadTransaction, row: ModelRow) -> ModelSummary:
    summary = tx.models.summary(row.id)
    assert summary is not None, "every model is created with its summary"
    return summary


def search_models(
    registry: Registry,
    caller: Caller,
    *,
    query: str = "",
    task: str | None = None,
    framework: str | None = None,
    license: str | None = None,  # noqa: A002  the word of the API
    workspace: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[ModelSummary]:
    """Return models the caller may see that match every given part, best match first."""
    limit = max(1, min(limit, registry.limits.page_items))
    with registry.catalog.read() as tx:
        workspace_id = None
        if workspace is not None:
            workspace_id = find_workspace(registry, tx, caller, workspace, None).id
        found = tx.models.search(
            visible_workspaces=_visible_workspaces(caller),
            visible_models=_visible_models(caller),
            include_public=caller.account_id is not None or not registry.require_key,
            query=query[:256],
            task=task,
            framework=framework,
            license=license,
            workspace_id=workspace_id,
            after=cursor,
            limit=limit + 1,
        )
    items = found[:limit]
    more = len(found) > limit
    return Page(items, items[-1].model.id if more else None, more)


def _visible_workspaces(caller: Caller) -> Collection[str] | None:
    operates = caller.operator and Scope.REGISTRY_OPERATE in caller.key_scopes
    if caller.key_model_id is not None:
        return []
    if caller.key_workspace_id is not None:
        seen = operates or caller.key_workspace_id in caller.roles
        return [caller.key_workspace_id] if seen else []
    return None if operates else list(caller.roles)


def _visible_models(caller: Caller) -> Collection[str]:
    if caller.key_model_id is None:
        return caller.granted_models if caller.key_workspace_id is None else []
    return caller.granted_models & {caller.key_model_id}


def set_visibility(
    registry: Registry, caller: Caller, ref: str, visibility: str, confirm: Collection[str] | None
) -> ModelSummary:
    """Change who may see a model. Owners only. Public is final once a revision exists.

    Going public publishes every unretired revision for ever; `confirm` must list exactly those
    versions.

    Raises:
        NotAllowedNow: public to private with a revision published.
        ConfirmationRequired: `confirm` is not that list; `details["versions"]` is.
    """
    _check_visibility(visibility)
    with registry.catalog.write() as tx:
        row = find_model(registry, tx, caller, ref, _ADMIN)
        if visibility == row.visibility:
            return _summary(tx, row)
        _check_change(tx, row, visibility, confirm)
        tx.models.set_visibility(row.id, visibility)
        record(
            registry,
            tx,
            "model.visibility_changed",
            require_account(caller),
            model=row,
            body={"visibility": visibility},
        )
        return _summary(tx, row)


def _check_change(
    tx: WriteTransaction, row: ModelRow, visibility: str, confirm: Collection[str] | None
) -> None:
    candidates = tx.revisions.candidates(row.id)
    if visibility == "private":
        if candidates:
            raise NotAllowedNow(
                f"{row.ref} is public and has revisions: what was public stays so", field="visibility"
            )
        return
    goes_public = [str(one.version) for one in candidates if not one.retired]
    if goes_public and sorted(confirm or ()) != sorted(goes_public):
        raise ConfirmationRequired(
            f"making {row.ref} public is final and publishes {len(goes_public)} revisions:"
            f" repeat with confirm listing them ({', '.join(goes_public[:20])})",
            field="confirm",
            details={"versions": goes_public},
        )


def publishes(tx: ReadTransaction, row: ModelRow) -> list[Version]:
    """Return the versions that going public would publish, lowest first."""
    return [one.version for one in tx.revisions.candidates(row.id) if not one.retired]


# --- grants -------------------------------------------------------------------------------------


def list_grants(registry: Registry, caller: Caller, ref: str) -> list[GrantRow]:
    """Return the model's grants, ended ones included. Owners only."""
    with registry.catalog.read() as tx:
        return tx.models.grants(find_model(registry, tx, caller, ref, _ADMIN).id)


def put_grant(
    registry: Registry, caller: Caller, ref: str, account_id: str, expires_at: datetime | None
) -> GrantRow:
    """Let an outside account read the model, until `expires_at` if given. Owners only.

    Raises:
        AccountNotFound: no such account.
        InvalidRequest: the expiry is past.
    """
    now = registry.now()
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest(
            f"the grant would be over already ({expires_at.isoformat()})", field="expires_at"
        )
    with registry.catalog.write() as tx:
        row = find_model(registry, tx, caller, ref, _ADMIN)
        account = tx.accounts.get(account_id)
        if account is None:
            raise AccountNotFound(f"there is no account {account_id[:40]!r}", field="account_id")
        tx.models.put_grant(row.id, account_id, now, expires_at)
        record(
            registry,
            tx,
            "grant.put",
            require_account(caller),
            model=row,
            body={
                "account": account_id,
                "expires_at": expires_at.isoformat() if expires_at is not None else None,
            },
            internal=True,
        )
        return next(grant for grant in tx.models.grants(row.id) if grant.account_id == account_id)


def revoke_grant(registry: Registry, caller: Caller, ref: str, account_id: str) -> None:
    """End an account's grant; without a live one nothing changes. Owners only."""
    with registry.catalog.write() as tx:
        row = find_model(registry, tx, caller, ref, _ADMIN)
        if tx.models.revoke_grant(row.id, account_id, registry.now()):
            record(
                registry,
                tx,
                "grant.revoked",
                require_account(caller),
                model=row,
                body={"account": account_id},
                internal=True,
            )
