"""`/v1/workspaces`: workspaces, members, retention."""

from __future__ import annotations

from litestar.params import JSONBody

from nodedata_registry import wire
from nodedata_registry.core.access import parse_role
from nodedata_registry.server import render
from nodedata_registry.server.api.routing import Ask, Segment, on
from nodedata_registry.server.service import workspaces

_MEMBER = "/workspaces/{slug:str}/members/{account:str}"


@on("POST", "/workspaces")
def create_workspace(call: Ask, data: JSONBody[wire.CreateWorkspace]) -> wire.Workspace:
    """Make a workspace; the caller becomes its owner."""
    row = workspaces.create_workspace(call.registry, call.caller, data.slug)
    return render.workspace(row, "owner")


@on("GET", "/workspaces")
def list_workspaces(call: Ask) -> wire.Workspaces:
    """Return the workspaces that the caller is a member of, by slug."""
    rows = workspaces.list_workspaces(call.registry, call.caller)
    items = [render.workspace(row, role.value) for row, role in rows]
    return wire.Workspaces(items=items, next_cursor=None, has_more=False)


@on("GET", "/workspaces/{slug:str}")
def get_workspace(call: Ask, slug: Segment) -> wire.Workspace:
    """Return a workspace with the caller's role in it."""
    row, role = workspaces.get_workspace(call.registry, call.caller, slug)
    return render.workspace(row, None if role is None else role.value)


@on("PATCH", "/workspaces/{slug:str}")
def update_workspace(call: Ask, slug: Segment, data: JSONBody[wire.UpdateWorkspace]) -> wire.Workspace:
    """Set the retention policy; `null` keeps everything. Owners only."""
    policy = render.policy_from(data.retention)
    row = workspaces.set_policy(call.registry, call.caller, slug, policy)
    return render.workspace(row, "owner")


@on("GET", "/workspaces/{slug:str}/members")
def list_members(call: Ask, slug: Segment) -> wire.Members:
    """Return the members and their roles."""
    rows = workspaces.list_members(call.registry, call.caller, slug)
    items = [render.member(row, slug) for row in rows]
    return wire.Members(items=items, next_cursor=None, has_more=False)


@on("PUT", _MEMBER)
def put_member(call: Ask, slug: Segment, account: Segment, data: JSONBody[wire.PutMember]) -> wire.Member:
    """Give an account a role, in place of any it has. Owners only."""
    row = workspaces.put_member(call.registry, call.caller, slug, account, parse_role(data.role))
    return render.member(row, slug)


@on("DELETE", _MEMBER)
def remove_member(call: Ask, slug: Segment, account: Segment) -> None:
    """Take an account's role away. Owners only."""
    workspaces.remove_member(call.registry, call.caller, slug, account)


HANDLERS = [
    *create_workspace,
    *list_workspaces,
    *get_workspace,
    *update_workspace,
    *list_members,
    *put_member,
    *remove_member,
]
