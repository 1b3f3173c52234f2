"""Workspaces, their members and their retention policy."""

from __future__ import annotations

from nodedata_registry.core.access import Caller, Role, Scope, require_account
from nodedata_registry.core.names import check_workspace_slug
from nodedata_registry.core.retention import Policy
from nodedata_registry.errors import AccountNotFound, NotAllowedNow, ScopeMissing
from nodedata_registry.server.ports import WriteTransaction
from nodedata_registry.server.rows import MemberRow, WorkspaceRow
from nodedata_registry.server.service.locate import find_workspace
from nodedata_registry.server.service.record import record
from nodedata_registry.server.service.registry import Registry

_ADMIN = Scope.WORKSPACE_ADMIN


def create_workspace(registry: Registry, caller: Caller, slug: str) -> WorkspaceRow:
    """Create a workspace owned by the caller.

    Raises:
        NotAuthenticated: no key.
        InvalidName: the slug breaks the naming rules or is reserved.
        NameTaken: it, or a look-alike, was used before.
        ScopeMissing: the key is narrowed to a workspace, a model or other scopes.
    """
    actor = require_account(caller)
    checked = check_workspace_slug(slug)
    require_whole_key(caller)
    row = WorkspaceRow(registry.new_id("ws_"), checked, None, registry.now())
    with registry.catalog.write() as tx:
        tx.workspaces.add(row)
        tx.workspaces.put_member(row.id, actor, Role.OWNER)
        record(
            registry, tx, "workspace.created", actor, workspace_id=row.id, body={"slug": slug}, internal=True
        )
    return row


def require_whole_key(caller: Caller) -> None:
    """Pass if the key may create workspaces: with `workspace:admin`, bound to no workspace or model.

    Raises:
        ScopeMissing: it may not.
    """
    bound = caller.key_workspace_id is not None or caller.key_model_id is not None
    if bound or _ADMIN not in caller.key_scopes:
        raise ScopeMissing(
            "creating a workspace needs a key with workspace:admin, not narrowed to a workspace or model",
            details={"scope": _ADMIN.value},
        )


def get_workspace(registry: Registry, caller: Caller, slug: str) -> tuple[WorkspaceRow, Role | None]:
    """Return the workspace and the caller's role in it.

    Raises:
        WorkspaceNotFound: none that the caller may see.
    """
    with registry.catalog.read() as tx:
        row = find_workspace(registry, tx, caller, slug, None)
    return row, caller.roles.get(row.id)


def list_workspaces(registry: Registry, caller: Caller) -> list[tuple[WorkspaceRow, Role]]:
    """Return the workspaces of which the caller is a member, by slug."""
    require_account(caller)
    with registry.catalog.read() as tx:
        rows = (tx.workspaces.get(workspace_id) for workspace_id in caller.roles)
        found = [row for row in rows if row is not None and caller.key_workspace_id in (None, row.id)]
    return [(row, caller.roles[row.id]) for row in sorted(found, key=lambda row: row.slug)]


def set_policy(registry: Registry, caller: Caller, slug: str, policy: Policy | None) -> WorkspaceRow:
    """Set the retention policy; `None` keeps everything. Owners only. Nothing is retired by it yet."""
    with registry.catalog.write() as tx:
        row = find_workspace(registry, tx, caller, slug, _ADMIN)
        tx.workspaces.set_policy(row.id, policy)
        record(
            registry,
            tx,
            "workspace.retention_set",
            require_account(caller),
            workspace_id=row.id,
            body={"policy": policy.to_mapping() if policy is not None else None},
            internal=True,
        )
        changed = tx.workspaces.get(row.id)
    assert changed is not None
    return changed


def list_members(registry: Registry, caller: Caller, slug: str) -> list[MemberRow]:
    """Return the members; for members with `models:read` of the workspace."""
    with registry.catalog.read() as tx:
        row = find_workspace(registry, tx, caller, slug, Scope.MODELS_READ)
        return tx.workspaces.members(row.id)


def put_member(registry: Registry, caller: Caller, slug: str, account_id: str, role: Role) -> MemberRow:
    """Give an account a role, in place of any it has. Owners only.

    Raises:
        AccountNotFound: no such account.
        NotAllowedNow: the workspace would be left without an owner.
    """
    with registry.catalog.write() as tx:
        row = find_workspace(registry, tx, caller, slug, _ADMIN)
        account = tx.accounts.get(account_id)
        if account is None:
            raise AccountNotFound(f"there is no account {account_id[:40]!r}", field="account_id")
        if role is not Role.OWNER:
            _keep_an_owner(tx, row, account_id)
        tx.workspaces.put_member(row.id, account_id, role)
        record(
            registry,
            tx,
            "member.put",
            require_account(caller),
            workspace_id=row.id,
            body={"account": account_id, "role": role.value},
            internal=True,
        )
    return MemberRow(row.id, account_id, account.name, role)


def remove_member(registry: Registry, caller: Caller, slug: str, account_id: str) -> None:
    """Take an account's role away; one without a role is no error. Owners only.

    Raises:
        NotAllowedNow: the workspace would be left without an owner.
    """
    with registry.catalog.write() as tx:
        row = find_workspace(registry, tx, caller, slug, _ADMIN)
        _keep_an_owner(tx, row, account_id)
        if tx.workspaces.remove_member(row.id, account_id):
            record(
                registry,
                tx,
                "member.removed",
                require_account(caller),
                workspace_id=row.id,
                body={"account": account_id},
                internal=True,
            )


def _keep_an_owner(tx: WriteTransaction, row: WorkspaceRow, leaving: str) -> None:
    owners = {member.account_id for member in tx.workspaces.members(row.id) if member.role is Role.OWNER}
    if owners == {leaving}:
        raise NotAllowedNow(
            f"{leaving} is the only owner of {row.slug}: make another account owner first", field="account_id"
        )
