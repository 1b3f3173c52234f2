"""Laws of the sweep: it takes exactly what nothing needs, and a reference only ever saves."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.sweep import StoredBlock, plan_sweep

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
digests = st.sampled_from([f"{n:064x}" for n in range(12)])
digest_sets = st.frozensets(digests)
stores = st.lists(
    st.builds(
        StoredBlock,
        digest=digests,
        size_bytes=st.integers(0, 2**22),
        stored_at=st.integers(-10, 200).map(lambda seconds: NOW - timedelta(seconds=seconds)),
    ),
    unique_by=lambda block: block.digest,
)
graces = st.integers(0, 150)


@given(stores, digest_sets, digest_sets, graces)
def test_every_block_goes_or_stays_for_one_reason(
    stored: list[StoredBlock], referenced: frozenset[str], leased: frozenset[str], grace: int
) -> None:
    plan = plan_sweep(stored, referenced, leased, now=NOW, grace_seconds=grace)
    assert len(plan.delete) + plan.kept == len(stored)


@given(stores, digest_sets, digest_sets, graces)
def test_exactly_old_blocks_without_reference_and_lease_go(
    stored: list[StoredBlock], referenced: frozenset[str], leased: frozenset[str], grace: int
) -> None:
    plan = plan_sweep(stored, referenced, leased, now=NOW, grace_seconds=grace)
    assert list(plan.delete) == [
        block
        for block in stored
        if block.digest not in referenced | leased and (NOW - block.stored_at).total_seconds() >= grace
    ]


@given(stores, digest_sets, digest_sets, digest_sets, graces)
def test_one_more_reference_or_lease_never_costs_a_block(
    stored: list[StoredBlock],
    referenced: frozenset[str],
    leased: frozenset[str],
    more: frozenset[str],
    grace: int,
) -> None:
    before = set(plan_sweep(stored, referenced, leased, now=NOW, grace_seconds=grace).delete)
    for kept in ((referenced | more, leased), (referenced, leased | more)):
        assert set(plan_sweep(stored, *kept, now=NOW, grace_seconds=grace).delete) <= before


@given(stores, digest_sets, digest_sets, graces, graces)
def test_a_longer_grace_never_costs_a_block(
    stored: list[StoredBlock], referenced: frozenset[str], leased: frozenset[str], a: int, b: int
) -> None:
    short = plan_sweep(stored, referenced, leased, now=NOW, grace_seconds=min(a, b))
    long = plan_sweep(stored, referenced, leased, now=NOW, grace_seconds=max(a, b))
    assert set(long.delete) <= set(short.delete)
