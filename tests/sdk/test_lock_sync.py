"""Restoring what a lock says: all or nothing, offline, over damage, and back again."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nodedata_registry import (
    NodeData,
    RegistryUnreachableWarning,
    YankedRevisionWarning,
    errors,
)
from nodedata_registry.core.lockfile import parse_lock
from nodedata_registry.sdk.project_files import LockWarning
from nodedata_registry.sdk.sync import State, StateFile
from tests.sdk.door import Door
from tests.sdk.fleet import DETECT, GRASP, PLACE, contents, edit_lock, flip_a_bit, lock_text, want

ALL = {
    f"{model}/{name}" for model in (GRASP, DETECT, PLACE) for name in ("model.safetensors", "model_card.md")
}


@pytest.fixture
def project(fleet: NodeData, tmp_path: Path) -> Path:
    """A project with three models locked: `acme/grasp` at 1.0.0."""
    made = want(tmp_path / "project", grasp='"1.0.0"', detect='"^1"', place='"^1"')
    fleet.lock(project=made)
    return made


@pytest.fixture
def newer(fleet: NodeData, project: Path, tmp_path: Path) -> Path:
    """The same project with `acme/grasp` at 1.1.0, synced at 1.0.0 to `dest` and to the cache before."""
    fleet.sync(tmp_path / "dest", project=project)
    fleet.sync(project=project)
    fleet.lock(project=want(project, grasp='"^1"', detect='"^1"', place='"^1"'), upgrade=True)
    return project


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "dest"


@pytest.fixture
def robot(fleet: NodeData, door: Door, tmp_path: Path) -> Iterator[NodeData]:
    """A second machine: the same registry, an empty cache of its own."""
    with NodeData(door.base_url, cache=tmp_path / "robot") as client:
        yield client


def locked_files(project: Path) -> dict[str, str]:
    return {path: entry.sha256 for path, entry in parse_lock(lock_text(project).encode()).files().items()}


# --- restoring ---


def test_a_folder_becomes_exactly_the_locked_models(robot: NodeData, project: Path, dest: Path) -> None:
    result = robot.sync(dest, project=project)
    assert contents(dest) == locked_files(project)
    assert set(contents(dest)) == ALL
    assert result.path(GRASP) == dest / GRASP
    assert (result.changed, result.rolled_back, result.repaired) == (True, False, [])
    assert result.fetched_bytes > 0


def test_without_a_folder_the_models_are_snapshots_in_the_cache(robot: NodeData, project: Path) -> None:
    result = robot.sync(project=project)
    assert robot.models.download(GRASP, "1.0.0") == result.path(GRASP)
    assert {one.model for one in result.models} == {GRASP, DETECT, PLACE}
    for one in result.models:
        assert set(contents(Path(one.path))) == {"model.safetensors", "model_card.md"}


def test_the_lock_is_restored_whatever_is_newer_by_now(
    robot: NodeData, fleet: NodeData, project: Path, dest: Path
) -> None:
    before = lock_text(project)
    result = robot.sync(dest, project=project)
    assert {one.model: one.version for one in result.models}[GRASP] == "1.0.0"
    assert lock_text(project) == before


def test_syncing_again_moves_nothing_and_keeps_the_folder(robot: NodeData, project: Path, dest: Path) -> None:
    robot.sync(dest, project=project)
    inode = dest.stat().st_ino
    result = robot.sync(dest, project=project)
    assert (result.changed, result.fetched_bytes, dest.stat().st_ino) == (False, 0, inode)


def test_an_upgrade_fetches_only_what_changed(fleet: NodeData, newer: Path, dest: Path) -> None:
    result = fleet.sync(dest, project=newer)
    assert contents(dest) == locked_files(newer)
    assert 0 < result.fetched_bytes <= 30_000


def test_a_folder_with_something_else_in_it_is_left_alone(robot: NodeData, project: Path, dest: Path) -> None:
    dest.mkdir()
    (dest / "notes.txt").write_text("mine")
    with pytest.raises(errors.DestNotEmpty):
        robot.sync(dest, project=project)
    assert contents(dest).keys() == {"notes.txt"}


def test_a_lock_that_lags_behind_its_project_is_restored_with_a_warning(
    fleet: NodeData, project: Path, dest: Path
) -> None:
    want(project, grasp='"^2"', detect='"^1"', place='"^1"')
    with pytest.warns(LockWarning, match="asks for acme/grasp"):
        assert fleet.sync(dest, project=project).path(GRASP).is_dir()


def test_a_lock_alone_is_enough(robot: NodeData, project: Path, dest: Path) -> None:
    (project / "node-data.toml").unlink()
    robot.sync(dest, project=project)
    assert contents(dest) == locked_files(project)


def test_no_lock_says_how_to_make_one(robot: NodeData, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidLock, match="node-data lock"):
        robot.sync(project=tmp_path)


def test_two_syncs_of_one_place_at_a_time_wait_for_each_other(
    robot: NodeData, project: Path, dest: Path
) -> None:
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: robot.sync(dest, project=project), range(4)))
    assert sorted(result.changed for result in results) == [False, False, False, True]
    assert contents(dest) == locked_files(project)


# --- offline ---


def test_three_models_are_restored_offline_after_one_online_run(
    robot: NodeData, door: Door, project: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot.sync(project=project)
    door.shut = True
    before = len(door.requests)
    monkeypatch.setenv("NODE_DATA_OFFLINE", "1")
    with NodeData(door.base_url, cache=project.parent / "robot") as offline:
        offline.sync(dest, project=project)
    assert contents(dest) == locked_files(project)
    assert len(door.requests) == before


def test_offline_works_from_files_alone_when_the_index_is_lost(
    robot: NodeData, project: Path, dest: Path
) -> None:
    robot.sync(project=project)
    robot.close()
    for lost in (project.parent / "robot").glob("index-1.db*"):
        lost.unlink()
    with NodeData("http://127.0.0.1:9", cache=project.parent / "robot") as again:
        again.sync(dest, project=project, offline=True, any_registry=True)
    assert contents(dest) == locked_files(project)


def test_offline_says_which_models_are_missing_and_touches_nothing(
    robot: NodeData, project: Path, dest: Path
) -> None:
    robot.models.download(GRASP, "1.0.0")
    with pytest.raises(errors.NotInCache) as caught:
        robot.sync(dest, project=project, offline=True)
    assert caught.value.details["missing"] == ["acme/detect@1.0.0", "acme/place@1.0.0"]
    assert not dest.exists()


def test_a_silent_registry_is_waited_for_once_and_the_cache_stands_in(
    robot: NodeData, door: Door, project: Path, dest: Path
) -> None:
    robot.sync(project=project)
    door.shut = True
    with pytest.warns(RegistryUnreachableWarning) as caught:
        robot.sync(dest, project=project)
    assert len(caught) == 1
    assert contents(dest) == locked_files(project)


def test_a_registry_that_goes_during_a_sync_leaves_the_last_good_state(
    fleet: NodeData, door: Door, newer: Path, dest: Path, tmp_path: Path
) -> None:
    good = contents(dest)

    def cut(request: str) -> None:
        if "/plan" in request:
            door.shut = True

    door.before = cut
    with pytest.raises(errors.NodeDataError):
        fleet.sync(dest, project=newer)
    assert contents(dest) == good
    door.before, door.shut = None, False
    fleet.sync(dest, project=newer)
    assert contents(dest) == locked_files(newer)
    assert fleet.sync(dest, project=newer, rollback=True).changed
    assert contents(dest) == good


# --- damage and lies ---


@pytest.mark.parametrize("name", ["model.safetensors", "model_card.md"])
def test_a_flipped_bit_in_the_cache_is_found_and_mended(
    robot: NodeData, project: Path, dest: Path, name: str
) -> None:
    path = robot.sync(project=project).path(DETECT)
    flip_a_bit(path / name)
    result = robot.sync(project=project)
    assert f"{DETECT}/{name}" in result.repaired
    for one in result.models:
        restored = {f"{one.model}/{path}": sha256 for path, sha256 in contents(Path(one.path)).items()}
        assert restored.items() <= locked_files(project).items()
    assert robot.sync(project=project).repaired == []


def test_a_flipped_bit_in_the_restored_folder_is_found_and_mended(
    robot: NodeData, project: Path, dest: Path
) -> None:
    robot.sync(dest, project=project)
    flip_a_bit(dest / DETECT / "model.safetensors")
    result = robot.sync(dest, project=project)
    assert result.repaired == [f"{DETECT}/model.safetensors"]
    assert contents(dest) == locked_files(project)


def test_a_flipped_bit_that_cannot_be_mended_offline_touches_nothing(
    robot: NodeData, project: Path, dest: Path
) -> None:
    path = robot.sync(project=project).path(DETECT)
    flip_a_bit(path / "model.safetensors")
    with pytest.raises(errors.NotInCache, match=DETECT):
        robot.sync(dest, project=project, offline=True)
    assert not dest.exists()


def test_without_verification_only_times_and_sizes_are_looked_at(
    robot: NodeData, project: Path, dest: Path
) -> None:
    robot.sync(dest, project=project)
    flip_a_bit(dest / DETECT / "model.safetensors")
    assert robot.sync(dest, project=project, verify=False).repaired == []


def test_a_file_that_somebody_removed_or_added_is_put_right(
    robot: NodeData, project: Path, dest: Path
) -> None:
    robot.sync(dest, project=project)
    (dest / GRASP / "model_card.md").unlink()
    (dest / "stray.txt").touch()
    robot.sync(dest, project=project)
    assert contents(dest) == locked_files(project)


def test_bytes_that_arrive_damaged_restore_nothing(
    robot: NodeData, door: Door, project: Path, dest: Path
) -> None:
    door.damage = True
    with pytest.raises(errors.DigestMismatch):
        robot.sync(dest, project=project)
    assert not dest.exists()


def test_a_version_changed_by_hand_is_loud_and_restores_nothing(
    robot: NodeData, fleet: NodeData, project: Path, dest: Path
) -> None:
    (project / "node-data.toml").unlink()
    edit_lock(project, 'requested = "1.0.0"\nversion = "1.0.0"', 'requested = "1.1.0"\nversion = "1.1.0"')
    with pytest.raises(errors.DigestMismatch, match="CHANGED"):
        robot.sync(dest, project=project)
    fleet.models.download(GRASP, "1.1.0")
    fleet.models.download(GRASP, "1.0.0")
    fleet.models.download(DETECT)
    fleet.models.download(PLACE)
    with pytest.raises(errors.DigestMismatch, match="CHANGED"):
        fleet.sync(dest, project=project, offline=True)
    assert not dest.exists()


def test_a_digest_changed_by_hand_is_found_before_the_registry_is_asked(
    robot: NodeData, door: Door, project: Path, dest: Path
) -> None:
    edit_lock(project, 'digest = "sha256:', 'digest = "sha256:0')
    before = len(door.requests)
    with pytest.raises(errors.InvalidLock, match="by hand"):
        robot.sync(dest, project=project)
    assert len(door.requests) == before


def test_a_lock_from_another_registry_is_refused_unless_any_will_do(
    robot: NodeData, door: Door, project: Path, dest: Path
) -> None:
    edit_lock(project, door.base_url, "https://other.example")
    with pytest.raises(errors.OtherRegistry, match=r"other\.example"):
        robot.sync(dest, project=project)
    assert not dest.exists()
    robot.sync(dest, project=project, any_registry=True)
    assert contents(dest) == locked_files(project)


# --- marks ---


def test_a_yanked_pin_is_restored_with_a_warning_each_time(
    robot: NodeData, fleet: NodeData, project: Path, dest: Path
) -> None:
    fleet.models.yank(GRASP, "1.0.0", "drops the cup")
    for _ in range(2):
        with pytest.warns(YankedRevisionWarning, match=r"drops the cup \(use 1\.1\.0\)"):
            result = robot.sync(dest, project=project)
    assert {one.model: one.yanked is not None for one in result.models}[GRASP]
    with pytest.warns(YankedRevisionWarning):
        robot.sync(dest, project=project, offline=True)


def test_yanked_pins_can_be_refused_all_reasons_at_once(
    robot: NodeData, fleet: NodeData, project: Path, dest: Path
) -> None:
    fleet.models.yank(GRASP, "1.0.0", "drops the cup")
    fleet.models.yank(DETECT, "1.0.0", "sees ghosts")
    with pytest.raises(errors.RevisionYanked) as caught:
        robot.sync(dest, project=project, on_yanked="error")
    assert [one["reason"] for one in caught.value.details["reasons"]] == ["sees ghosts", "drops the cup"]
    assert not dest.exists()


def test_a_yank_between_resolving_and_fetching_breaks_nothing(
    robot: NodeData, door: Door, project: Path, dest: Path, tmp_path: Path
) -> None:
    def yank(request: str) -> None:
        if "/files/" in request:
            door.before = None
            with NodeData(path=tmp_path / "registry", cache=tmp_path / "aside") as other:
                other.models.yank("acme/place", "1.0.0", "slips")

    door.before = yank
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", YankedRevisionWarning)
        robot.sync(dest, project=project)
    assert contents(dest) == locked_files(project)
    with pytest.warns(YankedRevisionWarning, match="slips"):
        robot.sync(dest, project=project)


def test_a_quarantined_pin_is_refused_even_where_the_cache_has_it(
    robot: NodeData, fleet: NodeData, project: Path, dest: Path
) -> None:
    robot.sync(project=project)
    fleet.models.quarantine(GRASP, "1.0.0", "leaked key")
    with pytest.raises(errors.RevisionQuarantined, match="leaked key"):
        robot.sync(dest, project=project)
    assert not dest.exists()


# --- going back ---


def test_a_rollback_restores_the_previous_state_of_a_folder(fleet: NodeData, newer: Path, dest: Path) -> None:
    good = contents(dest)
    fleet.sync(dest, project=newer)
    assert contents(dest) != good
    result = fleet.sync(dest, project=newer, rollback=True)
    assert contents(dest) == good
    assert (result.rolled_back, result.changed) == (True, True)
    assert {one.model: one.version for one in result.models}[GRASP] == "1.0.0"


def test_a_rollback_of_a_rollback_goes_forward_again(fleet: NodeData, newer: Path, dest: Path) -> None:
    fleet.sync(dest, project=newer)
    new = contents(dest)
    fleet.sync(dest, project=newer, rollback=True)
    fleet.sync(dest, project=newer, rollback=True)
    assert contents(dest) == new


def test_a_rollback_works_offline_and_in_the_cache(fleet: NodeData, newer: Path) -> None:
    fleet.sync(project=newer)
    result = fleet.sync(project=newer, rollback=True, offline=True)
    assert {one.model: one.version for one in result.models}[GRASP] == "1.0.0"


def test_a_rollback_needs_neither_a_lock_nor_the_registry_it_came_from(
    fleet: NodeData, newer: Path, dest: Path
) -> None:
    good = contents(dest)
    fleet.sync(dest, project=newer)
    (newer / "node-data.lock").unlink()
    with NodeData("http://127.0.0.1:9", cache=newer.parent / "cache") as elsewhere:
        elsewhere.sync(dest, project=newer, rollback=True)
    assert contents(dest) == good


def test_syncing_the_same_again_does_not_forget_the_state_before(
    fleet: NodeData, newer: Path, dest: Path
) -> None:
    good = contents(dest)
    fleet.sync(dest, project=newer)
    fleet.sync(dest, project=newer)
    fleet.sync(dest, project=newer, rollback=True)
    assert contents(dest) == good


def test_a_rollback_without_an_earlier_state_touches_nothing(
    robot: NodeData, project: Path, dest: Path
) -> None:
    robot.sync(dest, project=project)
    good = contents(dest)
    with pytest.raises(errors.NotAllowedNow, match="nothing to go back to"):
        robot.sync(dest, project=project, rollback=True)
    assert contents(dest) == good


def test_a_sync_that_was_killed_over_the_exchange_can_be_rolled_back(
    fleet: NodeData, newer: Path, dest: Path
) -> None:
    good = contents(dest)
    fleet.sync(dest, project=newer)
    state = StateFile(fleet._downloads.surroundings().cache, dest)
    now = state.read()
    # As a kill between the exchange and the last note leaves it.
    state.write(State(now.previous, None, now.current))
    fleet.sync(dest, project=newer, rollback=True)
    assert contents(dest) == good


def test_a_rollback_fetches_again_what_the_cache_has_lost(fleet: NodeData, newer: Path, dest: Path) -> None:
    good = contents(dest)
    fleet.sync(dest, project=newer)
    shutil.rmtree(newer.parent / "cache" / "files")
    (newer.parent / "cache" / "files").mkdir()
    result = fleet.sync(dest, project=newer, rollback=True)
    assert contents(dest) == good
    assert result.fetched_bytes > 0
