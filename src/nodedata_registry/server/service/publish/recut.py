"""Contents that are known in other blocks than those just sent.

A content's blocks are written once, by whoever publishes it first. The same bytes under a path of
another format are cut elsewhere (`x.bin` every 4 MiB, `x.safetensors` along its tensors), and what
the first publisher stored may have been retired and collected since. So whoever publishes a content
makes sure that the blocks on record are there, and leases them until the revision refers to them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from nodedata_registry.server.ports import ReadTransaction, WriteTransaction
from nodedata_registry.server.rows import ContentRow
from nodedata_registry.server.service.blocks import BlockSource
from nodedata_registry.server.service.publish.ingest import Ingested
from nodedata_registry.server.service.registry import Registry

_Pair = tuple[ContentRow, ContentRow]


def keep_known_cuts(registry: Registry, workspace_id: str, ingested: Collection[Ingested]) -> None:
    """Store the blocks on record of every content that was sent in others, ahead of the commit.

    The workspace then holds them: it has shown that it has the bytes.
    """
    with registry.catalog.read() as tx:
        if not _recut(tx, ingested):
            return
    with registry.catalog.write() as tx:
        recut = _recut(tx, ingested)
        _lease(registry, tx, workspace_id, recut)
    _store(registry, recut)


def restore_known_cuts(
    registry: Registry, tx: WriteTransaction, workspace_id: str, ingested: Collection[Ingested]
) -> None:
    """The same inside the commit: somebody may have published such a content since."""
    recut = _recut(tx, ingested)
    _lease(registry, tx, workspace_id, recut)
    _store(registry, recut)


def _recut(tx: ReadTransaction, ingested: Iterable[Ingested]) -> list[_Pair]:
    """Return (as on record, as sent) of each content whose blocks differ."""
    sent = {one.content.sha256: one.content for one in ingested}
    known = tx.contents.many(sent)
    return [(row, sent[sha256]) for sha256, row in known.items() if row.blocks != sent[sha256].blocks]


def _lease(registry: Registry, tx: WriteTransaction, workspace_id: str, recut: Iterable[_Pair]) -> None:
    until = registry.now() + registry.limits.upload_lease
    for known, _ in recut:
        tx.contents.lease(workspace_id, {one.digest: one.size_bytes for one in known.blocks}, until)


def _store(registry: Registry, recut: Iterable[_Pair]) -> None:
    for known, sent in recut:
        source = BlockSource(registry.blobs, sent.blocks)
        offset = 0
        for block in known.blocks:
            if not registry.blobs.has(block.digest):
                registry.blobs.put(block.digest, source.read(offset, block.size_bytes))
            offset += block.size_bytes
