"""Retention, holds, retirement and quarantine."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nodedata_registry.core.retention import Policy, parse_policy
from nodedata_registry.errors import (
    ConfirmationRequired,
    InvalidReason,
    InvalidVersion,
    NotAllowedNow,
    PreviewChanged,
    RevisionNotFound,
    RevisionRetired,
    ScopeMissing,
)
from nodedata_registry.server.service import fsck, marks, models, resolve, retain, sweep, workspaces, yank
from tests.service.worlds import CARD, World, safetensors

REF = "acme/grasp"
FIRST = {"model_card.md": CARD, "model.safetensors": safetensors({"w": [1.0] * 8})}


@pytest.fixture
def line(world: World) -> World:
    """1.0.0 to 1.0.4, and a policy that keeps the last one."""
    world.publish("1.0.0", FIRST)
    for patch in range(1, 5):
        world.publish(f"1.0.{patch}", {"n.txt": b"%d" % patch})
    workspaces.set_policy(world.registry, world.owner, "acme", parse_policy({"keep_last": 1}))
    return world


def going(world: World) -> list[str]:
    preview = retain.preview(world.registry, world.owner, "acme")
    return [str(item.version) for planned in preview.models for item in planned.plan.retire]


def reasons(world: World, version: str) -> tuple[str, ...]:
    preview = retain.preview(world.registry, world.owner, "acme")
    items = (item for planned in preview.models for item in planned.plan.items)
    return next(item.reasons for item in items if str(item.version) == version)


@pytest.mark.parametrize("policy", [None, Policy()])
def test_no_policy_or_an_empty_one_keeps_everything(line: World, policy: Policy | None) -> None:
    workspaces.set_policy(line.registry, line.owner, "acme", policy)
    assert going(line) == []


def test_the_preview_names_what_goes_and_the_rule_that_keeps_each_other(line: World) -> None:
    assert going(line) == ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]
    assert reasons(line, "1.0.4") == ("highest version", "latest", "keep_last: 1")


def test_held_revisions_stay_until_the_hold_is_taken_away(line: World) -> None:
    marks.hold(line.registry, line.owner, REF, "1.0.1", "deployed in the plant")
    assert "1.0.1" not in going(line)
    assert reasons(line, "1.0.1") == ("held",)
    marks.unhold(line.registry, line.owner, REF, "1.0.1")
    assert "1.0.1" in going(line)


def test_what_latest_gives_stays_below_yanked_ones(line: World) -> None:
    yank.yank(line.registry, line.owner, REF, ">=1.0.3", "bad")
    assert "1.0.2" not in going(line)
    assert "latest" in reasons(line, "1.0.2")


def test_while_a_grant_lives_everything_stays(line: World) -> None:
    buyer = line.account("buyer")
    assert buyer.account_id is not None
    until = line.clock.now + timedelta(hours=2)
    models.put_grant(line.registry, line.owner, REF, buyer.account_id, until)
    assert going(line) == []
    line.clock.pass_hours(3)
    assert going(line) == ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]


def test_a_public_model_keeps_everything_for_ever(line: World) -> None:
    confirm = line.versions()
    models.set_visibility(line.registry, line.owner, REF, "public", confirm)
    assert going(line) == []
    with pytest.raises(NotAllowedNow):
        marks.retire(line.registry, line.owner, REF, "1.0.0", "space")


def test_going_public_needs_the_list_of_what_is_published_by_it(line: World) -> None:
    marks.retire(line.registry, line.owner, REF, "1.0.0", "space")
    with pytest.raises(ConfirmationRequired) as caught:
        models.set_visibility(line.registry, line.owner, REF, "public", ["1.0.4"])
    assert caught.value.details["versions"] == ["1.0.1", "1.0.2", "1.0.3", "1.0.4"]
    models.set_visibility(line.registry, line.owner, REF, "public", caught.value.details["versions"])
    with pytest.raises(NotAllowedNow):
        models.set_visibility(line.registry, line.owner, REF, "private", None)


def test_apply_retires_exactly_the_preview_and_frees_its_blocks_later(line: World) -> None:
    digest = retain.preview(line.registry, line.owner, "acme").digest
    gone = retain.apply(line.registry, line.owner, "acme", digest)
    assert gone == [f"{REF}@1.0.{patch}" for patch in range(4)]
    for patch in range(4):
        with pytest.raises(RevisionRetired, match="retention policy"):
            resolve.resolve(line.registry, line.owner, REF, f"1.0.{patch}")
    assert sweep.sweep(line.registry).deleted == 0
    line.clock.pass_hours(25)
    assert sweep.sweep(line.registry).deleted > 0
    assert line.read_file("latest", "n.txt") == b"4"
    assert fsck.fsck(line.registry).problems == []


def test_apply_refuses_a_preview_that_is_no_longer_true(line: World) -> None:
    digest = retain.preview(line.registry, line.owner, "acme").digest
    line.publish("1.0.5", {"n.txt": b"5"})
    with pytest.raises(PreviewChanged) as caught:
        retain.apply(line.registry, line.owner, "acme", digest)
    assert line.versions() == [f"1.0.{patch}" for patch in range(6)]
    assert len(retain.apply(line.registry, line.owner, "acme", caught.value.details["digest"])) == 5


def test_a_preview_can_be_applied_once(line: World) -> None:
    digest = retain.preview(line.registry, line.owner, "acme").digest
    retain.apply(line.registry, line.owner, "acme", digest)
    with pytest.raises(PreviewChanged):
        retain.apply(line.registry, line.owner, "acme", digest)


def test_only_owners_see_previews_hold_and_retire(line: World) -> None:
    publisher = line.account("pia", "publisher")
    for act in (
        lambda: retain.preview(line.registry, publisher, "acme"),
        lambda: retain.apply(line.registry, publisher, "acme", "0" * 64),
        lambda: marks.hold(line.registry, publisher, REF, "1.0.0", "mine"),
        lambda: marks.retire(line.registry, publisher, REF, "1.0.0", "mine"),
        lambda: marks.quarantine(line.registry, publisher, REF, "1.0.0", "mine"),
        lambda: workspaces.set_policy(line.registry, publisher, "acme", None),
    ):
        with pytest.raises(ScopeMissing):
            act()


def test_a_retired_revision_keeps_number_record_card_schema_and_files_facts(line: World) -> None:
    before = resolve.resolve(line.registry, line.owner, REF, "1.0.0").view
    after = marks.retire(line.registry, line.owner, REF, "1.0.0", "leak")
    assert (after.row.commit, after.card, after.schema) == (before.row.commit, before.card, before.schema)
    assert after.row.retirement is not None and after.row.retirement.reason == "leak"
    assert marks.retire(line.registry, line.owner, REF, "1.0.0", "again").row == after.row
    assert sum(event.kind == "revision.retired" for event in line.events()) == 1


def test_held_granted_and_quarantined_revisions_cannot_be_retired_by_name(line: World) -> None:
    marks.hold(line.registry, line.owner, REF, "1.0.0", "deployed")
    marks.quarantine(line.registry, line.owner, REF, "1.0.1", "evidence")
    for version, why in (("1.0.0", "held"), ("1.0.1", "quarantined")):
        with pytest.raises(NotAllowedNow, match=why):
            marks.retire(line.registry, line.owner, REF, version, "space")
    buyer = line.account("buyer")
    models.put_grant(line.registry, line.owner, REF, buyer.account_id or "", None)
    with pytest.raises(NotAllowedNow, match="grant"):
        marks.retire(line.registry, line.owner, REF, "1.0.2", "space")


def test_quarantine_keeps_the_bytes_and_only_operators_lift_it(line: World) -> None:
    marks.quarantine(line.registry, line.owner, REF, "1.0.4", "malware")
    line.clock.pass_hours(48)
    assert sweep.sweep(line.registry, grace_seconds=0).deleted == 0
    marks.release(line.registry, line.owner, REF, "1.0.4")
    assert line.read_file("1.0.4", "n.txt") == b"4"


def test_marks_take_one_exact_version_that_exists_and_a_reason(line: World) -> None:
    with pytest.raises(InvalidVersion):
        marks.hold(line.registry, line.owner, REF, "^1", "why")
    with pytest.raises(RevisionNotFound):
        marks.hold(line.registry, line.owner, REF, "9.0.0", "why")
    with pytest.raises(InvalidReason):
        marks.hold(line.registry, line.owner, REF, "1.0.0", " ")
