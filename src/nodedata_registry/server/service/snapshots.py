"""A model at one revision as a tree of files with a history, and how often it was downloaded."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from nodedata_registry.core.access import Caller
from nodedata_registry.core.manifest import Manifest
from nodedata_registry.core.selectors import Latest, resolve
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import Gone, LimitReached, RevisionNotFound, Unavailable
from nodedata_registry.server.rows import ModelRow, RevisionRow
from nodedata_registry.server.service.locate import find_model
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.resolve import locate
from nodedata_registry.server.service.stored import manifest_of
from nodedata_registry.server.service.views import Resolved, view_of

log = logging.getLogger("nodedata_registry.downloads")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A revision and its files."""

    resolved: Resolved
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Named:
    """A model's revisions that are served, highest version first, and what `latest` gives."""

    latest: RevisionRow | None
    served: tuple[RevisionRow, ...]


def version_of_commit(registry: Registry, caller: Caller, ref: str, commit: str) -> Version:
    """Return the version of the model that has that commit (40 lower-case hex).

    Raises:
        ModelNotFound.
        RevisionNotFound: no revision of this model has it.
    """
    with registry.catalog.read() as tx:
        model = find_model(registry, tx, caller, ref)
        row = tx.revisions.by_commit(model.id, commit)
    if row is None:
        raise RevisionNotFound(
            f"{model.ref} has no revision with the commit {commit[:40]!a}:"
            f" list what it has with `node-data model show {model.ref}`",
            field="revision",
        )
    return row.version


def find_snapshot(registry: Registry, caller: Caller, ref: str, selector: str) -> Snapshot:
    """Return what the selector means now, with its files.

    Raises:
        As `resolve` does.
    """
    with registry.catalog.read() as tx:
        model, row = locate(registry, tx, caller, ref, selector)
        return Snapshot(Resolved(selector.strip(), view_of(tx, model, row)), manifest_of(tx, row))


def history(
    registry: Registry, caller: Caller, ref: str, selector: str, *, skip: int, limit: int
) -> tuple[list[RevisionRow], bool]:
    """Return a revision and its parents, newest first: `limit` of them behind the first `skip`.

    The second value tells whether more follow.

    Raises:
        As `resolve` does.
    """
    with registry.catalog.read() as tx:
        model, row = locate(registry, tx, caller, ref, selector)
        chain: list[RevisionRow] = []
        # A parent has a lower version, so the walk ends.
        step: RevisionRow | None = row
        while step is not None and len(chain) < skip + limit + 1:
            chain.append(step)
            step = None if step.parent is None else tx.revisions.get(model.id, step.parent)
    return chain[skip : skip + limit], len(chain) > skip + limit


def named_revisions(registry: Registry, caller: Caller, ref: str) -> Named:
    """Return the model's revisions whose files are served; yanked ones are, too.

    Raises:
        ModelNotFound.
    """
    with registry.catalog.read() as tx:
        model = find_model(registry, tx, caller, ref)
        rows = tx.revisions.list(model.id)
        try:
            latest = resolve(tx.revisions.candidates(model.id), Latest()).version
        except (RevisionNotFound, Gone):
            return Named(None, ())
    served = tuple(row for row in rows if row.retirement is None and row.quarantine is None)
    return Named(next(row for row in served if row.version == latest), served)


def counts_as_download(snapshot: Manifest, path: str) -> bool:
    """Tell whether fetching this file is the download of the revision: it is the largest, the first of such.

    One file stands for all, so that fetching a whole revision counts once.
    """
    largest = max(snapshot.files, key=lambda entry: entry.size_bytes, default=None)
    return largest is not None and largest.path == path


def count_download(registry: Registry, model: ModelRow, row: RevisionRow, path: str) -> None:
    """Count that the file was downloaded, if it stands for its revision.

    A figure is not worth a failed download: a full disk or a busy catalog loses it, and says so in the log.
    """
    try:
        with registry.catalog.read() as tx:
            counts = counts_as_download(manifest_of(tx, row), path)
        if counts:
            with registry.catalog.write() as writing:
                writing.downloads.add(model.id, row.id)
    except (Unavailable, LimitReached) as error:
        log.warning("a download of %s %s was not counted: %s", model.ref, row.version, error)


def downloads_of(registry: Registry, models: Iterable[ModelRow]) -> dict[str, int]:
    """Return how often each of the models was downloaded, by id; 0 for one that never was."""
    wanted = [model.id for model in models]
    with registry.catalog.read() as tx:
        found = tx.downloads.of(wanted)
    return {model_id: found.get(model_id, 0) for model_id in wanted}
