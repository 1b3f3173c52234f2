"""The diff of any two revisions: computed once per rules number, kept for ever.

    cached? ─► else one background run per pair: facts ─► pairs that must be read ─► counts ─► kept

Retired revisions keep their cached diffs; a new one is possible as long as no bytes must be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from nodedata_registry.core.access import Caller
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.bump import RULES, Accepted, asked_bump, judge
from nodedata_registry.core.diff import (
    BumpSummary,
    Changelog,
    DiffSide,
    ElementChange,
    RevisionDiff,
    bump_summary,
    diff,
    pairs,
    transfer_bytes,
)
from nodedata_registry.core.facts import RevisionFacts
from nodedata_registry.core.versions import Version, declared_bump
from nodedata_registry.errors import BlockNotFound, RevisionRetired
from nodedata_registry.server.ports import Progress, ReadTransaction
from nodedata_registry.server.rows import ContentRow, ModelRow, RevisionRow
from nodedata_registry.server.service.blocks import BlockSource
from nodedata_registry.server.service.locate import find_model, find_revision, get_revision
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.stored import judgement_of, manifest_of, revision_facts_of
from nodedata_registry.server.service.views import RevisionView, view_of
from nodedata_registry.server.tensors.compare import compare_pairs

Report = Callable[[int, int], None]


def compare(
    registry: Registry, caller: Caller, ref: str, a: str, b: str, *, wait_seconds: float | None = None
) -> RevisionDiff | Progress:
    """Return what changed from `a` to `b` (any selectors), or the progress once `wait_seconds` are over.

    Raises:
        ModelNotFound, InvalidSelector, RevisionNotFound, RevisionQuarantined.
        RevisionRetired: the diff was never computed and needs bytes that are gone.
    """
    wait = registry.limits.diff_wait_seconds if wait_seconds is None else wait_seconds
    with registry.catalog.read() as tx:
        model = find_model(registry, tx, caller, ref)
        row_a, row_b = _revision(tx, model, a), _revision(tx, model, b)
        kept = tx.diffs.get(row_a.id, row_b.id, RULES)
    if kept is not None:
        return RevisionDiff.from_json(kept)
    schedule(registry, row_a, row_b)
    progress = registry.diffs.wait((row_a.id, row_b.id), wait)
    with registry.catalog.read() as tx:
        kept = tx.diffs.get(row_a.id, row_b.id, RULES)
    if kept is not None:
        return RevisionDiff.from_json(kept)
    return progress or Progress(0, 0)


def yanked_side(registry: Registry, caller: Caller, ref: str, found: RevisionDiff) -> RevisionView | None:
    """Return the side of a diff that is yanked now, b before a; `None` if neither is."""
    with registry.catalog.read() as tx:
        model = find_model(registry, tx, caller, ref)
        for side in (found.b, found.a):
            row = get_revision(tx, model, Version.parse(side.version))
            if row.yank is not None:
                return view_of(tx, model, row)
    return None


def _revision(tx: ReadTransaction, model: ModelRow, selector: str) -> RevisionRow:
    """Return the revision that the selector means, a retired one if all its matches are retired."""
    try:
        return find_revision(tx, model, selector)
    except RevisionRetired as error:
        return get_revision(tx, model, Version.parse(str(error.details["version"])))


def schedule(registry: Registry, a: RevisionRow, b: RevisionRow) -> None:
    """Start computing the diff in the background, unless it is kept or under way."""
    with registry.catalog.read() as tx:
        if tx.diffs.get(a.id, b.id, RULES) is not None:
            return
    registry.diffs.submit((a.id, b.id), lambda report: _compute(registry, a, b, report))


def _compute(registry: Registry, a: RevisionRow, b: RevisionRow, report: Report) -> None:
    with registry.catalog.read() as tx:
        sides = _Sides.read(tx, a, b)
        steps = tuple(_steps(tx, a, b))
        bump = _bump(tx, sides, steps)
    touched = _counted(registry, sides, report)
    found = diff(
        DiffSide(str(a.version), a.manifest_digest, sides.facts_a),
        DiffSide(str(b.version), b.manifest_digest, sides.facts_b),
        touched=touched,
        transfer_bytes=transfer_bytes(_blocks(sides.contents_a), _blocks(sides.contents_b)),
        changelogs=tuple(Changelog(str(row.version), row.changelog) for row in steps),
        bump=bump,
    )
    with registry.catalog.write() as tx:
        tx.diffs.put(a.id, b.id, RULES, found.to_json())


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both revisions with their facts, and their contents by path."""

    a: RevisionRow
    b: RevisionRow
    facts_a: RevisionFacts
    facts_b: RevisionFacts
    contents_a: Mapping[str, ContentRow]
    contents_b: Mapping[str, ContentRow]

    @classmethod
    def read(cls, tx: ReadTransaction, a: RevisionRow, b: RevisionRow) -> _Sides:
        return cls(
            a,
            b,
            revision_facts_of(tx, a),
            revision_facts_of(tx, b),
            _contents(tx, a),
            _contents(tx, b),
        )


