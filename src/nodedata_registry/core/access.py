"""Who may see and do what: roles, scopes, grants and narrowed keys, as pure rules.

- A role in a workspace gives scopes on it and on its models:
  reader `{models:read}` < publisher `+ {models:upload, models:yank}` < owner `+ {workspace:admin}`.
- A grant gives `models:read` on one model.
- A public model gives `models:read` to everyone, unless the registry requires keys.
- An operator sees every model and workspace, in order to take one down, and has `registry:operate`
  there. That is no `models:read`: the files of a private model stay its workspace's.
- A key narrows what its account has: to scopes, to a workspace, to a model. Outside its workspace
  or model the key is worth as much as no account. Scopes narrow acts, not visibility.

Refusals: what the caller may not see is `ModelNotFound` or `WorkspaceNotFound`, worded as if it did
not exist; what is visible without the scope is `ScopeMissing`, or `NotAuthenticated` without a key.
Where keys are required, no key is `NotAuthenticated` whatever was asked, so that it tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from nodedata_registry.errors import (
    InvalidRequest,
    ModelNotFound,
    NotAuthenticated,
    ScopeMissing,
    WorkspaceNotFound,
)


class Scope(str, Enum):
    """What an act needs; `.value` is the name on the wire."""

    MODELS_READ = "models:read"
    MODELS_UPLOAD = "models:upload"
    MODELS_YANK = "models:yank"
    WORKSPACE_ADMIN = "workspace:admin"
    REGISTRY_OPERATE = "registry:operate"


class Role(str, Enum):
    """What an account is in a workspace; each role has the scopes of the one before."""

    READER = "reader"
    PUBLISHER = "publisher"
    OWNER = "owner"


ALL_SCOPES: frozenset[Scope] = frozenset(Scope)
"""The scopes of a key that is not narrowed."""

_READER = frozenset({Scope.MODELS_READ})
_PUBLISHER = _READER | {Scope.MODELS_UPLOAD, Scope.MODELS_YANK}

ROLE_SCOPES: Mapping[Role, frozenset[Scope]] = MappingProxyType(
    {
        Role.READER: _READER,
        Role.PUBLISHER: _PUBLISHER,
        Role.OWNER: _PUBLISHER | {Scope.WORKSPACE_ADMIN},
    }
)
"""The scopes that each role gives."""

_NO_SCOPES: frozenset[Scope] = frozenset()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an account behind a live key, or nobody (`account_id` is `None`).

    `roles` maps workspace ids to the account's role there, `granted_models` holds the ids of models
    with a living grant; both as the account has them, before the key narrows them.
    """

    account_id: str | None = None
    operator: bool = False
    key_scopes: frozenset[Scope] = ALL_SCOPES
    key_workspace_id: str | None = None
    key_model_id: str | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    granted_models: frozenset[str] = frozenset()
    key_expires_at: datetime | None = None


ANONYMOUS = Caller(key_scopes=_NO_SCOPES)
"""The caller without a key."""


@dataclass(frozen=True, slots=True)
class ModelTarget:
    """The model that an act is about."""

    workspace_id: str
    model_id: str
    public: bool


@dataclass(frozen=True, slots=True)
class WorkspaceTarget:
    """The workspace that an act is about.

    `has_visible_model` says that `may_see` holds for at least one of its models: whoever sees a
    model sees the name of its workspace.
    """

    workspace_id: str
    has_visible_model: bool = False


# --- models -------------------------------------------------------------------------------------


def scopes_on(caller: Caller, target: ModelTarget, *, require_key: bool = False) -> frozenset[Scope]:
    """Return what the caller may do with the model; empty where nothing is allowed.

    Reading a public model needs no scope of the key: without the key it could be read as well.
    """
    held = _NO_SCOPES
    if _within_key(caller, target.workspace_id, target.model_id):
        held = _account_scopes(caller, target.workspace_id)
        if target.model_id in caller.granted_models:
            held = held | _READER
        held = held & caller.key_scopes
    if target.public and _counts_as_public_reader(caller, require_key):
        held = held | _READER
    return held


def may_see(caller: Caller, target: ModelTarget, *, require_key: bool = False) -> bool:
    """Tell whether the model exists for the caller: public, or by role, grant or operation.

    `require_key` is the registry's setting that turns reading without a key off.
    """
    if target.public and _counts_as_public_reader(caller, require_key):
        return True
    if not _within_key(caller, target.workspace_id, target.model_id):
        return False
    return (
        target.workspace_id in caller.roles or target.model_id in caller.granted_models or _operates(caller)
    )


def require(
    caller: Caller,
    target: ModelTarget | None,
    scope: Scope,
    *,
    require_key: bool = False,
    asked: str | None = None,
) -> ModelTarget:
    """Return the target if the caller may do what needs the scope; `None` stands for no such model.

    `asked` is the reference as the caller wrote it. The message shows that and never what was found
    under it, so absent and invisible models read the same.

    Raises:
        NotAuthenticated: no key, and the model is visible or the registry requires keys.
        ModelNotFound: there is no such model for this caller.
        ScopeMissing: the model is visible, and role or key lack the scope.
    """
    _refuse_keyless(caller, require_key)
    if target is None or not may_see(caller, target, require_key=require_key):
        raise ModelNotFound(_not_found(caller, "model", asked))
    _require_scope(caller, scopes_on(caller, target, require_key=require_key), scope, "this model")
    return target


