"""Every rule of a publish, in the contract's order, over whatever evidence there is so far.

    version syntax · does the version exist · parent · paths · card · weights · schema ·
    nothing_changed · successor · bump

The same function runs when an upload opens (facts from the header ranges that the client sent), for
a dry run, and inside the commit's transaction (facts from the stored bytes), so a verdict can only
change when the model has changed in between. Key, visibility and scope were checked before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nodedata_registry.core.bump import Notice, Verdict, check_accept, check_verdict
from nodedata_registry.core.card import find_card_path
from nodedata_registry.core.facts import FileFacts, RevisionFacts, revision_facts
from nodedata_registry.core.imported import check_imported
from nodedata_registry.core.manifest import Manifest, overlay
from nodedata_registry.core.schema import check_entry
from nodedata_registry.core.versions import Version, check_successor
from nodedata_registry.errors import DigestMismatch, InvalidInput, NothingChanged, VersionExists
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.rows import ModelRow, RevisionRow
from nodedata_registry.server.service.publish.bases import Lineage, judge_at, smallest_version
from nodedata_registry.server.service.publish.evidence import Evidence
from nodedata_registry.server.service.publish.order import PublishOrder
from nodedata_registry.server.service.stored import file_facts_of, manifest_of, parsed_card


@dataclass(frozen=True, slots=True)
class Exists:
    """The very revision is published already: nothing is left to judge."""

    row: RevisionRow


@dataclass(frozen=True, slots=True)
class Examined:
    """A publish that passed every rule except, where `enforce` was off, the bump."""

    version: Version
    parent: RevisionRow | None
    predecessor: Version | None
    manifest: Manifest
    facts: RevisionFacts
    verdict: Verdict
    warnings: tuple[Notice, ...]

    @property
    def card_sha256(self) -> str:
        """SHA-256 of the card's file."""
        entry = self.manifest.get(self.facts.card.path)
        assert entry is not None, "the card was found among the manifest's paths"
        return entry.sha256


def examine(
    tx: ReadTransaction,
    model: ModelRow,
    order: PublishOrder,
    evidence: Evidence,
    *,
    enforce: bool = True,
) -> Exists | Examined:
    """Return what the order would publish, or the revision that it published already.

    With `enforce` off a bump that is too low is told by the verdict and not raised.

    Raises:
        InvalidVersion, VersionExists, InvalidParent, InvalidPath, CardRequired, InvalidCard,
        InvalidWeights, SchemaMismatch, SchemaContradicted, NothingChanged, VersionNotSuccessor,
        VersionGap, VersionTooLow, InvalidReason; DigestMismatch: the client composed another manifest.
    """
    wanted = None if order.is_auto else Version.parse(order.version)
    lineage = Lineage.read(tx, model)
    existing = None if wanted is None else lineage.row(wanted)
    if existing is not None:
        return _same_or_refused(tx, lineage, order, existing)
    parent = lineage.parent(order.parent, wanted)
    base = None if parent is None else manifest_of(tx, parent)
    manifest = _compose(base, order)
    if parent is not None and order.is_auto and _equal(parent, manifest, order):
        return Exists(parent)
    facts = _facts(tx, manifest, order, evidence)
    if parent is not None and manifest.digest == parent.manifest_digest:
        raise _nothing_changed(parent)
    check_accept(order.accept)
    if order.imported is not None:
        check_imported(order.imported)
    version = wanted or smallest_version(tx, lineage, parent, facts, order.accept)
    check_successor(version, lineage.versions, allow_gap=order.allow_gap)
    judged, predecessor = judge_at(tx, lineage, version, parent, facts, order.accept)
    verdict = replace(judged, imported=order.imported)
    if enforce:
        check_verdict(verdict)
    return Examined(
        version=version,
        parent=parent,
        predecessor=predecessor,
        manifest=manifest,
        facts=facts,
        verdict=verdict,
        warnings=(*lineage.warnings(parent, version), *verdict.warnings),
    )