def _contents(tx: ReadTransaction, row: RevisionRow) -> dict[str, ContentRow]:
    manifest = manifest_of(tx, row)
    kept = tx.contents.many({entry.sha256 for entry in manifest.files})
    return {entry.path: kept[entry.sha256] for entry in manifest.files}


def _blocks(contents: Mapping[str, ContentRow]) -> Iterator[Block]:
    for content in contents.values():
        yield from content.blocks


def _counted(registry: Registry, sides: _Sides, report: Report) -> dict[tuple[str, str], ElementChange]:
    """Read and count every pair whose content differs; `report` gets bytes read of both sides."""
    wanted = pairs(sides.facts_a, sides.facts_b)
    total = sum(pair.a.tensor.stored_bytes + pair.b.tensor.stored_bytes for pair in wanted)
    done = 0

    def on_read(read_bytes: int) -> None:
        nonlocal done
        done += read_bytes
        report(done, total)

    report(0, total)
    try:
        return compare_pairs(
            wanted,
            lambda path: BlockSource(registry.blobs, sides.contents_a[path].blocks),
            lambda path: BlockSource(registry.blobs, sides.contents_b[path].blocks),
            on_read,
        )
    except BlockNotFound as error:
        raise _files_gone(sides) or error from error


def _files_gone(sides: _Sides) -> RevisionRetired | None:
    retired = [str(row.version) for row in (sides.a, sides.b) if row.retirement is not None]
    if not retired:
        return None
    return RevisionRetired(
        f"the diff of {sides.a.version} and {sides.b.version} was not computed before the files of"
        f" {' and '.join(retired)} were removed, and needs them",
        field="revision",
        details={"version": retired[0]},
    )


def _bump(tx: ReadTransaction, sides: _Sides, steps: Iterable[RevisionRow]) -> BumpSummary:
    """Return the way from a to b as it would be judged, with what was accepted on it.

    Where a code was accepted twice, the later reason is shown.
    """
    findings = judge(sides.facts_a, sides.facts_b)
    accepted: dict[str, Accepted] = {}
    for row in steps:
        for one in judgement_of(tx, row).verdict.accepted:
            accepted.setdefault(one.code, one)
    asked = asked_bump(findings, {code: one.reason for code, one in accepted.items()})
    declared = declared_bump(sides.a.version, sides.b.version)
    return bump_summary(declared, asked, findings, accepted.values())


def _steps(tx: ReadTransaction, a: RevisionRow, b: RevisionRow) -> Iterator[RevisionRow]:
    """Yield b and its parents, down to the nearest common ancestor with a, that one left out."""
    rows = {row.version: row for row in tx.revisions.list(b.model_id)}
    known = {row.id for row in _ancestry(rows, a)}
    for row in _ancestry(rows, b):
        if row.id in known:
            return
        yield row


def _ancestry(rows: Mapping[Version, RevisionRow], row: RevisionRow) -> Iterator[RevisionRow]:
    """Yield the revision, its parent, and so on; parents are lower, so this ends."""
    current: RevisionRow | None = row
    while current is not None:
        yield current
        current = None if current.parent is None else rows.get(current.parent)
