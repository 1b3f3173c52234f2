"""Which stored blocks may be collected: a plan, before anything is deleted.

Rules, in the order in which they are asked:

1. A block that an unretired revision refers to stays (`referenced`).
2. A block under the lease of an open upload stays (`leased`).
3. A block younger than the grace period stays (`young`).
4. Everything else goes.

What this module does not do: read the store or the catalog. The caller must list the store *first*
and read references and leases *afterwards*; then a block that a publish took into use in between is
seen as used. What is put again later than the listing is guarded by `BlobStore.delete(stored_before=…)`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from nodedata_registry.errors import InvalidRequest

LEASE_SECONDS = 24 * 3600
"""How long a sent block counts as present for its workspace after the upload was last used."""

GRACE_SECONDS = 24 * 3600
"""How old a block must be, by default, before a sweep may take it."""

_MAX_GRACE_SECONDS = 10 * 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as the store lists it: `stored_at` (UTC) is when its bytes were last put."""

    digest: str
    size_bytes: int
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What a sweep would delete, in the order of the listing, and how many blocks stay and why.

    A kept block is counted once, under the first of `referenced`, `leased`, `young` that holds.
    """

    delete: tuple[StoredBlock, ...]
    referenced: int
    leased: int
    young: int

    @property
    def delete_bytes(self) -> int:
        """Bytes that the sweep would free."""
        return sum(block.size_bytes for block in self.delete)

    @property
    def kept(self) -> int:
        """Number of blocks that stay."""
        return self.referenced + self.leased + self.young


def lease_end(used_at: datetime) -> datetime:
    """Return when the lease of an upload that was last used at `used_at` runs out; use renews it."""
    return used_at + timedelta(seconds=LEASE_SECONDS)


def lease_lives(used_at: datetime, now: datetime) -> bool:
    """Tell whether the lease of an upload last used at `used_at` still runs; its end is excluded.

    >>> from datetime import timezone
    >>> start = datetime(2030, 1, 1, tzinfo=timezone.utc)
    >>> lease_lives(start, start + timedelta(hours=23)), lease_lives(start, start + timedelta(hours=24))
    (True, False)
    """
    return now < lease_end(used_at)


def plan_sweep(
    stored: Iterable[StoredBlock],
    referenced: Container[str],
    leased: Container[str],
    *,
    now: datetime,
    grace_seconds: float = GRACE_SECONDS,
) -> SweepPlan:
    """Return which of the stored blocks go: neither referenced nor leased, and `grace_seconds` old.

    A block exactly `grace_seconds` old goes; one with a `stored_at` in the future is young. Nothing
    stored gives an empty plan. Reads `stored` once; memory grows with what goes, not with what stays.

    Raises:
        InvalidRequest: `grace_seconds` is negative or more than ten years.
    """
    if not 0 <= grace_seconds <= _MAX_GRACE_SECONDS:
        raise InvalidRequest(
            f"grace_seconds is {grace_seconds}; it takes 0 to {_MAX_GRACE_SECONDS}", field="grace_seconds"
        )
    grace = timedelta(seconds=grace_seconds)
    delete: list[StoredBlock] = []
    kept = {"referenced": 0, "leased": 0, "young": 0}
    for block in stored:
        if block.digest in referenced:
            kept["referenced"] += 1
        elif block.digest in leased:
            kept["leased"] += 1
        elif now - block.stored_at < grace:
            kept["young"] += 1
        else:
            delete.append(block)
    return SweepPlan(tuple(delete), kept["referenced"], kept["leased"], kept["young"])
