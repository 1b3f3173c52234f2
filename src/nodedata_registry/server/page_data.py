"""What pages read, from the services: the implementation of `pages.PageData`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nodedata_registry import wire
from nodedata_registry.core.access import Caller, Scope
from nodedata_registry.core.diff import RevisionDiff
from nodedata_registry.core.facts import FileFacts
from nodedata_registry.core.versions import Version
from nodedata_registry.server import render
from nodedata_registry.server.pages.data import FileFigures, RevisionContent, SearchQuery, Visitor
from nodedata_registry.server.ports import Progress, ReadTransaction
from nodedata_registry.server.rows import RevisionRow
from nodedata_registry.server.service import compare, models, resolve, workspaces
from nodedata_registry.server.service.identify import identify_by_hash
from nodedata_registry.server.service.locate import find_model, get_revision
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.stored import card_of, file_facts_of, manifest_of
from nodedata_registry.server.service.views import view_of

_READING = frozenset({Scope.MODELS_READ})


@dataclass(frozen=True, slots=True)
class RegistryPages:
    """`PageData` on a registry."""

    registry: Registry

    @property
    def require_key(self) -> bool:
        """Return whether nothing is shown without a key."""
        return self.registry.require_key

    def enter(self, key_sha256: str) -> Visitor:
        """Return the visitor behind a key, narrowed to reading; see `PageData.enter`."""
        caller = identify_by_hash(self.registry, key_sha256)
        with self.registry.catalog.read() as tx:
            account = tx.accounts.get(caller.account_id or "")
        narrowed = replace(caller, key_scopes=caller.key_scopes & _READING)
        return Visitor(narrowed, None if account is None else account.name)

    def search(self, caller: Caller, query: SearchQuery) -> wire.Models:
        """Return a page of models; see `PageData.search`."""
        page = models.search_models(
            self.registry,
            caller,
            query=query.q,
            task=query.task or None,
            framework=query.framework or None,
            license=query.license or None,
            workspace=query.workspace or None,
            cursor=query.cursor or None,
        )
        items = [render.model(summary) for summary in page.items]
        return wire.Models(items=items, next_cursor=page.next_cursor, has_more=page.has_more)

    def workspace(self, caller: Caller, slug: str) -> wire.Workspace:
        """Return a workspace that the visitor may see."""
        row, role = workspaces.get_workspace(self.registry, caller, slug)
        return render.workspace(row, None if role is None else role.value)

    def model(self, caller: Caller, ref: str) -> wire.Model:
        """Return a model that the visitor may see."""
        return render.model(models.get_model(self.registry, caller, ref))

    def revisions(self, caller: Caller, ref: str, cursor: str | None) -> wire.Revisions:
        """Return a page of revisions; see `PageData.revisions`."""
        page = resolve.list_revisions(self.registry, caller, ref, cursor=cursor)
        items = [render.revision(view) for view in page.items]
        return wire.Revisions(items=items, next_cursor=page.next_cursor, has_more=page.has_more)

    def resolve(self, caller: Caller, ref: str, selector: str) -> str:
        """Return the version that the selector means now."""
        return str(resolve.resolve(self.registry, caller, ref, selector).view.row.version)

    def content(self, caller: Caller, ref: str, version: str) -> RevisionContent:
        """Return exactly that version, whatever its marks; see `PageData.content`."""
        wanted = Version.parse(version)
        with self.registry.catalog.read() as tx:
            model = find_model(self.registry, tx, caller, ref)
            row = get_revision(tx, model, wanted)
            shown = render.revision(view_of(tx, model, row))
            if row.quarantine is not None:
                return RevisionContent(shown, "", ())
            return _content(tx, row, shown)

    def diff(
        self, caller: Caller, ref: str, a: str, b: str, wait_seconds: float
    ) -> RevisionDiff | wire.DiffProgress:
        """Return what `b` changed against `a`; see `PageData.diff`."""
        found = compare.compare(self.registry, caller, ref, a, b, wait_seconds=wait_seconds)
        return render.progress(found) if isinstance(found, Progress) else found


def _content(tx: ReadTransaction, row: RevisionRow, shown: wire.Revision) -> RevisionContent:
    entries = manifest_of(tx, row).files
    facts = file_facts_of(tx, entries)
    return RevisionContent(
        revision=shown,
        card=card_of(tx, row).text,
        files=tuple(render.file(entry, facts[entry.path]) for entry in entries),
        figures={path: _figures(one) for path, one in facts.items() if one.weights},
    )


def _figures(facts: FileFacts) -> FileFigures:
    return FileFigures(
        tensor_count=len(facts.tensors),
        parameter_count=facts.parameter_count,
        metadata=dict(facts.metadata),
    )
