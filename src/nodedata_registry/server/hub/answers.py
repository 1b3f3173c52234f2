"""The JSON that Hub clients read, as structs. Members are spelled as the clients spell them.

Members left out when they are unknown are those that clients look for with a default. Times are text,
`2025-01-02T03:04:05.678Z`: older clients parse no other precision.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What all answers have in common."""


class SiblingLfs(Answer, frozen=True):
    """The digest of a file in a list of siblings."""

    sha256: str
    size: int
    pointer_size: int


class Sibling(Answer, frozen=True):
    """A file of a revision; sizes and digests only where they were asked for (`?blobs=true`)."""

    rfilename: str
    size: int | None = None
    blob_id: str | None = None
    lfs: SiblingLfs | None = None


class CardData(Answer, frozen=True, rename=None):
    """What a card states, under the names that Hub cards use. Each has the type that clients expect."""

    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    language: str | list[str] | None = None
    library_name: str | None = None
    pipeline_tag: str | None = None
    tags: list[str] | None = None
    datasets: str | list[str] | None = None
    metrics: list[str] | None = None
    base_model: str | list[str] | None = None


class ModelInfo(Answer, frozen=True):
    """A model at one revision; without `sha` and siblings in lists, and where it has no revision."""

    internal_id: str = msgspec.field(name="_id")
    id: str
    model_id: str
    author: str
    private: bool
    gated: Literal[False] = msgspec.field(name="gated")
    disabled: Literal[False] = msgspec.field(name="disabled")
    downloads: int = msgspec.field(name="downloads")
    likes: int = msgspec.field(name="likes")
    created_at: str
    last_modified: str
    tags: list[str]
    siblings: list[Sibling]
    sha: str | None = None
    used_storage: int | None = None
    library_name: str | None = msgspec.field(name="library_name", default=None)
    pipeline_tag: str | None = msgspec.field(name="pipeline_tag", default=None)
    card_data: CardData | None = None


class TreeLfs(Answer, frozen=True):
    """The digest of a file in a tree: `oid` is its SHA-256."""

    oid: str
    size: int
    pointer_size: int


class LastCommit(Answer, frozen=True):
    """The revision that an entry was read from."""

    id: str
    title: str
    date: str


class TreeFile(Answer, frozen=True):
    """A file of a tree."""

    type: Literal["file"]
    path: str
    size: int
    oid: str
    lfs: TreeLfs
    last_commit: LastCommit | None = None


class TreeFolder(Answer, frozen=True):
    """A folder of a tree."""

    type: Literal["directory"]
    path: str
    size: int
    oid: str
    last_commit: LastCommit | None = None


class GitRef(Answer, frozen=True):
    """A name for a commit."""

    name: str
    ref: str
    target_commit: str


class Refs(Answer, frozen=True):
    """The names by which a model's revisions are found: every member is required by clients."""

    branches: list[GitRef]
    converts: list[GitRef]
    tags: list[GitRef]
    pull_requests: list[GitRef]


class CommitAuthor(Answer, frozen=True):
    """The account that published."""

    user: str


class CommitInfo(Answer, frozen=True):
    """A revision in the history of one."""

    id: str
    title: str
    message: str
    date: str
    authors: list[CommitAuthor]


class Organisation(Answer, frozen=True):
    """A workspace of the caller."""

    type: Literal["org"]
    name: str
    role_in_org: str


class AccessToken(Answer, frozen=True):
    """The key that was sent."""

    display_name: str
    role: Literal["read"]


class Authorised(Answer, frozen=True):
    """How the caller was recognised."""

    type: Literal["access_token"]
    access_token: AccessToken


class WhoAmI(Answer, frozen=True):
    """The caller."""

    type: Literal["user"]
    id: str
    name: str
    fullname: str
    orgs: list[Organisation]
    auth: Authorised
