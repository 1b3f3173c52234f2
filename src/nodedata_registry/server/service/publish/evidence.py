"""Where the facts of a publish come from: header ranges that the client sent, or the stored bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nodedata_registry.core.digests import sha256_hex
from nodedata_registry.core.facts import FileFacts, ReplaySource, format_of, needs_header, read_file_facts
from nodedata_registry.core.front_matter import MAX_CARD_BYTES
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.errors import CardRequired, DigestMismatch, InvalidCard, ServerError
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.rows import ContentRow, ModelRow
from nodedata_registry.server.service.blocks import BlockSource
from nodedata_registry.server.service.publish.ingest import Ingested, check_cut
from nodedata_registry.server.service.publish.order import OrderFile, PublishOrder
from nodedata_registry.server.service.registry import Registry


@dataclass(frozen=True, slots=True)
class Evidence:
    """Facts and card bytes of the order's own files, and the bytes of a card that is inherited."""

    facts_of: Callable[[FileEntry], FileFacts]
    card_bytes_of: Callable[[FileEntry], bytes]
    inherited_card_bytes_of: Callable[[FileEntry], bytes]


def header_evidence(
    registry: Registry, tx: ReadTransaction, model: ModelRow, order: PublishOrder
) -> Evidence:
    """Return the evidence that header ranges give, or what the workspace's own catalog keeps."""
    by_path = {file.entry.path: file for file in order.files}

    def facts_of(entry: FileEntry) -> FileFacts:
        file = by_path[entry.path]
        facts = _kept_facts(tx, model, entry) or read_file_facts(
            entry, ReplaySource(entry.size_bytes, file.headers)
        )
        check_cut(file, facts)
        return facts

    return Evidence(
        facts_of, lambda entry: _sent_card(by_path[entry.path]), lambda entry: kept_card(registry, tx, entry)
    )


def stored_evidence(registry: Registry, tx: ReadTransaction, ingested: Mapping[str, Ingested]) -> Evidence:
    """Return the evidence of bytes that were read again, by path."""

    def card_bytes_of(entry: FileEntry) -> bytes:
        return _read_card(registry, entry, ingested[entry.path].content)

    return Evidence(
        lambda entry: ingested[entry.path].facts, card_bytes_of, lambda entry: kept_card(registry, tx, entry)
    )


def kept_card(registry: Registry, tx: ReadTransaction, entry: FileEntry) -> bytes:
    """Return the bytes of a published file that is a card, or becomes one when a better card goes.

    Raises:
        InvalidCard: it is larger than a card may be.
        ServerError: the catalog lacks the content.
    """
    text = tx.contents.text(entry.sha256)
    if text is not None:
        return text
    content = tx.contents.get(entry.sha256)
    if content is None:
        raise ServerError(f"the catalog lacks the content {entry.sha256} of {entry.path}")
    return _read_card(registry, entry, content)


def _read_card(registry: Registry, entry: FileEntry, content: ContentRow) -> bytes:
    # Judged by size first: a file of any size may bear the name of a card.
    if content.size_bytes > MAX_CARD_BYTES:
        raise InvalidCard(
            f"the card {entry.path} is {content.size_bytes:,} bytes; at most {MAX_CARD_BYTES:,} are taken",
            field=entry.path,
        )
    return BlockSource(registry.blobs, content.blocks).read(0, content.size_bytes)


def _kept_facts(tx: ReadTransaction, model: ModelRow, entry: FileEntry) -> FileFacts | None:
    key = (entry.sha256, format_of(entry.path))
    if not needs_header(entry.path):
        return None
    if not tx.contents.contents_of_workspace(model.workspace_id, [entry.sha256]):
        return None
    kept = tx.contents.facts([key]).get(key)
    return None if kept is None else FileFacts.from_json(kept).at(entry.path)


def _sent_card(file: OrderFile) -> bytes:
    data = b"".join(piece for _, piece in file.headers)
    if len(data) != file.entry.size_bytes:
        raise CardRequired(
            f"the request does not carry the card {file.entry.path!a}: send it whole as a header range",
            field="headers",
        )
    if sha256_hex(data) != file.entry.sha256:
        raise DigestMismatch(f"the card {file.entry.path!a} is not what its SHA-256 says", field="headers")
    return data
