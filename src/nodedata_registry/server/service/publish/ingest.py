"""Reading what was sent: every byte hashed again, every header read again, nothing believed.

For each file of a publish this gives the content row (its blocks) and the facts (tensor table with a
digest per tensor). Nothing here is visible to anyone: contents and facts are addressed by what they
are, and belong to nobody until a revision names them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from nodedata_registry.core.blocks import CUT, cut
from nodedata_registry.core.facts import FileFacts, format_of, needs_header, read_file_facts
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.errors import BlockNotFound, BlocksMissing, DigestMismatch, InvalidRequest
from nodedata_registry.server.ports import BlobStore
from nodedata_registry.server.rows import ContentRow
from nodedata_registry.server.service.blocks import BlockSource
from nodedata_registry.server.service.publish.order import OrderFile
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.tensors.digests import tensor_digests


@dataclass(frozen=True, slots=True)
class Ingested:
    """One file of a publish after every byte was read."""

    content: ContentRow
    facts: FileFacts


def ingest(registry: Registry, workspace_id: str, file: OrderFile) -> Ingested:
    """Return content and facts of a file whose blocks were sent, or that the workspace has already.

    Raises:
        BlocksMissing: a block is not in the store.
        DigestMismatch: size or SHA-256 are not what the order says.
        InvalidWeights: the file is malformed.
        InvalidRequest: the file was not cut by the rule in force.
    """
    known = _known(registry, workspace_id, file)
    if known is not None:
        return known
    source = BlockSource(registry.blobs, file.blocks)
    try:
        _check_blocks(registry.blobs, file)
        facts = read_file_facts(file.entry, source)
        check_cut(file, facts)
        _check_sha256(file.entry, source)
        facts = facts.with_digests(tensor_digests(facts.tensors, source, path=file.entry.path))
    except BlockNotFound as error:
        raise BlocksMissing(
            f"a block of {file.entry.path!a} is not in the store: send it again", field="files"
        ) from error
    content = ContentRow(file.entry.sha256, file.entry.size_bytes, CUT, file.blocks)
    return Ingested(content, facts)


def _known(registry: Registry, workspace_id: str, file: OrderFile) -> Ingested | None:
    """Return content and facts kept from an earlier publish of the same workspace."""
    sha256, format_name = file.entry.sha256, format_of(file.entry.path)
    with registry.catalog.read() as tx:
        if not tx.contents.contents_of_workspace(workspace_id, [sha256]):
            return None
        content = tx.contents.get(sha256)
        kept = tx.contents.facts([(sha256, format_name)]).get((sha256, format_name))
    if content is None or content.blocks != file.blocks or content.size_bytes != file.entry.size_bytes:
        return None
    if kept is not None:
        return Ingested(content, FileFacts.from_json(kept).at(file.entry.path))
    if needs_header(file.entry.path):
        return None
    return Ingested(content, read_file_facts(file.entry, BlockSource(registry.blobs, content.blocks)))


def _check_blocks(blobs: BlobStore, file: OrderFile) -> None:
    for block in file.blocks:
        size = blobs.size(block.digest)
        if size != block.size_bytes:
            raise DigestMismatch(
                f"block {block.digest} of {file.entry.path!a} has {size:,} bytes, not {block.size_bytes:,}",
                field="files",
            )


def check_cut(file: OrderFile, facts: FileFacts) -> None:
    """Pass if the file's blocks are those that the cutting rule gives.

    Raises:
        InvalidRequest: they are not.
    """
    expected = [span.length for span in cut(file.entry.size_bytes, facts.tensors)]
    if expected != [block.size_bytes for block in file.blocks]:
        raise InvalidRequest(
            f"{file.entry.path!a} was not cut by rule {CUT}: {len(file.blocks)} blocks, where the rule gives"
            f" {len(expected)} (see docs/FORMAT.md)",
            field="files",
        )


def _check_sha256(entry: FileEntry, source: BlockSource) -> None:
    digest = hashlib.sha256()
    for piece in source.pieces(0, source.size_bytes):
        digest.update(piece)
    if digest.hexdigest() != entry.sha256:
        raise DigestMismatch(
            f"{entry.path!a} has the SHA-256 {digest.hexdigest()}, not {entry.sha256} as announced:"
            " did it change while it was published?",
            field="files",
            details={"path": entry.path},
        )
