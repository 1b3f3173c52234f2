"""`version="auto"`: the registry chooses the number, inside the commit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from nodedata_registry.core.versions import Version
from nodedata_registry.errors import NothingChanged, UploadExpired
from nodedata_registry.server.service import fsck, marks, publish, yank
from tests.service.worlds import CARD, World, card, safetensors

REF = "acme/grasp"
FIRST = {"model_card.md": CARD, "model.safetensors": safetensors({"w": [1.0] * 8})}
MIT = card(license="mit", name="Grasp policy", task="grasping")
ACCEPT = {"license_changed": "ours"}


def test_the_first_revision_is_1_0_0(world: World) -> None:
    assert str(world.publish("auto", FIRST).row.version) == "1.0.0"


def test_each_kind_of_evidence_gives_its_smallest_version(world: World) -> None:
    keys = {"license": "apache-2.0", "task": "grasping"}
    world.publish("auto", {**FIRST, "model_card.md": card(**keys, training_data="set-1")})
    assert str(world.publish("auto", {"notes.txt": b"n"}).row.version) == "1.0.1"
    trained = card(**keys, training_data="set-2")
    files = {"model_card.md": trained, "model.safetensors": safetensors({"w": [2.0] * 8})}
    assert str(world.publish("auto", files).row.version) == "1.1.0"
    assert str(world.publish("auto", {"model_card.md": MIT}).row.version) == "2.0.0"


def test_the_parent_is_what_latest_gives(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("2.0.0", {"n.txt": b"2"})
    world.publish("1.0.1", {"n.txt": b"1"})
    found = world.publish("auto", {"n.txt": b"3"})
    assert (str(found.row.parent), str(found.row.version)) == ("2.0.0", "2.0.1")


def test_a_number_that_is_taken_moves_on_to_the_next(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"n.txt": b"1"})
    found = world.publish("auto", {"n.txt": b"2"}, parent="1.0.0")
    assert (str(found.row.parent), str(found.row.version)) == ("1.0.0", "1.0.2")


def test_the_new_predecessor_is_judged_from_too(world: World) -> None:
    """From the parent 1.0.0 a patch is enough; from the predecessor 1.0.1 the licence went back."""
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model_card.md": MIT}, accept=ACCEPT)
    found = world.publish("auto", {"n.txt": b"2"}, parent="1.0.0")
    assert str(found.row.version) == "2.0.0"


def test_the_smallest_version_may_lie_behind_a_line_that_asks_for_more(world: World) -> None:
    """1.0.2 would follow 1.0.1 and its licence; 1.1.1 follows 1.1.0, which has ours."""
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model_card.md": MIT}, accept=ACCEPT)
    world.publish("1.1.0", {"n.txt": b"1"}, parent="1.0.0", accept=ACCEPT)
    found = world.publish("auto", {"n.txt": b"2"}, parent="1.0.0")
    assert str(found.row.version) == "1.1.1"
    assert found.verdict.ok


def test_the_chosen_version_is_one_that_could_have_been_asked_for(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.1.0", {"n.txt": b"1"})
    yank.yank(world.registry, world.owner, REF, "1.1.0", "bad")
    found = world.publish("auto", {"n.txt": b"2"})
    assert (str(found.row.parent), str(found.row.version)) == ("1.0.0", "1.0.1")


def test_equal_content_and_changelog_give_the_parent_back(world: World) -> None:
    first = world.publish("auto", FIRST, "log")
    again = world.publish("auto", FIRST, "log")
    assert again.row.id == first.row.id
    assert len(world.versions()) == 1


def test_equal_content_with_another_changelog_is_nothing_changed(world: World) -> None:
    world.publish("auto", FIRST, "log")
    with pytest.raises(NothingChanged):
        world.publish("auto", FIRST, "another")


def test_removing_what_is_already_gone_gives_the_parent_back(world: World) -> None:
    world.publish("auto", {**FIRST, "n.txt": b"n"}, "log")
    second = world.publish("auto", {}, "without notes", remove=("n.txt",))
    assert str(second.row.version) == "1.0.1"
    assert world.publish("auto", {}, "without notes", remove=("n.txt",)).row.id == second.row.id


def test_after_all_are_retired_the_next_is_a_new_major(world: World) -> None:
    world.publish("auto", FIRST)
    marks.retire(world.registry, world.owner, REF, "1.0.0", "leak")
    found = world.publish("auto", FIRST)
    assert (found.row.parent, str(found.row.version)) == (None, "2.0.0")


@pytest.mark.parametrize("parent", [None, "1.0.0"])
def test_a_commit_whose_answer_was_lost_gives_the_same_revision(world: World, parent: str | None) -> None:
    world.publish("1.0.0", FIRST)
    files = {"n.txt": b"n"}
    order = world.order("auto", files, "log", parent=parent)
    upload = world.send(world.open(order), files)
    first = publish.commit(world.registry, world.owner, REF, order, upload)
    again = publish.commit(world.registry, world.owner, REF, order, upload)
    assert (first.created, again.created) == (True, False)
    assert again.view.row.id == first.view.row.id
    assert world.versions() == ["1.0.0", "1.0.1"]


def test_a_committed_upload_takes_no_other_order(world: World) -> None:
    order = world.order("auto", FIRST, "log")
    upload = world.send(world.open(order), FIRST)
    publish.commit(world.registry, world.owner, REF, order, upload)
    with pytest.raises(UploadExpired):
        publish.commit(world.registry, world.owner, REF, world.order("auto", FIRST, "other"), upload)


def test_sixteen_publishers_on_one_line_lose_nothing_and_use_no_number_twice(world: World) -> None:
    world.publish("auto", FIRST)
    rounds, workers = 2, 16

    def work(worker: int) -> list[str]:
        return [
            str(world.publish("auto", {f"notes-{worker}-{turn}.txt": b"n"}, f"{worker}.{turn}").row.version)
            for turn in range(rounds)
        ]

    with ThreadPoolExecutor(workers) as pool:
        got = [version for versions in pool.map(work, range(workers)) for version in versions]
    assert sorted(map(Version.parse, got)) == [
        Version(1, 0, patch) for patch in range(1, workers * rounds + 1)
    ]
    last = world.manifest(f"1.0.{workers * rounds}")
    assert {entry.path for entry in last.files} == {
        *FIRST,
        *(f"notes-{worker}-{turn}.txt" for worker in range(workers) for turn in range(rounds)),
    }
    assert all(event.sequence == place for event, place in zip(world.events(), count(1), strict=False))
    assert fsck.fsck(world.registry).problems == []
