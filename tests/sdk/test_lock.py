"""Locking through the client: what is written, what stays, and what is refused."""

from __future__ import annotations

import asyncio
import inspect
import os
from pathlib import Path

import pytest

from nodedata_registry import AsyncNodeData, NodeData, YankedRevisionWarning, errors
from nodedata_registry.core.lockfile import parse_lock
from tests.sdk.door import Door
from tests.sdk.fleet import DETECT, GRASP, edit_lock, lock_text, publish, want


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that wants `acme/grasp ^1`, of which 1.0.0 and 1.1.0 exist."""
    return want(tmp_path / "project", grasp='"^1"')


def versions(project: Path) -> dict[str, str]:
    return {pin.model: str(pin.version) for pin in parse_lock(lock_text(project).encode()).pins}


def test_a_lock_states_all_that_a_restore_needs(fleet: NodeData, door: Door, project: Path) -> None:
    result = fleet.lock(project=project)
    (pin,) = parse_lock(lock_text(project).encode()).pins
    answer, files = fleet.models.resolve(GRASP, "^1"), fleet.models.manifest(GRASP, "^1")
    assert (pin.model, pin.requested, str(pin.version)) == (GRASP, "^1", "1.1.0")
    assert (pin.digest, pin.commit, pin.model_id) == (answer.digest, answer.commit, answer.model_id)
    assert (pin.registry, pin.yanked) == (door.base_url, None)
    assert [(one.path, one.size_bytes, one.sha256) for one in pin.manifest.files] == [
        (one.path, one.size_bytes, one.sha256) for one in files.files
    ]
    assert result.changed
    assert result.to_dict()["models"][0]["version"] == "1.1.0"
    assert [(one.model, one.change) for one in result.changes] == [(GRASP, "added")]


def test_locking_again_asks_nothing_and_writes_nothing(fleet: NodeData, door: Door, project: Path) -> None:
    fleet.lock(project=project)
    publish(fleet, project.parent, GRASP, "1.2.0")
    before, status = len(door.requests), (project / "node-data.lock").stat()
    assert not fleet.lock(project=project).changed
    assert len(door.requests) == before
    assert (project / "node-data.lock").stat().st_ino == status.st_ino


def test_a_pin_moves_when_the_request_no_longer_admits_it(fleet: NodeData, project: Path) -> None:
    fleet.lock(project=project)
    want(project, grasp='"1.0.0"')
    result = fleet.lock(project=project)
    assert versions(project) == {GRASP: "1.0.0"}
    assert [(one.change, one.old_version, one.new_version) for one in result.changes] == [
        ("downgraded", "1.1.0", "1.0.0")
    ]


def test_another_request_that_admits_the_pin_changes_one_line(fleet: NodeData, project: Path) -> None:
    fleet.lock(project=project)
    before = lock_text(project).splitlines()
    publish(fleet, project.parent, GRASP, "1.2.0")
    want(project, grasp='"~1.1"')
    fleet.lock(project=project)
    assert [line for line in lock_text(project).splitlines() if line not in before] == ['requested = "~1.1"']


def test_upgrade_moves_everything_and_upgrade_of_one_only_that(fleet: NodeData, project: Path) -> None:
    want(project, grasp='"^1"', detect='"^1"')
    fleet.lock(project=project)
    for model in (GRASP, DETECT):
        publish(fleet, project.parent, model, "1.2.0" if model == GRASP else "1.1.0")
    fleet.lock(project=project, upgrade=[DETECT])
    assert versions(project) == {GRASP: "1.1.0", DETECT: "1.1.0"}
    fleet.lock(project=project, upgrade=True)
    assert versions(project) == {GRASP: "1.2.0", DETECT: "1.1.0"}


def test_upgrading_what_the_project_does_not_have_names_what_it_has(fleet: NodeData, project: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match=GRASP):
        fleet.lock(project=project, upgrade=["acme/other"])


def test_a_model_that_is_no_longer_wanted_leaves_the_lock(fleet: NodeData, project: Path) -> None:
    fleet.lock(project=want(project, grasp='"^1"', detect='"^1"'))
    result = fleet.lock(project=want(project, detect='"^1"'))
    assert versions(project) == {DETECT: "1.0.0"}
    assert [(one.model, one.change) for one in result.changes] == [(GRASP, "removed")]


def test_models_can_be_named_without_a_project_file(fleet: NodeData, project: Path) -> None:
    (project / "node-data.toml").unlink()
    fleet.lock({GRASP: "1.0.0"}, project=project)
    fleet.lock({DETECT: "^1"}, project=project)
    assert versions(project) == {GRASP: "1.0.0", DETECT: "1.0.0"}
    fleet.lock({GRASP: "^1"}, project=project, upgrade=True)
    assert versions(project) == {GRASP: "1.1.0", DETECT: "1.0.0"}


def test_models_are_not_named_beside_a_project_file(fleet: NodeData, project: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"node-data\.toml"):
        fleet.lock({GRASP: "1.0.0"}, project=project)


def test_nothing_to_lock_says_what_to_write(fleet: NodeData, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"\[models\]"):
        fleet.lock(project=tmp_path)
    with pytest.raises(errors.InvalidRequest, match="no folder"):
        fleet.lock(project=tmp_path / "nowhere")


def test_a_model_that_does_not_exist_leaves_the_lock_as_it_was(fleet: NodeData, project: Path) -> None:
    fleet.lock(project=project)
    before = lock_text(project)
    with pytest.raises(errors.ModelNotFound):
        fleet.lock(project=want(project, grasp='"1.0.0"', nowhere='"^1"'))
    assert lock_text(project) == before


def test_a_model_asked_for_by_name_and_by_id_is_refused(fleet: NodeData, project: Path) -> None:
    own_id = fleet.models.get(GRASP).id
    (project / "node-data.toml").write_text(f'[models]\n"{GRASP}" = "^1"\n"{own_id}" = "1.0.0"\n')
    with pytest.raises(errors.InvalidRequest, match="twice"):
        fleet.lock(project=project)


def test_a_model_may_be_asked_for_by_its_id(fleet: NodeData, project: Path) -> None:
    (project / "node-data.toml").write_text(f'[models]\n"{fleet.models.get(GRASP).id}" = "^1"\n')
    fleet.lock(project=project)
    assert versions(project) == {GRASP: "1.1.0"}
    assert not fleet.lock(project=project).changed


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_keeps_its_lock(fleet: NodeData, project: Path) -> None:
    project.chmod(0o555)
    with pytest.raises(errors.DataFolderNotWritable, match=r"node-data\.lock"):
        fleet.lock(project=project)
    project.chmod(0o755)


# --- check ---


def test_check_is_silent_about_a_good_lock_and_needs_no_registry(
    fleet: NodeData, door: Door, project: Path
) -> None:
    fleet.lock(project=project)
    door.shut = True
    assert not fleet.lock(project=project, check=True).changed


@pytest.mark.parametrize("wish", ['"^2"', '"~1.1"'])
def test_check_fails_on_any_change_and_writes_nothing(fleet: NodeData, project: Path, wish: str) -> None:
    fleet.lock(project=project)
    before = lock_text(project)
    with pytest.raises(errors.LockOutdated, match=GRASP):
        fleet.lock(project=want(project, grasp=wish), check=True)
    assert lock_text(project) == before


def test_check_fails_where_there_is_no_lock(fleet: NodeData, project: Path) -> None:
    with pytest.raises(errors.LockOutdated):
        fleet.lock(project=project, check=True)
    assert not (project / "node-data.lock").exists()


def test_check_with_upgrade_says_what_an_upgrade_would_do(fleet: NodeData, project: Path) -> None:
    fleet.lock(project=project)
    publish(fleet, project.parent, GRASP, "1.2.0")
    with pytest.raises(errors.LockOutdated) as caught:
        fleet.lock(project=project, check=True, upgrade=True)
    assert caught.value.details["changes"][0]["new_version"] == "1.2.0"
    assert versions(project) == {GRASP: "1.1.0"}


# --- yanks and ages ---


def test_an_upgrade_avoids_what_is_yanked(fleet: NodeData, project: Path) -> None:
    fleet.lock(project=project)
    fleet.models.yank(GRASP, "1.1.0", "drops the cup")
    fleet.lock(project=project, upgrade=True)
    assert versions(project) == {GRASP: "1.0.0"}


def test_what_is_locked_although_it_is_yanked_says_so_and_warns(fleet: NodeData, project: Path) -> None:
    fleet.models.yank(GRASP, "^1", 'drops the "cup"')
    with pytest.warns(YankedRevisionWarning, match="drops the"):
        result = fleet.lock(project=project)
    (pin,) = parse_lock(lock_text(project).encode()).pins
    assert pin.yanked is not None
    assert (pin.yanked.reason, pin.yanked.suggested) == ('drops the "cup"', None)
    assert result.models[0].yanked is not None


def test_locking_can_refuse_what_is_yanked(fleet: NodeData, project: Path) -> None:
    fleet.models.yank(GRASP, "^1", "drops the cup")
    with pytest.raises(errors.RevisionYanked):
        fleet.lock(project=project, on_yanked="error")
    assert not (project / "node-data.lock").exists()


def test_a_yank_between_resolving_and_listing_files_is_in_the_lock(
    fleet: NodeData, door: Door, project: Path, tmp_path: Path
) -> None:
    def yank(request: str) -> None:
        if request.endswith("/manifest"):
            door.before = None
            with NodeData(path=tmp_path / "registry", cache=tmp_path / "aside") as other:
                other.models.yank(GRASP, "1.1.0", "drops the cup")

    door.before = yank
    with pytest.warns(YankedRevisionWarning):
        fleet.lock(project=project)
    (pin,) = parse_lock(lock_text(project).encode()).pins
    assert pin.yanked is not None


def test_a_range_ignores_what_is_too_young_until_somebody_says_otherwise(
    fleet: NodeData, project: Path
) -> None:
    want(project, 'min_age = "7d"', grasp='"^1"')
    with pytest.raises(errors.TooYoung, match="allow_young"):
        fleet.lock(project=project)
    assert not (project / "node-data.lock").exists()
    want(project, 'min_age = "7d"', grasp='{ revision = "^1", allow_young = ["1.0.0"] }')
    result = fleet.lock(project=project)
    assert versions(project) == {GRASP: "1.0.0"}
    assert [(one.model, one.version) for one in result.passed_over] == [(GRASP, "1.1.0")]
    fleet.lock(project=project, upgrade=True, allow_young=[GRASP])
    assert versions(project) == {GRASP: "1.1.0"}


def test_what_is_locked_is_never_too_young(fleet: NodeData, project: Path) -> None:
    fleet.lock(project=project)
    assert not fleet.lock(project=project, min_age="7d").changed


def test_a_young_fix_of_a_yanked_revision_is_taken_only_explicitly(fleet: NodeData, project: Path) -> None:
    fleet.models.yank(GRASP, "1.0.0", "drops the cup")
    want(project, 'min_age = "7d"', grasp='{ revision = "^1", allow_young = ["1.0.0"] }')
    with pytest.raises(errors.TooYoung, match=r"1\.0\.0 is yanked"):
        fleet.lock(project=project)
    want(project, 'min_age = "7d"', grasp='{ revision = "^1", allow_young = ["1.0.0", "1.1.0"] }')
    fleet.lock(project=project)
    assert versions(project) == {GRASP: "1.1.0"}


# --- bad days ---


def test_a_lock_with_conflict_markers_is_neither_used_nor_written_over(
    fleet: NodeData, project: Path
) -> None:
    fleet.lock(project=project)
    edit_lock(project, "lock = 1\n", "<<<<<<< HEAD\nlock = 1\n=======\nlock = 1\n>>>>>>> topic\n")
    before = lock_text(project)
    for attempt in (fleet.lock, fleet.sync, fleet.audit):
        with pytest.raises(errors.InvalidLock, match="conflict markers"):
            attempt(project=project)
    assert lock_text(project) == before


def test_a_lock_of_a_newer_program_is_neither_used_nor_written_over(fleet: NodeData, project: Path) -> None:
    fleet.lock(project=project)
    edit_lock(project, "lock = 1\n", 'lock = 2\nsealed_by = "x"\n')
    before = lock_text(project)
    for attempt in (fleet.lock, fleet.sync, fleet.audit):
        with pytest.raises(errors.InvalidLock, match="newer program"):
            attempt(project=project)
    assert lock_text(project) == before


def test_a_lock_from_another_registry_is_not_mixed_with_this_one(fleet: NodeData, project: Path) -> None:
    fleet.lock(project=project)
    edit_lock(project, 'registry = "http', 'registry = "https://other.example/')
    want(project, grasp='"^1"', detect='"^1"')
    with pytest.raises(errors.OtherRegistry, match=r"other\.example"):
        fleet.lock(project=project)
    fleet.lock(project=project, upgrade=True)
    assert "other.example" not in lock_text(project)


def test_offline_nothing_is_resolved_and_a_good_lock_is_good(
    fleet: NodeData, door: Door, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.lock(project=project)
    monkeypatch.setenv("NODE_DATA_OFFLINE", "1")
    with NodeData(door.base_url) as offline:
        assert not offline.lock(project=project).changed
        with pytest.raises(errors.RegistryUnreachable, match="NODE_DATA_OFFLINE"):
            offline.lock(project=project, upgrade=True)
    assert versions(project) == {GRASP: "1.1.0"}


# --- awaited ---


def test_the_awaited_client_locks_syncs_and_audits_too(fleet: NodeData, door: Door, project: Path) -> None:
    async def work() -> tuple[str, str, str]:
        async with AsyncNodeData(door.base_url, cache=project.parent / "cache") as other:
            locked = await other.lock(project=project)
            synced = await other.sync(project=project)
            audited = await other.audit(project=project)
            return locked.models[0].version, synced.models[0].version, audited.level

    assert asyncio.run(work()) == ("1.1.0", "1.1.0", "fine")


@pytest.mark.parametrize("name", ["lock", "sync", "audit"])
def test_the_awaited_calls_have_the_same_signatures(name: str) -> None:
    ours, theirs = getattr(AsyncNodeData, name), getattr(NodeData, name)
    assert inspect.iscoroutinefunction(ours)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)
