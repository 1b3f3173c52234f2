"""Collecting blocks that nothing needs, while publishes go on.

    list the store ─► read references and leases ─► plan ─► forget holders ─► delete what is still free

Why no publish loses a block: a block that an upload counts on is leased, and a commit leases all its
blocks before it reads them. Holders are forgotten in one transaction, which spares what is leased; after
it an upload that asks is told to send the block again. The files go in a second transaction, which spares
what was leased since: so a lease is written either before, and the block stays, or after, and whoever
wrote it sees that the block is gone. Killed in between, a block is forgotten and not deleted, which the
next sweep mends; the other way round it would be believed and not there. What was put again since the
listing is younger than it, and `BlobStore.delete(stored_before=…)` leaves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nodedata_registry.core.sweep import StoredBlock, SweepPlan, plan_sweep
from nodedata_registry.server.service.registry import Registry

# Few, because writers wait while the files of a batch are deleted.
_BATCH = 200


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep found and did. `deleted` counts blocks, `freed_bytes` their sizes."""

    plan: SweepPlan
    deleted: int
    freed_bytes: int
    uploads_closed: int


def sweep(
    registry: Registry,
    *,
    grace_seconds: float | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SweepReport:
    """Delete blocks that no unretired revision and no live lease needs, `grace_seconds` after their put.

    `grace_seconds` defaults to the registry's limit. Safe at any time, in any number of processes;
    killed half-way it leaves nothing wrong and the next one goes on. `progress(done, total)` counts
    blocks to delete.

    Raises:
        InvalidRequest: a negative grace.
    """
    grace = registry.limits.sweep_grace.total_seconds() if grace_seconds is None else grace_seconds
    now = registry.now()
    stored = list(registry.blobs.iterate())
    with registry.catalog.read() as tx:
        referenced = set(tx.contents.referenced_blocks())
        leased = set(tx.contents.leased_blocks(now))
    plan = plan_sweep(stored, referenced, leased, now=now, grace_seconds=grace)
    if dry_run:
        return SweepReport(plan, 0, 0, 0)
    with registry.catalog.write() as tx:
        closed = tx.uploads.drop_expired(now)
    deleted = list(_deleted(registry, plan, progress))
    return SweepReport(plan, len(deleted), sum(block.size_bytes for block in deleted), closed)


def _deleted(
    registry: Registry, plan: SweepPlan, progress: Callable[[int, int], None] | None
) -> Iterator[StoredBlock]:
    """Forget and delete batch by batch; yield what was deleted."""
    total = len(plan.delete)
    for start in range(0, total, _BATCH):
        batch = plan.delete[start : start + _BATCH]
        yield from _delete_free(registry, _forgotten(registry, batch))
        if progress is not None:
            progress(min(start + _BATCH, total), total)


def _forgotten(registry: Registry, batch: Sequence[StoredBlock]) -> list[StoredBlock]:
    with registry.catalog.write() as tx:
        free = tx.contents.forget([block.digest for block in batch], registry.now())
    return [block for block in batch if block.digest in free]


def _delete_free(registry: Registry, forgotten: Sequence[StoredBlock]) -> list[StoredBlock]:
    with registry.catalog.write() as tx:
        free = tx.contents.forget([block.digest for block in forgotten], registry.now())
        return [
            block
            for block in forgotten
            if block.digest in free and registry.blobs.delete(block.digest, stored_before=_just_after(block))
        ]


def _just_after(block: StoredBlock) -> datetime:
    return block.stored_at + timedelta(microseconds=1)
