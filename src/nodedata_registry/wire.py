"""What crosses HTTP, as structs: used by the server to answer and by the SDK to ask.

Answers ignore fields they do not know, so that an older SDK reads a newer server. Requests refuse
them, so that a misspelt option is an error and not a silent default. Times are UTC datetimes
(RFC 3339 on the wire), digests lower-case hex, sizes bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

Visibility = Literal["public", "private"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything the registry answers."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: dicts, lists, strings, numbers, booleans and `None` only."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every request body."""


class Account(Answer, frozen=True):
    """Who acts."""

    id: str
    name: str
    operator: bool
    created_at: datetime


class Key(Answer, frozen=True):
    """An API key without its secret. `workspace` is a slug, `model` a model id."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    workspace: str | None
    model: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKey(Key, frozen=True):
    """A key just made: `key` is the secret, shown this once."""

    key: str


class Membership(Answer, frozen=True):
    """The caller's role in one workspace."""

    workspace: str
    role: str


class Me(Answer, frozen=True):
    """The caller: account, key, effective scopes of the key, memberships, granted model ids."""

    account: Account
    key: Key | None
    scopes: list[str]
    workspaces: list[Membership]
    granted_models: list[str]


class CreateAccount(Request, frozen=True):
    """Body of `POST /v1/accounts`. The answer carries the account's first key."""

    name: str
    operator: bool = False


class NewAccount(Account, frozen=True):
    """An account just made, with its first API key (shown once)."""

    key: str


class CreateKey(Request, frozen=True):
    """Body of `POST /v1/keys`: every part narrows the key; none widens it.

    `account_id` lets an operator make a key for another account.
    """

    name: str = ""
    scopes: list[str] | None = None
    workspace: str | None = None
    model: str | None = None
    expires_at: datetime | None = None
    account_id: str | None = None


class RetentionPolicy(Request, frozen=True):
    """Keep rules joined by OR; all absent keeps everything."""

    keep_last: int | None = None
    keep_days: int | None = None
    keep_latest_of: Literal["major", "minor"] | None = None
    keep_unyanked: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the rules that are set."""
        return {key: value for key, value in msgspec.structs.asdict(self).items() if value is not None}


class Workspace(Answer, frozen=True):
    """A workspace; `role` is the caller's, or `None`."""

    id: str
    slug: str
    retention: RetentionPolicy | None
    role: str | None
    created_at: datetime


class CreateWorkspace(Request, frozen=True):
    """Body of `POST /v1/workspaces`; the caller becomes its owner."""

    slug: str


class UpdateWorkspace(Request, frozen=True):
    """Body of `PATCH /v1/workspaces/{slug}`; `retention: null` keeps everything."""

    retention: RetentionPolicy | None


class Member(Answer, frozen=True):
    """One account's role in a workspace."""

    workspace: str
    account_id: str
    name: str
    role: str


class PutMember(Request, frozen=True):
    """Body of `PUT /v1/workspaces/{slug}/members/{usr}`."""

    role: Literal["reader", "publisher", "owner"]


class Model(Answer, frozen=True):
    """A model as lists show it: facts of its `latest` revision beside its own."""

    id: str
    ref: str
    workspace: str
    name: str
    visibility: Visibility
    title: str | None
    license: str | None
    task: str | None
    framework: str | None
    latest: str | None
    revision_count: int
    created_at: datetime
    updated_at: datetime


class CreateModel(Request, frozen=True):
    """Body of `POST /v1/models`; `ref` is `workspace/name`."""

    ref: str
    visibility: Visibility = "private"


class UpdateModel(Request, frozen=True):
    """Body of `PATCH /v1/models/{id}`. Going public needs `confirm`: the versions it publishes."""

    visibility: Visibility
    confirm: list[str] | None = None


class Grant(Answer, frozen=True):
    """An outside account's right to read one private model."""

    model_id: str
    account_id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class PutGrant(Request, frozen=True):
    """Body of `PUT /v1/models/{id}/grants/{usr}`."""

    expires_at: datetime | None = None


class Notice(Answer, frozen=True):
    """Something the publisher or consumer should hear; nothing is refused."""

    code: str
    message: str


