"""Which revisions retention would retire, and which rule keeps the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from nodedata_registry.core.retention import (
    Line,
    Policy,
    RevisionState,
    check_named_retirement,
    parse_policy,
    plan,
    preview_digest,
)
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidRequest, NotAllowedNow, RevisionRetired

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
LAST_ONE = Policy(keep_last=1)


def revision(version: str, *, age: timedelta = 100 * DAY) -> RevisionState:
    return RevisionState(f"rev_{version}", Version.parse(version), NOW - age)


def history(*versions: str) -> list[RevisionState]:
    """Revisions published a day apart in the order given, the last one 100 days ago."""
    count = len(versions)
    return [revision(text, age=(100 + count - n) * DAY) for n, text in enumerate(versions)]


def kept(policy: Policy | None, states: list[RevisionState]) -> list[str]:
    return [str(item.version) for item in plan(policy, states, NOW).items if item.keep]


def reasons(policy: Policy | None, states: list[RevisionState], version: str) -> tuple[str, ...]:
    found = {str(item.version): item.reasons for item in plan(policy, states, NOW).items}
    return found[version]


# --- without a policy ---------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [None, Policy()])
def test_no_policy_and_an_empty_one_keep_everything_and_say_so(policy: Policy | None) -> None:
    states = history("1.0.0", "1.0.1", "1.0.2")
    assert kept(policy, states) == ["1.0.0", "1.0.1", "1.0.2"]
    assert reasons(policy, states, "1.0.0") == ("no policy",)


def test_a_model_without_revisions_has_an_empty_plan() -> None:
    assert plan(LAST_ONE, [], NOW).items == ()


# --- what always stays --------------------------------------------------------------------------


def test_the_highest_version_stays_even_if_yanked_and_long_past() -> None:
    states = history("2.0.0", "1.0.1")
    states[0] = replace(states[0], yanked=True)
    assert kept(LAST_ONE, states) == ["1.0.1", "2.0.0"]
    assert reasons(LAST_ONE, states, "2.0.0") == ("highest version",)


def test_what_latest_gives_stays() -> None:
    states = history("1.0.0", "2.0.0", "1.0.1")
    states[1] = replace(states[1], yanked=True)
    assert reasons(LAST_ONE, states, "1.0.1") == ("latest", "keep_last: 1")
    assert kept(LAST_ONE, states) == ["1.0.1", "2.0.0"]


def test_if_all_are_yanked_the_highest_is_latest() -> None:
    states = [replace(state, yanked=True) for state in history("1.0.0", "1.0.1")]
    assert reasons(Policy(keep_days=1), states, "1.0.1") == ("highest version", "latest")


def test_a_quarantined_highest_leaves_latest_to_the_next() -> None:
    states = history("1.0.0", "1.1.0", "1.2.0")
    states[2] = replace(states[2], quarantined=True)
    assert reasons(Policy(keep_days=1), states, "1.1.0") == ("latest",)
    assert reasons(Policy(keep_days=1), states, "1.2.0") == ("highest version", "quarantined")


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        (lambda state: replace(state, held=True), "held"),
        (lambda state: replace(state, under_grant=True), "grant"),
        (lambda state: replace(state, ever_public=True), "was public"),
        (lambda state: replace(state, quarantined=True), "quarantined"),
    ],
    ids=["held", "grant", "public", "quarantined"],
)
def test_a_mark_keeps_a_revision_whatever_the_policy(
    mark: Callable[[RevisionState], RevisionState], reason: str
) -> None:
    states = history("1.0.0", "1.0.1", "1.0.2")
    assert kept(LAST_ONE, states) == ["1.0.2"]
    states[0] = mark(states[0])
    assert kept(LAST_ONE, states) == ["1.0.0", "1.0.2"]
    assert reasons(LAST_ONE, states, "1.0.0") == (reason,)


# --- keep_last ----------------------------------------------------------------------------------


def test_keep_last_counts_by_time_of_publishing_so_a_back_port_is_among_the_last() -> None:
    states = history("1.0.0", "2.0.0", "2.0.1", "1.0.1")
    assert kept(Policy(keep_last=2), states) == ["1.0.1", "2.0.1"]


def test_of_two_published_at_once_the_higher_version_is_the_later() -> None:
    states = [revision("1.0.0"), revision("1.0.1"), revision("9.0.0", age=200 * DAY)]
    assert kept(LAST_ONE, states) == ["1.0.1", "9.0.0"]


def test_a_quarantined_revision_takes_no_place_in_keep_last() -> None:
    states = history("1.0.0", "1.0.1", "1.0.2", "1.0.3")
    states[3] = replace(states[3], quarantined=True)
    assert kept(Policy(keep_last=2), states) == ["1.0.1", "1.0.2", "1.0.3"]


def test_a_yanked_revision_takes_a_place_in_keep_last() -> None:
    states = history("1.0.0", "1.0.1", "1.0.2", "1.0.3")
    states[2] = replace(states[2], yanked=True)
    assert kept(Policy(keep_last=2), states) == ["1.0.2", "1.0.3"]


# --- keep_days ----------------------------------------------------------------------------------


def test_a_revision_exactly_n_days_old_stays_and_an_older_one_goes() -> None:
    states = [
        revision("1.0.0", age=30 * DAY + timedelta(microseconds=1)),
        revision("1.0.1", age=30 * DAY),
        revision("1.0.2", age=29 * DAY),
    ]
    assert kept(Policy(keep_days=30), states) == ["1.0.1", "1.0.2"]
    assert reasons(Policy(keep_days=30), states, "1.0.0") == ("older than 30 days",)


def test_a_revision_from_the_future_stays() -> None:
    states = [revision("1.0.0", age=-DAY), revision("1.0.1")]
    assert reasons(Policy(keep_days=1), states, "1.0.0") == ("keep_days: 1",)


# --- keep_latest_of -----------------------------------------------------------------------------


def test_keep_latest_of_major_keeps_one_in_each_major() -> None:
    states = history("1.0.0", "1.1.0", "2.0.0", "1.2.0", "2.1.0", "3.0.0")
    assert kept(Policy(keep_latest_of=Line.MAJOR), states) == ["1.2.0", "2.1.0", "3.0.0"]


def test_keep_latest_of_minor_keeps_one_in_each_minor() -> None:
    states = history("1.0.0", "1.0.1", "1.1.0", "1.1.1", "2.0.0", "2.0.1")
    assert kept(Policy(keep_latest_of=Line.MINOR), states) == ["1.0.1", "1.1.1", "2.0.1"]


def test_the_latest_of_a_line_is_the_highest_not_yanked() -> None:
    states = history("1.0.0", "1.0.1", "1.0.2", "2.0.0")
    states[2] = replace(states[2], yanked=True)
    policy = Policy(keep_latest_of=Line.MAJOR)
    assert kept(policy, states) == ["1.0.1", "2.0.0"]
    assert reasons(policy, states, "1.0.1") == ("keep_latest_of: major (1.x)",)
    assert reasons(policy, states, "1.0.2") == ("not the latest of 1.x",)


def test_of_a_line_with_only_yanked_ones_the_highest_stays() -> None:
    states = history("1.0.0", "1.0.1", "2.0.0")
    states[:2] = [replace(state, yanked=True) for state in states[:2]]
    assert kept(Policy(keep_latest_of=Line.MINOR), states) == ["1.0.1", "2.0.0"]


# --- keep_unyanked ------------------------------------------------------------------------------


def test_keep_unyanked_lets_only_yanked_ones_go() -> None:
    states = history("1.0.0", "1.0.1", "1.0.2")
    states[1] = replace(states[1], yanked=True)
    policy = Policy(keep_unyanked=True)
    assert kept(policy, states) == ["1.0.0", "1.0.2"]
    assert reasons(policy, states, "1.0.0") == ("keep_unyanked",)
    assert reasons(policy, states, "1.0.1") == ("yanked",)


# --- rules together -----------------------------------------------------------------------------


def test_one_rule_of_several_is_enough_and_all_that_hold_are_named() -> None:
    states = history("1.0.0", "1.0.1", "1.1.0")
    policy = Policy(keep_last=2, keep_days=10, keep_latest_of=Line.MINOR)
    assert kept(policy, states) == ["1.0.1", "1.1.0"]
    assert reasons(policy, states, "1.0.1") == ("keep_last: 2", "keep_latest_of: minor (1.0.x)")


def test_what_goes_says_of_every_stated_rule_why_it_does_not_keep_it() -> None:
    states = [replace(state, yanked=True) for state in history("1.0.0", "1.0.1")]
    policy = Policy(keep_last=1, keep_days=30, keep_latest_of=Line.MAJOR, keep_unyanked=True)
    assert reasons(policy, states, "1.0.0") == (
        "not among the last 1 published",
        "older than 30 days",
        "not the latest of 1.x",
        "yanked",
    )


def test_retired_revisions_are_left_out_and_take_no_place() -> None:
    states = history("1.0.0", "1.0.1", "1.0.2")
    states[2] = replace(states[2], retired=True)
    result = plan(LAST_ONE, states, NOW)
    assert [str(item.version) for item in result.items] == ["1.0.0", "1.0.1"]
    assert result.items[1].reasons == ("highest version", "latest", "keep_last: 1")


# --- digests ------------------------------------------------------------------------------------


def test_the_digest_stays_while_the_outcome_stays() -> None:
    states = history("1.0.0", "1.0.1", "1.0.2")
    first = plan(Policy(keep_last=2), states, NOW)
    again = plan(Policy(keep_last=2, keep_days=1), list(reversed(states)), NOW + DAY)
    assert first.digest == again.digest


def test_the_digest_changes_with_the_outcome() -> None:
    states = history("1.0.0", "1.0.1", "1.0.2")
    held = [replace(states[0], held=True), *states[1:]]
    more = [*states, revision("1.0.3")]
    digests = {plan(LAST_ONE, some, NOW).digest for some in (states, held, more)}
    assert len(digests) == 3


def test_the_digest_of_a_preview_depends_on_which_model_and_not_on_the_order() -> None:
    a, b = plan(LAST_ONE, history("1.0.0"), NOW), plan(LAST_ONE, history("2.0.0", "2.0.1"), NOW)
    assert preview_digest({"mdl_a": a, "mdl_b": b}) == preview_digest({"mdl_b": b, "mdl_a": a})
    assert preview_digest({"mdl_a": a, "mdl_b": b}) != preview_digest({"mdl_a": b, "mdl_b": a})


def test_a_model_without_revisions_does_not_change_the_digest_of_a_preview() -> None:
    a, empty = plan(LAST_ONE, history("1.0.0"), NOW), plan(LAST_ONE, [], NOW)
    assert preview_digest({"mdl_a": a, "mdl_b": empty}) == preview_digest({"mdl_a": a})


# --- policies as text ---------------------------------------------------------------------------


def test_a_policy_is_read_from_what_a_request_states() -> None:
    stated = {"keep_last": 3, "keep_days": 30, "keep_latest_of": "major", "keep_unyanked": True}
    assert parse_policy(stated) == Policy(3, 30, Line.MAJOR, True)
    assert parse_policy(stated).to_mapping() == stated


@pytest.mark.parametrize("stated", [{}, {"keep_last": None, "keep_unyanked": False, "keep_latest_of": None}])
def test_null_and_false_state_no_rule(stated: dict[str, object]) -> None:
    assert parse_policy(stated).empty
    assert parse_policy(stated).to_mapping() == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keep_last", 0),
        ("keep_last", -1),
        ("keep_last", True),
        ("keep_last", "3"),
        ("keep_last", 1.5),
        ("keep_last", 1_000_001),
        ("keep_last", []),
        ("keep_days", 0),
        ("keep_days", 10**30),
        ("keep_days", float("nan")),
        ("keep_latest_of", "patch"),
        ("keep_latest_of", ""),
        ("keep_latest_of", True),
        ("keep_latest_of", {}),
        ("keep_unyanked", "yes"),
        ("keep_unyanked", 1),
        ("keep_first", 3),
        ("", 3),
        ("x" * 5000, "y" * 5000),
    ],
)
def test_what_is_no_rule_is_refused_with_the_field_named(field: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_policy({field: value})
    assert caught.value.field == f"retention.{field[:40]}"
    assert len(caught.value.message) < 250


# --- retiring one by name -----------------------------------------------------------------------


def test_an_owner_may_retire_a_private_revision_by_name_even_the_highest() -> None:
    check_named_retirement(revision("1.0.0"))


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (replace(revision("1.0.0"), ever_public=True), "was public"),
        (replace(revision("1.0.0"), held=True), "take the hold away first"),
        (replace(revision("1.0.0"), under_grant=True), "revoke the grant first"),
        (replace(revision("1.0.0"), quarantined=True), "quarantined"),
    ],
    ids=["public", "held", "grant", "quarantined"],
)
def test_a_protected_revision_is_not_retired_by_name(state: RevisionState, why: str) -> None:
    with pytest.raises(NotAllowedNow, match=why):
        check_named_retirement(state)


def test_a_retired_revision_is_not_retired_again() -> None:
    with pytest.raises(RevisionRetired):
        check_named_retirement(replace(revision("1.0.0"), retired=True))
