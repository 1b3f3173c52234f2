"""What an audit says of a lock, asked and offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodedata_registry import NodeData, RegistryUnreachableWarning, YankedRevisionWarning, errors
from nodedata_registry.sdk.audit import AuditResult
from tests.sdk.door import Door
from tests.sdk.fleet import DETECT, GRASP, edit_lock, publish, want


@pytest.fixture
def project(fleet: NodeData, tmp_path: Path) -> Path:
    """A project with `acme/grasp` and `acme/detect` locked at 1.0.0; a newer one of the first exists."""
    made = want(tmp_path / "project", grasp='"~1.0"', detect='"^1"')
    fleet.lock(project=made)
    return made


def codes(result: AuditResult) -> list[tuple[str, str]]:
    return [(one.model, one.code) for one in result.findings]


def test_a_good_lock_is_fine(fleet: NodeData, project: Path) -> None:
    result = fleet.audit(project=project)
    assert (result.level, result.source, result.findings) == ("fine", "registry", [])
    assert result.models == [DETECT, GRASP]


def test_newer_versions_that_the_request_admits_are_told(fleet: NodeData, project: Path) -> None:
    publish(fleet, project.parent, DETECT, "1.0.1")
    result = fleet.audit(project=project)
    assert (result.level, codes(result)) == ("newer", [(DETECT, "newer_version")])
    assert result.findings[0].suggested == "1.0.1"
    assert "what 1.0.1 brings" in result.findings[0].message


def test_newer_versions_under_an_age_are_told_as_such(fleet: NodeData, project: Path) -> None:
    publish(fleet, project.parent, DETECT, "1.0.1")
    want(project, 'min_age = "7d"', grasp='"~1.0"', detect='"^1"')
    assert codes(fleet.audit(project=project)) == [(DETECT, "younger_version")]


def test_a_yanked_pin_is_told_with_its_reason(fleet: NodeData, project: Path) -> None:
    fleet.models.yank(GRASP, "1.0.0", "drops the cup")
    result = fleet.audit(project=project)
    assert (result.level, codes(result)) == ("yanked", [(GRASP, "pin_yanked")])
    assert "drops the cup (use 1.1.0)" in result.findings[0].message


def test_a_quarantined_pin_is_worse(fleet: NodeData, project: Path) -> None:
    fleet.models.yank(GRASP, "1.0.0", "drops the cup")
    fleet.models.quarantine(GRASP, "1.0.0", "leaked key")
    result = fleet.audit(project=project)
    assert (result.level, codes(result)[0]) == ("quarantined", (GRASP, "pin_quarantined"))
    assert "leaked key" in result.findings[0].message


def test_a_retired_pin_is_told_and_a_cached_copy_still_restored(fleet: NodeData, tmp_path: Path) -> None:
    fleet.models.create("acme/private")
    publish(fleet, tmp_path, "acme/private", "1.0.0", "1.0.1")
    project = want(tmp_path / "project", private='"1.0.0"')
    fleet.lock(project=project)
    fleet.sync(project=project)
    fleet.models.retire("acme/private", "1.0.0", "withdrawn data")
    result = fleet.audit(project=project)
    assert (result.level, codes(result)[0]) == ("retired", ("acme/private", "pin_retired"))
    with pytest.warns(UserWarning, match="withdrawn data"):
        assert fleet.sync(project=project).path("acme/private").is_dir()
    with (
        NodeData(result_url(fleet), cache=tmp_path / "empty") as robot,
        pytest.raises(errors.RevisionRetired),
    ):
        robot.sync(tmp_path / "dest", project=project)
    assert not (tmp_path / "dest").exists()


def test_a_changed_pin_is_loud(fleet: NodeData, project: Path) -> None:
    edit_lock(project, 'requested = "~1.0"\nversion = "1.0.0"', 'requested = "~1.0"\nversion = "1.0.7"')
    result = fleet.audit(project=project)
    assert (result.level, codes(result)) == ("changed", [(GRASP, "pin_changed")])
    assert "CHANGED" in result.findings[0].message


def test_offline_what_was_last_heard_is_told(fleet: NodeData, project: Path) -> None:
    fleet.models.yank(GRASP, "1.0.0", "drops the cup")
    assert codes(fleet.audit(project=project, offline=True)) == []
    with pytest.warns(YankedRevisionWarning):
        fleet.sync(project=project)
    result = fleet.audit(project=project, offline=True)
    assert (result.source, codes(result)) == ("cache", [(GRASP, "pin_yanked")])


def test_the_cache_may_stand_in_for_a_silent_registry(fleet: NodeData, project: Path, tmp_path: Path) -> None:
    silent = NodeData("http://127.0.0.1:9", cache=tmp_path / "cache")
    with silent, pytest.warns(RegistryUnreachableWarning):
        result = silent.audit(project=project, any_registry=True, offline="fallback")
    assert result.source == "cache"


def test_a_lock_from_another_registry_is_not_audited_against_this_one(
    fleet: NodeData, door: Door, project: Path
) -> None:
    edit_lock(project, door.base_url, "https://other.example")
    with pytest.raises(errors.OtherRegistry):
        fleet.audit(project=project)


def result_url(node: NodeData) -> str:
    return node._downloads.surroundings().registry
