"""Workspaces and their members."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from nodedata_registry.core.access import Role
from nodedata_registry.core.names import fold_name
from nodedata_registry.core.retention import Policy, parse_policy
from nodedata_registry.errors import NameTaken, WorkspaceNotFound
from nodedata_registry.server.catalog.tables import accounts, members, workspaces
from nodedata_registry.server.rows import MemberRow, WorkspaceRow

_ALL = select(*workspaces.c["id", "slug", "policy", "created_at"])
_BY_ID = _ALL.where(workspaces.c.id == bindparam("wanted"))
_BY_SLUG = _ALL.where(workspaces.c.slug == bindparam("wanted"))
_LOOKS_LIKE = select(workspaces.c.slug).where(workspaces.c.folded == bindparam("wanted"))
_ADD = insert(workspaces)
_SET_POLICY = update(workspaces).where(workspaces.c.id == bindparam("wanted")).values(policy=bindparam("new"))

_THE_MEMBER = (members.c.workspace_id == bindparam("place")) & (members.c.account_id == bindparam("who"))
_SET_ROLE = update(members).where(_THE_MEMBER).values(role=bindparam("new"))
_ADD_MEMBER = insert(members)
_REMOVE = delete(members).where(_THE_MEMBER)
_MEMBERS = (
    select(members.c.workspace_id, members.c.account_id, accounts.c.name, members.c.role)
    .join(accounts, accounts.c.id == members.c.account_id)
    .where(members.c.workspace_id == bindparam("wanted"))
    .order_by(accounts.c.name, accounts.c.id)
)
_ROLES_OF = select(members.c.workspace_id, members.c.role).where(members.c.account_id == bindparam("wanted"))


class Workspaces:
    """`ports.WorkspaceRows` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, row: WorkspaceRow) -> None:
        """Write a new workspace. Raises `NameTaken`."""
        folded = fold_name(row.slug)
        taken = self._connection.execute(_LOOKS_LIKE, {"wanted": folded}).scalar()
        if taken is not None:
            raise NameTaken(f"the workspace name {row.slug!r} is taken (by {taken!r}): choose another")
        values = {
            "id": row.id,
            "slug": row.slug,
            "folded": folded,
            "policy": _policy_text(row.policy),
            "created_at": row.created_at,
        }
        self._connection.execute(_ADD, values)

    def get(self, workspace_id: str) -> WorkspaceRow | None:
        """Return the workspace, `None` if there is none by that id."""
        return _first(self._connection.execute(_BY_ID, {"wanted": workspace_id}).first())

    def by_slug(self, slug: str) -> WorkspaceRow | None:
        """Return the workspace of exactly that name, `None` if there is none."""
        return _first(self._connection.execute(_BY_SLUG, {"wanted": slug}).first())

    def set_policy(self, workspace_id: str, policy: Policy | None) -> None:
        """Replace the retention policy. Raises `WorkspaceNotFound`."""
        values = {"wanted": workspace_id, "new": _policy_text(policy)}
        if not self._connection.execute(_SET_POLICY, values).rowcount:
            raise WorkspaceNotFound(f"there is no workspace {workspace_id}")

    def all(self) -> list[WorkspaceRow]:
        """Return every workspace by slug."""
        found = [_workspace(row) for row in self._connection.execute(_ALL)]
        return sorted(found, key=lambda row: row.slug)

    def put_member(self, workspace_id: str, account_id: str, role: Role) -> None:
        """Add the account, or change its role."""
        key = {"place": workspace_id, "who": account_id, "new": role.value}
        if not self._connection.execute(_SET_ROLE, key).rowcount:
            values = {"workspace_id": workspace_id, "account_id": account_id, "role": role.value}
            self._connection.execute(_ADD_MEMBER, values)

    def remove_member(self, workspace_id: str, account_id: str) -> bool:
        """Return whether the account was a member, which it no longer is."""
        return self._connection.execute(_REMOVE, {"place": workspace_id, "who": account_id}).rowcount > 0

    def members(self, workspace_id: str) -> list[MemberRow]:
        """Return the members by account name."""
        found = self._connection.execute(_MEMBERS, {"wanted": workspace_id})
        return [MemberRow(row[0], row[1], row[2], Role(row[3])) for row in found]

    def roles_of(self, account_id: str) -> dict[str, Role]:
        """Return the account's role by workspace id."""
        found = self._connection.execute(_ROLES_OF, {"wanted": account_id})
        return {row[0]: Role(row[1]) for row in found}


def _policy_text(policy: Policy | None) -> str | None:
    return None if policy is None else json.dumps(policy.to_mapping(), sort_keys=True)


def _first(row: Row[Any] | None) -> WorkspaceRow | None:
    return None if row is None else _workspace(row)


def _workspace(row: Row[Any]) -> WorkspaceRow:
    policy = None if row.policy is None else parse_policy(json.loads(row.policy))
    return WorkspaceRow(id=row.id, slug=row.slug, policy=policy, created_at=row.created_at)
