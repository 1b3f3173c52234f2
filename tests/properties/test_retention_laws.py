"""Laws of retention: rules only ever keep more, and what must stay stays."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.retention import (
    Line,
    Policy,
    RetentionPlan,
    RevisionState,
    parse_policy,
    plan,
)
from nodedata_registry.core.versions import Version

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
small = st.integers(0, 3)
versions = st.builds(Version, small, small, small)


@st.composite
def histories(draw: st.DrawFn) -> list[RevisionState]:
    flag = st.integers(0, 4).map(lambda n: n == 0)
    return [
        RevisionState(
            f"rev_{version}",
            version,
            NOW - timedelta(hours=draw(st.integers(-10, 24 * 40))),
            yanked=draw(st.booleans()),
            held=draw(flag),
            retired=draw(flag),
            quarantined=draw(flag),
            under_grant=draw(flag),
            ever_public=draw(flag),
        )
        for version in draw(st.lists(versions, max_size=14, unique=True))
    ]


policies = st.builds(
    Policy,
    keep_last=st.none() | st.integers(1, 6),
    keep_days=st.none() | st.integers(1, 45),
    keep_latest_of=st.none() | st.sampled_from(Line),
    keep_unyanked=st.booleans(),
)


def gone(result: RetentionPlan) -> set[str]:
    return {item.id for item in result.retire}


def union(a: Policy, b: Policy) -> Policy:
    """State every rule of both; of two numbers the larger, of two lines the finer one."""
    lines = [line for line in (a.keep_latest_of, b.keep_latest_of) if line is not None]
    return Policy(
        keep_last=max(a.keep_last or 0, b.keep_last or 0) or None,
        keep_days=max(a.keep_days or 0, b.keep_days or 0) or None,
        keep_latest_of=Line.MINOR if Line.MINOR in lines else (lines[0] if lines else None),
        keep_unyanked=a.keep_unyanked or b.keep_unyanked,
    )


@given(policies, policies, histories())
def test_adding_a_rule_to_a_policy_never_removes_more(
    policy: Policy, more: Policy, states: list[RevisionState]
) -> None:
    if not policy.empty:
        assert gone(plan(union(policy, more), states, NOW)) <= gone(plan(policy, states, NOW))


@given(policies, histories(), st.randoms())
def test_the_plan_is_the_same_in_whatever_order_revisions_come(
    policy: Policy, states: list[RevisionState], shuffle: Random
) -> None:
    shuffled = list(states)
    shuffle.shuffle(shuffled)
    assert plan(policy, states, NOW) == plan(policy, shuffled, NOW)


@given(policies, histories())
def test_the_highest_version_and_latest_never_go(policy: Policy, states: list[RevisionState]) -> None:
    going = gone(plan(policy, states, NOW))
    present = [state for state in states if not state.retired]
    served = [state for state in present if not state.quarantined]
    unyanked = [state for state in served if not state.yanked]
    for group in (present, unyanked or served):
        if group:
            assert max(group, key=lambda state: state.version).id not in going


@given(policies, histories())
def test_what_is_protected_never_goes(policy: Policy, states: list[RevisionState]) -> None:
    going = gone(plan(policy, states, NOW))
    for state in states:
        if state.held or state.under_grant or state.ever_public or state.quarantined:
            assert state.id not in going


@given(st.sampled_from([None, Policy()]), histories())
def test_an_empty_policy_keeps_all(policy: Policy | None, states: list[RevisionState]) -> None:
    assert gone(plan(policy, states, NOW)) == set()


@given(policies, histories())
def test_every_unretired_revision_is_in_the_plan_once_with_a_reason(
    policy: Policy, states: list[RevisionState]
) -> None:
    items = plan(policy, states, NOW).items
    present = sorted((state.version, state.id) for state in states if not state.retired)
    assert [(item.version, item.id) for item in items] == present
    assert all(item.reasons for item in items)


@given(policies, histories())
def test_executing_a_plan_leaves_nothing_more_to_retire(policy: Policy, states: list[RevisionState]) -> None:
    going = gone(plan(policy, states, NOW))
    left = [state for state in states if state.id not in going]
    assert gone(plan(policy, left, NOW)) == set()


@given(policies, policies, histories(), st.integers(0, 100))
def test_two_plans_have_one_digest_exactly_if_their_outcome_is_one(
    policy: Policy, other: Policy, states: list[RevisionState], days: int
) -> None:
    a, b = plan(policy, states, NOW), plan(other, states, NOW + timedelta(days=days))
    assert (a.digest == b.digest) == (gone(a) == gone(b))


@given(policies)
def test_a_policy_survives_being_written_and_read(policy: Policy) -> None:
    assert parse_policy(policy.to_mapping()) == policy
