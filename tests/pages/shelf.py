"""A registry's content as values: what `PageData` may answer, hostile text included.

Services would refuse some of it (a name with markup, say). Pages must be safe all the same, so
their tests hand them what no service would.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from nodedata_registry import wire
from nodedata_registry.core.access import Caller
from nodedata_registry.core.diff_values import RevisionDiff
from nodedata_registry.errors import (
    ModelNotFound,
    NotAuthenticated,
    RevisionNotFound,
    RevisionQuarantined,
    WorkspaceNotFound,
)
from nodedata_registry.server.pages.data import RevisionContent, SearchQuery, Visitor

START = datetime(2026, 3, 2, 9, 30, tzinfo=timezone.utc)


@dataclass
class Shelf:
    """Models, their revisions and diffs, kept in memory. `keys` maps key hashes to account names."""

    models: dict[str, wire.Model] = field(default_factory=dict)
    contents: dict[str, list[RevisionContent]] = field(default_factory=dict)
    diffs: dict[tuple[str, str, str], RevisionDiff | wire.DiffProgress] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    require_key: bool = False

    def put(self, model: wire.Model, contents: list[RevisionContent]) -> None:
        """Keep a model with its revisions, oldest first."""
        self.models[model.ref] = model
        self.contents[model.ref] = contents

    def enter(self, key_sha256: str) -> Visitor:
        if key_sha256 not in self.keys:
            raise NotAuthenticated("the API key is not known here")
        return Visitor(Caller(account_id="usr_1"), self.keys[key_sha256])

    def _visible(self, caller: Caller) -> list[wire.Model]:
        if self.require_key and caller.account_id is None:
            raise NotAuthenticated("this registry shows nothing without a key")
        signed_in = caller.account_id is not None
        return [model for model in self.models.values() if signed_in or model.visibility == "public"]

    def search(self, caller: Caller, query: SearchQuery) -> wire.Models:
        found = [
            model
            for model in self._visible(caller)
            if query.q.lower() in f"{model.ref} {model.title}".lower()
            and query.workspace in ("", model.workspace)
            and query.task in ("", model.task)
        ]
        return wire.Models(items=found, next_cursor=None, has_more=False)

    def workspace(self, caller: Caller, slug: str) -> wire.Workspace:
        if slug not in {model.workspace for model in self._visible(caller)}:
            raise WorkspaceNotFound(f"there is no workspace {slug}")
        return wire.Workspace(id="ws_1", slug=slug, retention=None, role=None, created_at=START)

    def model(self, caller: Caller, ref: str) -> wire.Model:
        for model in self._visible(caller):
            if model.ref == ref:
                return model
        raise ModelNotFound(f"there is no model {ref}")

    def revisions(self, caller: Caller, ref: str, cursor: str | None) -> wire.Revisions:
        newest_first = [content.revision for content in reversed(self.contents[ref])]
        start = int(cursor or 0)
        shown = newest_first[start : start + 30]
        more = len(newest_first) > start + 30
        return wire.Revisions(items=shown, next_cursor=str(start + 30) if more else None, has_more=more)

    def resolve(self, caller: Caller, ref: str, selector: str) -> str:
        served = [
            one.revision
            for one in self.contents[ref]
            if one.revision.quarantined is None and one.revision.retired is None
        ]
        if not served and self.contents[ref]:
            raise RevisionQuarantined("every revision was taken down")
        if not served:
            raise RevisionNotFound(f"{ref} has no revision")
        live = [revision for revision in served if revision.yanked is None]
        return (live or served)[-1].version

    def content(self, caller: Caller, ref: str, version: str) -> RevisionContent:
        for content in self.contents[ref]:
            if content.revision.version == version:
                return content
        raise RevisionNotFound(f"{ref} has no revision {version}")

    def diff(
        self, caller: Caller, ref: str, a: str, b: str, wait_seconds: float
    ) -> RevisionDiff | wire.DiffProgress:
        found = self.diffs.get((ref, a, b))
        if found is None:
            raise RevisionNotFound(f"{ref} has no {a}..{b}")
        return found


def at(days: float) -> datetime:
    """Return a moment `days` after the first publish."""
    return START + timedelta(days=days)


def make_model(ref: str, **changes: object) -> wire.Model:
    """Return a public model; `changes` replaces fields."""
    workspace, _, name = ref.partition("/")
    fields: dict[str, object] = {
        "id": "mdl_01JNQ6W2ZC8V9M3F7T5R1K0X4B",
        "ref": ref,
        "workspace": workspace,
        "name": name,
        "visibility": "public",
        "title": None,
        "license": "Apache-2.0",
        "task": "grasping",
        "framework": "pytorch",
        "latest": None,
        "revision_count": 0,
        "created_at": START,
        "updated_at": START,
    }
    return wire.Model(**{**fields, **changes})  # type: ignore[arg-type]


def make_revision(ref: str, version: str, **changes: object) -> wire.Revision:
    """Return an unmarked revision; `changes` replaces fields."""
    fields: dict[str, object] = {
        "id": "rev_01JNQ6W2ZC8V9M3F7T5R1K0X4C",
        "model_id": "mdl_01JNQ6W2ZC8V9M3F7T5R1K0X4B",
        "model": ref,
        "version": version,
        "sequence": 1,
        "parent": None,
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "commit": "5f2c1b1e9d0a4c3b8e7f6a5d4c3b2a1908f7e6d5",
        "changelog": "First release.",
        "title": None,
        "license": "Apache-2.0",
        "task": "grasping",
        "framework": "pytorch",
        "size_bytes": 0,
        "file_count": 0,
        "parameter_count": 0,
        "created_at": START,
        "created_by": "usr_01JNQ6W2ZC8V9M3F7T5R1K0X4D",
        "schema": None,
        "benchmarks": [],
        "verdict": wire.Verdict(rules=1, asked="none", bases=[], accepted=[]),
        "warnings": [],
        "yanked": None,
        "held": None,
        "quarantined": None,
        "retired": None,
    }
    return wire.Revision(**{**fields, **changes})  # type: ignore[arg-type]
