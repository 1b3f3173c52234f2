"""Diffs of any two revisions: exact counts, kept for ever, changelogs to the common ancestor."""

from __future__ import annotations

import pytest

from nodedata_registry.core.bump import RULES
from nodedata_registry.core.diff import RevisionDiff
from nodedata_registry.errors import ModelNotFound, RevisionNotFound, RevisionQuarantined, RevisionRetired
from nodedata_registry.server.ports import Progress
from nodedata_registry.server.service import compare, marks, sweep
from nodedata_registry.server.service.locate import find_model
from tests.service.worlds import CARD, World, card, safetensors

REF = "acme/grasp"


def weights(changed: int) -> bytes:
    return safetensors({"a": [3.0] * changed + [1.0] * (1000 - changed), "b": [2.0] * 50})


FIRST = {"model_card.md": CARD, "model.safetensors": weights(0)}


def diff(world: World, a: str, b: str) -> RevisionDiff:
    found = compare.compare(world.registry, world.owner, REF, a, b)
    assert isinstance(found, RevisionDiff)
    return found


def kept(world: World, a: str, b: str) -> bytes | None:
    with world.registry.catalog.read() as tx:
        model = find_model(world.registry, tx, world.owner, REF)
        rows = [tx.revisions.get(model.id, world.version(text)) for text in (a, b)]
        assert rows[0] is not None and rows[1] is not None
        return tx.diffs.get(rows[0].id, rows[1].id, RULES)


def let_go(world: World) -> None:
    """Retire 1.0.0 and collect its blocks."""
    marks.retire(world.registry, world.owner, REF, "1.0.0", "space")
    world.clock.pass_hours(25)
    assert sweep.sweep(world.registry, grace_seconds=0).deleted > 0


def test_touched_scalars_are_counted_exactly(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model.safetensors": weights(137)})
    found = diff(world, "1.0.0", "1.0.1")
    assert found.parameters.touched == 137
    assert (found.parameters.total.a, found.parameters.total.b) == (1050, 1050)
    assert [(one.path, one.change) for one in found.files.items] == [("model.safetensors", "modified")]


def test_a_diff_against_the_parent_is_worked_out_ahead_and_kept(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model.safetensors": weights(1)})
    first = diff(world, "1.0.0", "1.0.1")
    assert kept(world, "1.0.0", "1.0.1") == first.to_json()
    assert diff(world, "1.0.0", "latest") == first


def test_any_two_selectors_can_be_compared_in_both_directions(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("2.0.0", {"model.safetensors": weights(5)})
    assert diff(world, "latest", "^1").parameters.touched == 5
    assert diff(world, "1.0.0", "1.0.0").parameters.touched == 0


def test_the_bump_is_told_as_it_was_judged_with_what_was_accepted(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model_card.md": card(license="mit")}, accept={"license_changed": "ours"})
    found = diff(world, "1.0.0", "1.0.1").bump
    assert found is not None
    assert "license_changed" in {one.code for one in found.findings}
    assert [(one.code, one.reason) for one in found.accepted] == [("license_changed", "ours")]


def test_changelogs_run_down_to_the_nearest_common_ancestor(world: World) -> None:
    world.publish("1.0.0", FIRST, "root")
    world.publish("1.0.1", {"n.txt": b"1"}, "trunk 1")
    world.publish("1.0.2", {"n.txt": b"2"}, "trunk 2")
    world.publish("1.1.0", {"m.txt": b"1"}, "branch 1", parent="1.0.1")
    world.publish("1.1.1", {"m.txt": b"2"}, "branch 2")
    told = {
        pair: [one.changelog for one in diff(world, *pair).changelogs]
        for pair in (("1.0.2", "1.1.1"), ("1.1.1", "1.0.2"), ("1.0.0", "1.0.2"), ("1.0.2", "1.0.0"))
    }
    assert told == {
        ("1.0.2", "1.1.1"): ["branch 2", "branch 1"],
        ("1.1.1", "1.0.2"): ["trunk 2"],
        ("1.0.0", "1.0.2"): ["trunk 2", "trunk 1"],
        ("1.0.2", "1.0.0"): [],
    }


def test_a_diff_with_a_retired_revision_is_served_from_what_was_kept(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model.safetensors": weights(9)})
    before = diff(world, "1.0.0", "1.0.1")
    let_go(world)
    assert diff(world, "1.0.0", "1.0.1") == before


def test_a_diff_that_needs_bytes_which_are_gone_says_so(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model.safetensors": weights(9)})
    world.publish("1.0.2", {"model.safetensors": weights(99)})
    diff(world, "1.0.0", "1.0.1")
    let_go(world)
    with pytest.raises(RevisionRetired, match=r"1\.0\.0"):
        diff(world, "1.0.0", "1.0.2")


def test_a_diff_with_a_retired_revision_that_needs_no_bytes_is_still_possible(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model.safetensors": weights(9)})
    world.publish("1.0.2", FIRST, whole=True)
    diff(world, "1.0.0", "1.0.1")
    marks.retire(world.registry, world.owner, REF, "1.0.0", "space")
    assert diff(world, "1.0.0", "1.0.2").parameters.touched == 0


def test_quarantined_and_absent_revisions_and_strangers_get_no_diff(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"n.txt": b"1"})
    with pytest.raises(RevisionNotFound):
        diff(world, "1.0.0", "9.9.9")
    with pytest.raises(ModelNotFound):
        compare.compare(world.registry, world.account("stranger"), REF, "1.0.0", "1.0.1")
    marks.quarantine(world.registry, world.owner, REF, "1.0.1", "malware")
    with pytest.raises(RevisionQuarantined):
        diff(world, "1.0.0", "1.0.1")


def test_not_waiting_gives_progress_or_the_diff(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("2.0.0", {"model.safetensors": weights(9)})
    found = compare.compare(world.registry, world.owner, REF, "2.0.0", "1.0.0", wait_seconds=0)
    assert isinstance(found, (Progress, RevisionDiff))
    assert diff(world, "2.0.0", "1.0.0").parameters.touched == 9