class Mark(Answer, frozen=True):
    """A mark on a revision: why, when, and by which account."""

    reason: str
    at: datetime
    by: str


class Yank(Answer, frozen=True):
    """A yank: why, since when, and the version to go to (`None`: nowhere yet)."""

    reason: str
    at: datetime
    suggested: str | None


class Finding(Answer, frozen=True):
    """One reason for a bump: what the evidence asks for and why, in words."""

    code: str
    asks: str
    message: str
    subject: str | None


class BaseVerdict(Answer, frozen=True):
    """The judgement from one base: what was declared, what the evidence asks, and why."""

    version: str
    declared: str
    asked: str
    findings: list[Finding]


class Accepted(Answer, frozen=True):
    """A finding that an owner accepted, with the written reason."""

    code: str
    reason: str


class Imported(Request, frozen=True):
    """Where a revision was brought in from: the kind of source, and what names it there."""

    source: str
    reference: str


class Verdict(Answer, frozen=True):
    """The bump verdict as it was judged at publish, under rules number `rules`.

    Findings of an `imported` revision are told and were not enforced.
    """

    rules: int
    asked: str
    bases: list[BaseVerdict]
    accepted: list[Accepted]
    imported: Imported | None = None


class Tensor(Answer, frozen=True):
    """A declared input or output. An axis is a number, -1 (dynamic) or a symbol."""

    name: str
    shape: list[int | str]
    dtype: str | None
    optional: bool
    names: list[str] | None
    description: str | None


class Schema(Answer, frozen=True):
    """Declared inputs and outputs; `None` where nothing states them."""

    inputs: list[Tensor] | None
    outputs: list[Tensor] | None


class Benchmark(Answer, frozen=True):
    """One measured figure of a card."""

    name: str
    metric: str
    value: float
    higher_is_better: bool | None
    unit: str | None
    n: int | None
    stderr: float | None


class Revision(Answer, frozen=True):
    """One immutable published version, with its present marks."""

    id: str
    model_id: str
    model: str
    version: str
    sequence: int
    parent: str | None
    digest: str
    commit: str
    changelog: str
    title: str | None
    license: str
    task: str | None
    framework: str | None
    size_bytes: int
    file_count: int
    parameter_count: int
    created_at: datetime
    created_by: str
    schema: Schema | None
    benchmarks: list[Benchmark]
    verdict: Verdict
    warnings: list[Notice]
    yanked: Yank | None
    held: Mark | None
    quarantined: Mark | None
    retired: Mark | None


class Resolved(Answer, frozen=True):
    """What every answer under a selector names. `digest` is the manifest's SHA-256."""

    requested: str
    resolved: str
    digest: str
    commit: str
    model_id: str
    model: str
    yanked: Yank | None


class Resolution(Resolved, frozen=True):
    """What a selector means now."""

    revision: Revision


class File(Answer, frozen=True):
    """One file of a revision."""

    path: str
    size_bytes: int
    sha256: str
    format: str
    pickled: bool


class Manifest(Resolved, frozen=True):
    """A revision's files, sorted by path."""

    files: list[File]


class PlannedFile(Answer, frozen=True):
    """A file and the blocks whose concatenation it is: `[digest, size]` pairs in order."""

    path: str
    size_bytes: int
    sha256: str
    blocks: list[tuple[str, int]]


class Plan(Resolved, frozen=True):
    """Everything needed to fetch a revision; `cut` names the rule that cut the blocks."""

    cut: int
    files: list[PlannedFile]


class UploadFile(Request, frozen=True):
    """A file to publish: identity, blocks, and the byte ranges that checks read.

    `headers` are `[offset, bytes]` (bytes as base64): what the registry needs to judge the file
    before its weights are sent. Absent at commit, where the registry reads the blocks themselves.
    """

    path: str
    size_bytes: int
    sha256: str
    blocks: list[tuple[str, int]] = []
    headers: list[tuple[int, bytes]] = []


