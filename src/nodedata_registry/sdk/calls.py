"""Every call of the HTTP API as a value: what to send, and how to read what comes back. No I/O.

    Call  method, target (raw path and query), body, whether repeating it is harmless, answer type
          .read(status, headers, body) -> the answer's struct, or one of our errors

The sync and async clients, the in-process registry and the tests all use these same values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote, urlencode

import msgspec

from nodedata_registry import wire, wire_attestations
from nodedata_registry.core.names import parse_model_ref
from nodedata_registry.core.selectors import parse_selector
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import (
    InvalidName,
    InvalidRequest,
    InvalidSelector,
    InvalidVersion,
    NodeDataError,
)
from nodedata_registry.sdk.refusals import refusal, unreadable

T = TypeVar("T")

JSON = "application/json"
BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and the type of its answer.

    `idempotent`: sending it twice does what sending it once does, so a lost answer may be asked for
    again. `patience_seconds`: how long the registry may stay silent.
    """

    method: str
    target: str
    answer: type[T]
    body: bytes | None = None
    content_type: str = JSON
    idempotent: bool = True
    patience_seconds: float = 60.0
    headers: Mapping[str, str] = field(default_factory=dict)

    def read(self, status: int, headers: Mapping[str, str], body: bytes) -> T:
        """Return the answer; header names are lower case.

        Raises the error class that the registry named, `ServerError` for an answer that is none.
        """
        if not 200 <= status < 300:
            raise refusal(status, headers, body)
        if self.answer is type(None):
            return None
        try:
            decode = _decoder(self.answer)  # type: ignore[arg-type]
            return cast("T", decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise unreadable(f"{self.method} {self.target}", error) from error


@lru_cache(maxsize=256)
def _decoder(answer: type[object]) -> Callable[[bytes], object]:
    return msgspec.json.Decoder(answer).decode


# --- targets ------------------------------------------------------------------------------------


def model_target(model: str) -> str:
    """Return the path of a model, in either spelling.

    >>> model_target("acme/grasp-policy-v2")
    '/v1/models/acme/grasp-policy-v2'

    Raises:
        InvalidName: neither an id nor `workspace/name`.
    """
    ref = parse_model_ref(require_text(model, "model_id"))
    if ref.id is not None:
        return f"/v1/models/{_segment(ref.id)}"
    return f"/v1/models/{_segment(ref.workspace or '')}/{_segment(ref.name or '')}"


def revision_target(model: str, selector: str) -> str:
    """Return the path of what a selector means in a model; raises `InvalidSelector` for none.

    >>> revision_target("acme/x", ">=1.2 <2")
    '/v1/models/acme/x/revisions/%3E%3D1.2%20%3C2'
    """
    # A blank selector would silently become another route: the list of all revisions.
    text = parse_selector(require_text(selector, "revision")).text
    return f"{model_target(model)}/revisions/{_segment(text)}"


def _version_target(model: str, version: str) -> str:
    return f"{model_target(model)}/revisions/{Version.parse(require_text(version, 'version'))}"


def _workspace_target(slug: str) -> str:
    return f"/v1/workspaces/{_named(slug, 'slug')}"


def _named(text: str, what: str) -> str:
    """Return an id or slug as one path segment; blank and dotted ones would change the route."""
    if not require_text(text, what).strip(". "):
        raise InvalidRequest(f"{text!r} is no {what}", field=what)
    return _segment(text)


def _segment(text: str) -> str:
    return quote(text, safe="")


def require_text(value: object, what: str) -> str:
    """Return `value` if it is a text; an unset variable (`None`) must never mean anything.

    Raises:
        InvalidName, InvalidSelector, InvalidVersion, InvalidRequest: by what it should have been.
    """
    if isinstance(value, str):
        return value
    kind = _WRONG_TYPE.get(what, InvalidRequest)
    raise kind(f"`{what}` must be a text, not {type(value).__name__}", field=what)


_WRONG_TYPE: dict[str, type[NodeDataError]] = {
    "model_id": InvalidName,
    "revision": InvalidSelector,
    "version": InvalidVersion,
}


def _with_query(target: str, **parameters: str | int | None) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{target}?{urlencode(given, quote_via=quote)}" if given else target


def _json(body: wire.Request) -> bytes:
    """Return a checked body: a value of the wrong type is refused here as the registry would."""
    try:
        encoded = msgspec.json.encode(body)
        msgspec.json.decode(encoded, type=type(body))
    except (msgspec.MsgspecError, TypeError, UnicodeEncodeError, OverflowError) as error:
        raise InvalidRequest(f"the call cannot be sent: {error}", field="body") from error
    return encoded


def _check_moment(moment: object) -> None:
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise InvalidRequest(
            f"{moment.isoformat()} names no moment without a time zone; pass one in UTC,"
            " such as datetime.now(timezone.utc) + timedelta(days=30)",
            field="expires_at",
        )


# --- accounts, keys, events -----------------------------------------------------------------------


def me() -> Call[wire.Me]:
    """Ask who the caller is."""
    return Call("GET", "/v1/me", wire.Me)


def create_account(name: str, operator: bool) -> Call[wire.NewAccount]:
    """Make an account with a first key."""
    body = _json(wire.CreateAccount(name=name, operator=operator))
    return Call("POST", "/v1/accounts", wire.NewAccount, body, idempotent=False)


def create_key(body: wire.CreateKey) -> Call[wire.NewKey]:
    """Make an API key."""
    _check_moment(body.expires_at)
    return Call("POST", "/v1/keys", wire.NewKey, _json(body), idempotent=False)


def list_keys() -> Call[wire.Keys]:
    """List the caller's keys."""
    return Call("GET", "/v1/keys", wire.Keys)


def revoke_key(key_id: str) -> Call[None]:
    """Revoke a key."""
    return Call("DELETE", f"/v1/keys/{_named(key_id, 'key')}", type(None))


def list_events(cursor: str | None, limit: int | None) -> Call[wire.Events]:
    """List events behind a cursor."""
    return Call("GET", _with_query("/v1/events", cursor=cursor, limit=limit), wire.Events)


# --- workspaces and retention ---------------------------------------------------------------------


def create_workspace(slug: str) -> Call[wire.Workspace]:
    """Make a workspace."""
    body = _json(wire.CreateWorkspace(slug=slug))
    return Call("POST", "/v1/workspaces", wire.Workspace, body, idempotent=False)


def list_workspaces() -> Call[wire.Workspaces]:
    """List the workspaces that the caller may see."""
    return Call("GET", "/v1/workspaces", wire.Workspaces)


def get_workspace(slug: str) -> Call[wire.Workspace]:
    """Get a workspace."""
    return Call("GET", _workspace_target(slug), wire.Workspace)


def set_retention(slug: str, policy: wire.RetentionPolicy | None) -> Call[wire.Workspace]:
    """Set a workspace's retention policy."""
    body = _json(wire.UpdateWorkspace(retention=policy))
    return Call("PATCH", _workspace_target(slug), wire.Workspace, body)


def members(slug: str) -> Call[wire.Members]:
    """List a workspace's members."""
    return Call("GET", f"{_workspace_target(slug)}/members", wire.Members)


def put_member(slug: str, account_id: str, role: Any) -> Call[wire.Member]:
    """Give an account a role."""
    target = f"{_workspace_target(slug)}/members/{_named(account_id, 'account')}"
    return Call("PUT", target, wire.Member, _json(wire.PutMember(role=role)))


def remove_member(slug: str, account_id: str) -> Call[None]:
    """Take an account's role away."""
    target = f"{_workspace_target(slug)}/members/{_named(account_id, 'account')}"
    return Call("DELETE", target, type(None))


def preview_retention(slug: str) -> Call[wire.RetentionPreview]:
    """Ask what applying the policy would do."""
    return Call("GET", f"{_workspace_target(slug)}/retention/preview", wire.RetentionPreview)


def apply_retention(slug: str, preview: str) -> Call[wire.RetentionResult]:
    """Do what a preview said."""
    body = _json(wire.ApplyRetention(preview=preview))
    target = f"{_workspace_target(slug)}/retention/apply"
    return Call("POST", target, wire.RetentionResult, body, idempotent=False, patience_seconds=600)


# --- models and grants ----------------------------------------------------------------------------


def create_model(ref: str, visibility: Any) -> Call[wire.Model]:
    """Make a model."""
    body = _json(wire.CreateModel(ref=require_text(ref, "ref"), visibility=visibility))
    return Call("POST", "/v1/models", wire.Model, body, idempotent=False)


def get_model(model: str) -> Call[wire.Model]:
    """Get a model."""
    return Call("GET", model_target(model), wire.Model)


def search_models(cursor: str | None, limit: int | None, **filters: str | None) -> Call[wire.Models]:
    """Search models; `filters` are `q`, `task`, `framework`, `license`, `workspace`."""
    target = _with_query("/v1/models", **filters, cursor=cursor, limit=limit)
    return Call("GET", target, wire.Models)


def update_model(model: str, visibility: Any, confirm: list[str] | None) -> Call[wire.Model]:
    """Change a model's visibility."""
    body = _json(wire.UpdateModel(visibility=visibility, confirm=confirm))
    return Call("PATCH", model_target(model), wire.Model, body)


def list_grants(model: str) -> Call[wire.Grants]:
    """List a model's grants."""
    return Call("GET", f"{model_target(model)}/grants", wire.Grants)


def put_grant(model: str, account_id: str, expires_at: datetime | None) -> Call[wire.Grant]:
    """Let an account read a private model."""
    _check_moment(expires_at)
    target = f"{model_target(model)}/grants/{_named(account_id, 'account')}"
    return Call("PUT", target, wire.Grant, _json(wire.PutGrant(expires_at=expires_at)))


def revoke_grant(model: str, account_id: str) -> Call[None]:
    """End a grant."""
    target = f"{model_target(model)}/grants/{_named(account_id, 'account')}"
    return Call("DELETE", target, type(None))


# --- revisions ------------------------------------------------------------------------------------


def resolve(model: str, selector: str, on_yanked: str | None = None) -> Call[wire.Resolution]:
    """Ask what a selector means now."""
    target = _with_query(revision_target(model, selector), on_yanked=on_yanked)
    return Call("GET", target, wire.Resolution)


def list_revisions(model: str, cursor: str | None, limit: int | None) -> Call[wire.Revisions]:
    """List revisions, newest first."""
    target = _with_query(f"{model_target(model)}/revisions", cursor=cursor, limit=limit)
    return Call("GET", target, wire.Revisions)


def manifest(model: str, selector: str) -> Call[wire.Manifest]:
    """Get the files of a revision."""
    return Call("GET", f"{revision_target(model, selector)}/manifest", wire.Manifest)


def plan(model: str, selector: str) -> Call[wire.Plan]:
    """Get files and blocks of a revision."""
    return Call("GET", f"{revision_target(model, selector)}/plan", wire.Plan)


def file_range(model: str, selector: str, path: str, offset: int, length: int) -> Call[None]:
    """Fetch `length` bytes of a file from `offset`; the answer is a stream."""
    target = f"{revision_target(model, selector)}/files/{quote(path, safe='/')}"
    headers = {"range": f"bytes={offset}-{offset + length - 1}", "accept-encoding": "identity"}
    return Call("GET", target, type(None), content_type=BYTES, headers=headers)


def yank(model: str, selector: str, reason: str) -> Call[wire.YankResult]:
    """Yank what a version or range means now."""
    body = _json(wire.Reason(reason=require_text(reason, "reason")))
    return Call("PUT", f"{revision_target(model, selector)}/yank", wire.YankResult, body)


def unyank(model: str, selector: str) -> Call[wire.YankResult]:
    """Take yanks back."""
    return Call("DELETE", f"{revision_target(model, selector)}/yank", wire.YankResult)


def put_mark(model: str, version: str, mark: str, reason: str) -> Call[wire.Revision]:
    """Put a `hold` or `quarantine` on a version."""
    body = _json(wire.Reason(reason=require_text(reason, "reason")))
    return Call("PUT", f"{_version_target(model, version)}/{mark}", wire.Revision, body)


def lift_mark(model: str, version: str, mark: str) -> Call[wire.Revision]:
    """Lift a `hold` or `quarantine`."""
    return Call("DELETE", f"{_version_target(model, version)}/{mark}", wire.Revision)


def retire(model: str, version: str, reason: str) -> Call[wire.Revision]:
    """Remove one private revision's files."""
    body = _json(wire.Reason(reason=require_text(reason, "reason")))
    return Call("POST", f"{_version_target(model, version)}/retire", wire.Revision, body)


def put_attestation(model: str, version: str, bundle: bytes) -> Call[wire_attestations.Attestation]:
    """Put a signature beside a version."""
    return Call(
        "PUT", f"{_version_target(model, version)}/attestations", wire_attestations.Attestation, bundle
    )


def attestations(model: str, selector: str) -> Call[wire_attestations.Attestations]:
    """Get the signatures of what a selector means now."""
    return Call("GET", f"{revision_target(model, selector)}/attestations", wire_attestations.Attestations)


def diff(model: str, a: str, b: str, wait_seconds: int | None) -> Call[msgspec.Raw]:
    """Ask how two revisions differ; the answer is a diff, or with status 202 how far it is."""
    sides = [_segment(parse_selector(require_text(side, "revision")).text) for side in (a, b)]
    target = f"{model_target(model)}/revisions/{sides[0]}..{sides[1]}/diff"
    return Call("GET", _with_query(target, wait=wait_seconds), msgspec.Raw)


# --- publishing -----------------------------------------------------------------------------------


def check(model: str, body: wire.Publish) -> Call[wire.Check]:
    """Ask for the verdict on a publish without publishing."""
    target = f"{model_target(model)}/revisions?dry_run=true"
    return Call("POST", target, wire.Check, _json(body), patience_seconds=600)


def open_upload(model: str, body: wire.Publish) -> Call[wire.Upload]:
    """Open an upload and learn which blocks are missing."""
    return Call("POST", f"{model_target(model)}/uploads", wire.Upload, _json(body), patience_seconds=600)


def put_block(model: str, upload: str, digest: str, data: bytes) -> Call[wire.StoredBlock]:
    """Send one block."""
    target = f"{model_target(model)}/uploads/{_named(upload, 'upload')}/blocks/{_segment(digest)}"
    return Call("PUT", target, wire.StoredBlock, data, BYTES)


def commit(model: str, body: wire.Publish) -> Call[wire.Revision]:
    """Make the revision exist; asking again for the same content gives the same revision."""
    target = f"{model_target(model)}/revisions"
    return Call("POST", target, wire.Revision, _json(body), patience_seconds=1800)
