"""Workspaces with their members, and retention."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nodedata_registry import wire
from nodedata_registry.errors import InvalidRequest
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.connection import Connection

Policy = wire.RetentionPolicy | Mapping[str, object] | None


class Workspaces:
    """Owners of models: `node.workspaces`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, slug: str) -> wire.Workspace:
        """Make a workspace, whose owner the caller becomes."""
        return self._connection.ask(calls.create_workspace(slug))

    def get(self, slug: str) -> wire.Workspace:
        """Return a workspace."""
        return self._connection.ask(calls.get_workspace(slug))

    def list(self) -> wire.Workspaces:
        """Return the workspaces that the caller may see."""
        return self._connection.ask(calls.list_workspaces())

    def set_retention(self, slug: str, policy: Policy) -> wire.Workspace:
        """Set the keep rules, such as `{"keep_last": 3, "keep_unyanked": True}`; None keeps everything.

        Nothing is removed by this: `node.retention` previews and applies.
        """
        return self._connection.ask(calls.set_retention(slug, _policy(policy)))

    def members(self, slug: str) -> wire.Members:
        """Return the members with their roles."""
        return self._connection.ask(calls.members(slug))

    def put_member(self, slug: str, account_id: str, role: str) -> wire.Member:
        """Give an account the role `reader`, `publisher` or `owner`. Owners only."""
        return self._connection.ask(calls.put_member(slug, account_id, role))

    def remove_member(self, slug: str, account_id: str) -> None:
        """Take an account's role away. Owners only."""
        self._connection.ask(calls.remove_member(slug, account_id))


class Retention:
    """What a workspace's policy would remove, and doing it: `node.retention`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def preview(self, slug: str) -> wire.RetentionPreview:
        """Return each revision that would go, and for the others the rules that keep them."""
        return self._connection.ask(calls.preview_retention(slug))

    def apply(self, slug: str, preview: str) -> wire.RetentionResult:
        """Execute the preview with that digest; `PreviewChanged` if it is no longer what would happen."""
        return self._connection.ask(calls.apply_retention(slug, preview))


def _policy(policy: Policy) -> wire.RetentionPolicy | None:
    if policy is None or isinstance(policy, wire.RetentionPolicy):
        return policy
    try:
        return msgspec.convert(dict(policy), wire.RetentionPolicy)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"this is no retention policy: {error}", field="retention") from error