def published_already(tx: ReadTransaction, model: ModelRow, order: PublishOrder) -> Exists | None:
    """Return the revision that the order published before, if its version is taken by just that.

    Raises:
        InvalidVersion: the version is none.
        VersionExists: the version is taken by something else; the message names what differs.
    """
    if order.is_auto:
        return None
    lineage = Lineage.read(tx, model)
    existing = lineage.row(Version.parse(order.version))
    return None if existing is None else _same_or_refused(tx, lineage, order, existing)


def _same_or_refused(
    tx: ReadTransaction, lineage: Lineage, order: PublishOrder, existing: RevisionRow
) -> Exists:
    """Return the existing revision if the order says the same again, whatever its marks are now.

    An order that is wrong by a later rule differs, too: no later rule is judged here.
    """
    differs = []
    stored = None if existing.parent is None else str(existing.parent)
    if order.parent is not None and order.parent != stored:
        differs.append(f"parent ({existing.parent or 'none'}, not {order.parent[:40]})")
    files = _differing_files(tx, lineage, order, existing)
    if files is not None:
        differs.append(files)
    if order.changelog != existing.changelog:
        differs.append("changelog")
    if not differs:
        return Exists(existing)
    raise VersionExists(
        f"version {existing.version} is published already and differs in: {'; '.join(differs)}."
        " A published version never changes: publish the next one",
        field="version",
        details={"version": str(existing.version), "differs": differs, "revision_id": existing.id},
    )


def _differing_files(
    tx: ReadTransaction, lineage: Lineage, order: PublishOrder, existing: RevisionRow
) -> str | None:
    try:
        asked = compose_again(tx, lineage, order, existing)
    except InvalidInput as error:
        return f"files ({error.message})"
    if asked.digest == existing.manifest_digest:
        return None
    old = {entry.path: entry.sha256 for entry in manifest_of(tx, existing).files}
    new = {entry.path: entry.sha256 for entry in asked.files}
    paths = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return "files " + ", ".join(paths[:5]) + more


def compose_again(
    tx: ReadTransaction, lineage: Lineage, order: PublishOrder, existing: RevisionRow
) -> Manifest:
    """Return what the order gives when laid over the parent that the existing revision has."""
    parent = None if existing.parent is None else lineage.row(existing.parent)
    base = None if parent is None else manifest_of(tx, parent)
    return _compose(base, order, missing_ok=True)


def _compose(base: Manifest | None, order: PublishOrder, *, missing_ok: bool = False) -> Manifest:
    entries = [file.entry for file in order.files]
    allowed = missing_ok or order.is_auto
    manifest = overlay(base, entries, order.remove, whole=order.whole, missing_ok=allowed)
    if order.manifest_digest is not None and order.manifest_digest != manifest.digest and not missing_ok:
        raise DigestMismatch(
            "the manifest composed here differs from the client's"
            f" ({manifest.digest}, not {order.manifest_digest}): its parent is another one; resolve it again",
            field="manifest_digest",
        )
    return manifest


def _equal(parent: RevisionRow, manifest: Manifest, order: PublishOrder) -> bool:
    return manifest.digest == parent.manifest_digest and order.changelog == parent.changelog


def _facts(tx: ReadTransaction, manifest: Manifest, order: PublishOrder, evidence: Evidence) -> RevisionFacts:
    own = {file.entry.path for file in order.files}
    card = manifest.get(find_card_path(entry.path for entry in manifest.files))
    assert card is not None
    read_card = evidence.card_bytes_of if card.path in own else evidence.inherited_card_bytes_of
    card_data = read_card(card)
    # The card is judged before the weights; what it states is joined with them further down.
    check_entry(parsed_card(card.path, card_data).entry, {entry.path for entry in manifest.files})
    inherited = tuple(entry for entry in manifest.files if entry.path not in own)
    facts: Mapping[str, FileFacts] = file_facts_of(tx, inherited)
    fresh = [evidence.facts_of(entry) for entry in manifest.files if entry.path in own]
    return revision_facts([*facts.values(), *fresh], card_data)


def _nothing_changed(parent: RevisionRow) -> NothingChanged:
    return NothingChanged(
        f"every file equals those of {parent.version}: there is nothing to publish",
        field="files",
        details={"parent": str(parent.version)},
    )
