"""Checking that the registry holds what it promises, from the events down to the bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from nodedata_registry.core.digests import sha256_hex
from nodedata_registry.core.manifest import FileEntry, Manifest, RevisionRecord
from nodedata_registry.errors import NodeDataError
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.rows import ContentRow, EventRow, ModelRow, RevisionRow
from nodedata_registry.server.service.registry import Registry

_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as promised: where, and what was found."""

    where: str
    message: str


@dataclass(slots=True)
class FsckReport:
    """What was checked and what is wrong; `orphans` are blocks that the next sweep may take."""

    revisions: int = 0
    files: int = 0
    blocks: int = 0
    bytes_read: int = 0
    orphans: int = 0
    events: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def fsck(
    registry: Registry,
    *,
    read_data: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> FsckReport:
    """Check every event, revision, file and block; with `read_data` every stored byte as well.

    Checked: events are gap-free and say what their canonical bytes say; manifest digests and commits
    are what their bytes give; every file of an unretired revision has its blocks, with their sizes;
    with `read_data` each block has its BLAKE3 and each file its SHA-256. Nothing is changed.
    `progress(done, total)` counts contents.
    """
    report = FsckReport()
    with registry.catalog.read() as tx:
        _check_events(tx, report)
        contents = _check_revisions(tx, report)
        known = tx.contents.many(contents)
        rows = {sha256: known.get(sha256) for sha256 in contents}
        referenced = set(tx.contents.referenced_blocks())
    for done, (sha256, row) in enumerate(sorted(rows.items()), start=1):
        _check_content(registry, contents[sha256], row, report, read_data=read_data)
        if progress is not None:
            progress(done, len(rows))
    report.orphans = sum(1 for block in registry.blobs.iterate() if block.digest not in referenced)
    return report


def _check_events(tx: ReadTransaction, report: FsckReport) -> None:
    expected = 1
    while rows := tx.events.after(expected - 1, _EVENTS):
        for row in rows:
            if row.sequence != expected:
                report.problems.append(Problem(f"event {expected}", f"missing; the next is {row.sequence}"))
            if not _says_what_its_row_says(row):
                report.problems.append(Problem(f"event {row.sequence}", "its canonical bytes are others"))
            expected = row.sequence + 1
        report.events += len(rows)


class _Said(msgspec.Struct):
    """The part of an event's canonical bytes that stands in columns of its row, too."""

    sequence: int
    id: str
    kind: str
    account_id: str | None
    workspace_id: str | None
    model_id: str | None
    revision_id: str | None


def _says_what_its_row_says(row: EventRow) -> bool:
    try:
        said = msgspec.json.decode(row.canonical, type=_Said)
    except msgspec.DecodeError:
        return False
    return all(getattr(said, name) == getattr(row, name) for name in _Said.__struct_fields__)


def _check_revisions(tx: ReadTransaction, report: FsckReport) -> dict[str, tuple[str, FileEntry]]:
    """Check the records; return the contents that unretired revisions need, each with one place."""
    needed: dict[str, tuple[str, FileEntry]] = {}
    for model, row in _revisions(tx):
        report.revisions += 1
        where = f"{model.ref}@{row.version}"
        manifest = _check_record(tx, where, row, report)
        if manifest is None or row.retirement is not None:
            continue
        report.files += len(manifest.files)
        for entry in manifest.files:
            needed.setdefault(entry.sha256, (where, entry))
    return needed


def _revisions(tx: ReadTransaction) -> Iterator[tuple[ModelRow, RevisionRow]]:
    for workspace in tx.workspaces.all():
        for model in tx.models.in_workspace(workspace.id):
            for row in tx.revisions.list(model.id):
                yield model, row


def _check_record(tx: ReadTransaction, where: str, row: RevisionRow, report: FsckReport) -> Manifest | None:
    manifest = tx.revisions.manifest(row.manifest_digest)
    if manifest is None or manifest.digest != row.manifest_digest:
        report.problems.append(Problem(where, f"its manifest is not {row.manifest_digest}"))
        return None
    parent = None if row.parent is None else str(row.parent)
    said = RevisionRecord(row.model_id, row.version, parent, manifest.digest, row.changelog)
    if said.commit != row.commit:
        report.problems.append(Problem(where, f"its commit is {said.commit}, not {row.commit}"))
    card = tx.contents.text(row.card_sha256)
    if card is None or sha256_hex(card) != row.card_sha256:
        report.problems.append(Problem(where, "its card is missing or damaged"))
    return manifest


def _check_content(
    registry: Registry,
    place: tuple[str, FileEntry],
    row: ContentRow | None,
    report: FsckReport,
    *,
    read_data: bool,
) -> None:
    where, entry = place
    label = f"{where} {entry.path}"
    if row is None or sum(block.size_bytes for block in row.blocks) != entry.size_bytes:
        report.problems.append(Problem(label, "its list of blocks is missing or does not fit its size"))
        return
    digest = hashlib.sha256()
    for block in row.blocks:
        report.blocks += 1
        try:
            if read_data:
                data = registry.blobs.get(block.digest, verify=True)
                report.bytes_read += len(data)
                digest.update(data)
            size = registry.blobs.size(block.digest)
        except NodeDataError as error:
            report.problems.append(Problem(label, f"block {block.digest}: {error.message}"))
            return
        if size != block.size_bytes:
            report.problems.append(Problem(label, f"block {block.digest} has {size} bytes"))
            return
    if read_data and digest.hexdigest() != entry.sha256:
        report.problems.append(Problem(label, f"its SHA-256 is {digest.hexdigest()}"))
