"""What pages need of the registry: wire structs, as the visitor may see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from nodedata_registry import wire
from nodedata_registry.core.access import ANONYMOUS, Caller
from nodedata_registry.core.diff_values import RevisionDiff


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page; `name` is the account's, or `None` for a visitor without a session."""

    caller: Caller = ANONYMOUS
    name: str | None = None


NOBODY = Visitor()


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What the search form and the facet links ask for; an empty text filters nothing."""

    q: str = ""
    task: str = ""
    framework: str = ""
    license: str = ""
    workspace: str = ""
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class FileFigures:
    """What a weight file's header says: how many tensors and scalars, and its own metadata."""

    tensor_count: int = 0
    parameter_count: int = 0
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RevisionContent:
    """A revision whatever its marks: the card's Markdown, the files, and figures by path.

    Of a quarantined revision `card` is empty and `files` has nothing: it is not served.
    """

    revision: wire.Revision
    card: str
    files: tuple[wire.File, ...]
    figures: dict[str, FileFigures] = field(default_factory=dict)


class PageData(Protocol):
    """Everything that pages read. Synchronous, and safe from many threads.

    Every method raises what the service behind it raises: `ModelNotFound`, `RevisionNotFound`,
    `WorkspaceNotFound`, `NotAuthenticated` and so on.
    """

    @property
    def require_key(self) -> bool:
        """Return whether nothing at all is shown without a key."""
        ...

    def enter(self, key_sha256: str) -> Visitor:
        """Return the visitor behind a key, narrowed to reading. Raises `NotAuthenticated`."""
        ...

    def search(self, caller: Caller, query: SearchQuery) -> wire.Models:
        """Return a page of models; an empty query lists what changed last."""
        ...

    def workspace(self, caller: Caller, slug: str) -> wire.Workspace:
        """Return the workspace and the caller's role in it."""
        ...

    def model(self, caller: Caller, ref: str) -> wire.Model:
        """Return the model; `ref` is `workspace/name`."""
        ...

    def revisions(self, caller: Caller, ref: str, cursor: str | None) -> wire.Revisions:
        """Return a page of the model's revisions, the newest published first."""
        ...

    def resolve(self, caller: Caller, ref: str, selector: str) -> str:
        """Return the version that the selector means now."""
        ...

    def content(self, caller: Caller, ref: str, version: str) -> RevisionContent:
        """Return exactly that version, yanked, retired or quarantined ones too."""
        ...

    def diff(
        self, caller: Caller, ref: str, a: str, b: str, wait_seconds: float
    ) -> RevisionDiff | wire.DiffProgress:
        """Return what `b` changed against `a`, or how far the computation is after `wait_seconds`."""
        ...
