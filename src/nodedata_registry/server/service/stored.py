"""What is kept for ever beside a revision: facts of its files, its card, its verdict.

Facts of a file are kept by (SHA-256, format), so files that move between revisions are read once.
Only files that a reader reads have kept facts; those of all others follow from the manifest.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from nodedata_registry.core.bump import Notice, Verdict
from nodedata_registry.core.card import Card, find_card_path, parse_card
from nodedata_registry.core.facts import (
    BytesSource,
    FileFacts,
    RevisionFacts,
    format_of,
    needs_header,
    read_file_facts,
    revision_facts,
)
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.schema import Schema
from nodedata_registry.errors import ServerError
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.rows import RevisionRow
from nodedata_registry.server.service.memo import Memo


class StoredJudgement(msgspec.Struct, frozen=True):
    """What a revision's verdict column holds: the verdict and the warnings given at publish."""

    verdict: Verdict
    warnings: tuple[Notice, ...] = ()


class StoredFacts(msgspec.Struct, frozen=True):
    """What a revision's facts column holds: the joined schema and whether any file is a pickle."""

    schema: Schema | None
    pickled: tuple[str, ...] = ()


parsed_card = lru_cache(maxsize=128)(parse_card)
"""`core.card.parse_card`, remembering what it parsed last."""


_manifests: Memo[str, Manifest] = Memo(200_000, lambda manifest: len(manifest.files) + 1)


def manifest_of(tx: ReadTransaction, row: RevisionRow) -> Manifest:
    """Return the revision's manifest, which is kept even after retirement; remembered by digest."""
    return _manifests.get(row.manifest_digest, lambda: _read_manifest(tx, row))


def _read_manifest(tx: ReadTransaction, row: RevisionRow) -> Manifest:
    manifest = tx.revisions.manifest(row.manifest_digest)
    if manifest is None:
        raise ServerError(f"the catalog lacks the manifest {row.manifest_digest} of revision {row.id}")
    return manifest


def judgement_of(tx: ReadTransaction, row: RevisionRow) -> StoredJudgement:
    """Return the verdict that was judged at publish, and the warnings given then."""
    return msgspec.json.decode(tx.revisions.verdict(row.id), type=StoredJudgement)


def stored_facts_of(tx: ReadTransaction, row: RevisionRow) -> StoredFacts:
    """Return the joined schema of a revision."""
    return msgspec.json.decode(tx.revisions.facts(row.id), type=StoredFacts)


_cards: Memo[tuple[str, str], Card] = Memo(64 * 1024 * 1024, lambda card: len(card.text) + 4096)


def card_of(tx: ReadTransaction, row: RevisionRow) -> Card:
    """Return the revision's card; remembered, since manifest digest and SHA-256 fix path and bytes."""
    return _cards.get((row.manifest_digest, row.card_sha256), lambda: _read_card(tx, row))


def _read_card(tx: ReadTransaction, row: RevisionRow) -> Card:
    path = find_card_path(entry.path for entry in manifest_of(tx, row).files)
    return parsed_card(path, card_bytes(tx, row.card_sha256))


def card_bytes(tx: ReadTransaction, card_sha256: str) -> bytes:
    """Return the bytes of a published card."""
    data = tx.contents.text(card_sha256)
    if data is None:
        raise ServerError(f"the catalog lacks the card {card_sha256}")
    return data


def file_facts_of(tx: ReadTransaction, entries: tuple[FileEntry, ...]) -> dict[str, FileFacts]:
    """Return the facts of published files by path, with tensor digests.

    Raises:
        ServerError: the catalog lacks the facts of a file that must have them.
    """
    wanted = {(entry.sha256, format_of(entry.path)) for entry in entries if needs_header(entry.path)}
    kept = tx.contents.facts(wanted)
    facts: dict[str, FileFacts] = {}
    for entry in entries:
        key = (entry.sha256, format_of(entry.path))
        if key in kept:
            facts[entry.path] = FileFacts.from_json(kept[key]).at(entry.path)
        elif key in wanted:
            raise ServerError(f"the catalog lacks the facts of {entry.path} ({entry.sha256})")
        else:
            facts[entry.path] = plain_facts(entry)
    return facts


def plain_facts(entry: FileEntry) -> FileFacts:
    """Return the facts of a file that no reader reads: they follow from its path."""
    return read_file_facts(entry, BytesSource(b""))


def revision_facts_of(tx: ReadTransaction, row: RevisionRow) -> RevisionFacts:
    """Return everything known of a published revision, retired or not."""
    manifest = manifest_of(tx, row)
    facts = file_facts_of(tx, manifest.files)
    return revision_facts(facts.values(), card_bytes(tx, row.card_sha256))