class Publish(Request, frozen=True):
    """Body of opening an upload, of a check, and of the commit (then with `upload`).

    `files` are laid over the parent's; with `whole` they are the whole revision. `parent` and
    `manifest_digest` may be absent; a stated digest that differs from what the registry composes
    is refused. `accept` maps finding codes to written reasons. `imported` says that the revision is
    part of a history that exists elsewhere: the bump is judged and recorded, and not enforced.
    """

    version: str
    files: list[UploadFile]
    changelog: str
    parent: str | None = None
    remove: list[str] = []
    whole: bool = False
    allow_gap: bool = False
    accept: dict[str, str] = {}
    manifest_digest: str | None = None
    upload: str | None = None
    imported: Imported | None = None


class Check(Answer, frozen=True):
    """The verdict on a publish that has not happened.

    `ok` is false when the declared bump is too low. `version` is what would be assigned. `changes`
    lists files added, modified and removed against the parent. `missing_bytes` is what a publish
    would have to send.
    """

    ok: bool
    version: str
    parent: str | None
    predecessor: str | None
    verdict: Verdict
    warnings: list[Notice]
    manifest_digest: str
    changes: list[FileChange]
    missing_bytes: int


class FileChange(Answer, frozen=True):
    """How one path differs from the parent: `added`, `modified`, `removed` or `renamed`."""

    path: str
    change: str
    old_path: str | None
    size_a_bytes: int | None
    size_b_bytes: int | None


class Upload(Answer, frozen=True):
    """An open upload: send the `missing` blocks before `expires_at`, then commit.

    `revision` is set, and `upload` is not, when the very revision exists already.
    """

    upload: str | None
    missing: list[str]
    missing_bytes: int
    expires_at: datetime | None
    check: Check | None
    revision: Revision | None


class StoredBlock(Answer, frozen=True):
    """A block that arrived, was verified and is durable."""

    digest: str
    size_bytes: int


class Reason(Request, frozen=True):
    """Body of every act that needs a written reason."""

    reason: str


class YankResult(Answer, frozen=True):
    """Versions whose yank state (or reason) changed, and those that matched but did not."""

    model_id: str
    requested: str
    changed: list[str]
    unchanged: list[str]


class DiffProgress(Answer, frozen=True):
    """A diff that is still being computed."""

    status: str
    done_bytes: int
    total_bytes: int


class RetentionItem(Answer, frozen=True):
    """One revision and what the policy does with it: `keep` or `retire`, with every reason."""

    model: str
    revision_id: str
    version: str
    action: str
    reasons: list[str]
    size_bytes: int


class RetentionPreview(Answer, frozen=True):
    """What applying the policy now would do; `digest` is what `apply` must be given."""

    workspace: str
    policy: RetentionPolicy | None
    digest: str
    items: list[RetentionItem]


class ApplyRetention(Request, frozen=True):
    """Body of `POST …/retention/apply`: the digest of the preview to execute."""

    preview: str


class RetentionResult(Answer, frozen=True):
    """The versions that were retired, as `workspace/name@version`."""

    workspace: str
    retired: list[str]


class Event(Answer, frozen=True):
    """One entry of the append-only record, as far as the caller may see it."""

    id: str
    kind: str
    at: datetime
    account_id: str | None
    workspace: str | None
    model_id: str | None
    model: str | None
    version: str | None
    body: dict[str, Any]


class Listing(Answer, frozen=True):
    """Base of lists: `items`, and the cursor that continues behind them."""

    next_cursor: str | None
    has_more: bool


class Models(Listing, frozen=True):
    """A page of models."""

    items: list[Model]


class Revisions(Listing, frozen=True):
    """A page of revisions, newest first."""

    items: list[Revision]


class Keys(Listing, frozen=True):
    """The caller's keys."""

    items: list[Key]


class Members(Listing, frozen=True):
    """A workspace's members."""

    items: list[Member]


class Workspaces(Listing, frozen=True):
    """The workspaces a caller may see."""

    items: list[Workspace]


class Grants(Listing, frozen=True):
    """A model's grants."""

    items: list[Grant]


class Events(Listing, frozen=True):
    """A page of events, oldest first. `next_cursor` is set even on the last page: poll with it."""

    items: list[Event]