# --- workspaces ---------------------------------------------------------------------------------


def scopes_on_workspace(caller: Caller, target: WorkspaceTarget) -> frozenset[Scope]:
    """Return what the caller may do with the workspace as a whole; empty for a key bound to one model."""
    if not _within_key(caller, target.workspace_id, None):
        return _NO_SCOPES
    return _account_scopes(caller, target.workspace_id) & caller.key_scopes


def may_see_workspace(caller: Caller, target: WorkspaceTarget) -> bool:
    """Tell whether the workspace exists for the caller: member, operator, or sees one of its models."""
    if target.has_visible_model:
        return True
    if not _within_key(caller, target.workspace_id, None):
        return False
    return target.workspace_id in caller.roles or _operates(caller)


def require_workspace(
    caller: Caller,
    target: WorkspaceTarget | None,
    scope: Scope,
    *,
    require_key: bool = False,
    asked: str | None = None,
) -> WorkspaceTarget:
    """Return the target if the caller may do what needs the scope; the twin of `require`.

    Raises:
        NotAuthenticated: no key, and the workspace is visible or the registry requires keys.
        WorkspaceNotFound: there is no such workspace for this caller.
        ScopeMissing: the workspace is visible, and role or key lack the scope.
    """
    _refuse_keyless(caller, require_key)
    if target is None or not may_see_workspace(caller, target):
        raise WorkspaceNotFound(_not_found(caller, "workspace", asked))
    _require_scope(caller, scopes_on_workspace(caller, target), scope, "this workspace")
    return target


# --- the registry -------------------------------------------------------------------------------


def require_account(caller: Caller) -> str:
    """Return the caller's account id.

    Raises:
        NotAuthenticated: no key was sent.
    """
    if caller.account_id is None:
        raise NotAuthenticated("this needs an API key: send `Authorization: Bearer nd_live_…`")
    return caller.account_id


def require_operator(caller: Caller) -> str:
    """Return the account id of an operator whose key reaches the whole registry.

    Raises:
        NotAuthenticated: no key was sent.
        ScopeMissing: no operator, or the key is narrowed to scopes, a workspace or a model.
    """
    account_id = require_account(caller)
    whole = caller.key_workspace_id is None and caller.key_model_id is None
    held = frozenset({Scope.REGISTRY_OPERATE}) if whole and _operates(caller) else _NO_SCOPES
    _require_scope(caller, held, Scope.REGISTRY_OPERATE, "the registry")
    return account_id


def parse_role(text: str) -> Role:
    """Return the role of that name.

    >>> parse_role("publisher").value
    'publisher'

    Raises:
        InvalidRequest: no role has the name; the message lists them.
    """
    for role in Role:
        if role.value == text:
            return role
    names = ", ".join(role.value for role in Role)
    raise InvalidRequest(f"no role is called {text[:40]!r}; the roles are {names}", field="role")


# --- the parts ----------------------------------------------------------------------------------


def _within_key(caller: Caller, workspace_id: str, model_id: str | None) -> bool:
    if caller.account_id is None:
        return False
    if caller.key_workspace_id not in (None, workspace_id):
        return False
    return caller.key_model_id in (None, model_id)


def _account_scopes(caller: Caller, workspace_id: str) -> frozenset[Scope]:
    role = caller.roles.get(workspace_id)
    held = _NO_SCOPES if role is None else ROLE_SCOPES[role]
    return held | {Scope.REGISTRY_OPERATE} if _operates(caller) else held


def _operates(caller: Caller) -> bool:
    return caller.operator and Scope.REGISTRY_OPERATE in caller.key_scopes


def _counts_as_public_reader(caller: Caller, require_key: bool) -> bool:
    return caller.account_id is not None or not require_key


def _refuse_keyless(caller: Caller, require_key: bool) -> None:
    if require_key and caller.account_id is None:
        raise NotAuthenticated(
            "this registry answers only with an API key: send `Authorization: Bearer nd_live_…`"
        )


def _require_scope(caller: Caller, held: frozenset[Scope], scope: Scope, on: str) -> None:
    if scope in held:
        return
    require_account(caller)
    have = ", ".join(sorted(one.value for one in held)) or "no scope"
    raise ScopeMissing(
        f"this needs the scope {scope.value} on {on}; your key has {have} there: "
        "ask an owner for a role, or use a key that is not narrowed",
        details={"scope": scope.value},
    )


def _not_found(caller: Caller, what: str, asked: str | None) -> str:
    name = f"{what} {asked[:120]!r}" if asked else f"such {what}"
    if caller.account_id is None:
        return f"there is no {name} that can be read without a key: check the spelling, or pass an API key"
    return f"there is no {name} that this key may see: check the spelling and the key"
