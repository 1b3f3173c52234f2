"""Which refusal the client tells first: the registry's rules that come before paths win over local ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodedata_registry import NodeData, errors
from tests.sdk.door import Door
from tests.sdk.weights import write_model

MODEL = "acme/grasp"
OUTSIDE = ["../elsewhere.safetensors"]


@pytest.fixture
def folder(node: NodeData, tmp_path: Path) -> Path:
    """Return the folder that is published as 1.0.0."""
    made = write_model(tmp_path / "m")
    node.models.create_revision(MODEL, "1.0.0", made, "First")
    return made


def test_a_path_outside_the_root_is_told_where_nothing_earlier_is_wrong(node: NodeData, folder: Path) -> None:
    with pytest.raises(errors.PathOutsideRoot):
        node.models.create_revision(MODEL, "1.0.1", OUTSIDE, "Tuned", root=folder)


@pytest.mark.parametrize("call", ["create_revision", "check"])
def test_what_is_no_version_is_told_before_a_bad_path(node: NodeData, folder: Path, call: str) -> None:
    with pytest.raises(errors.InvalidVersion):
        getattr(node.models, call)(MODEL, "1.0", OUTSIDE, "Tuned", root=folder)


def test_what_is_no_version_is_told_before_files_are_read(node: NodeData, folder: Path) -> None:
    heard: list[object] = []
    with pytest.raises(errors.InvalidVersion):
        node.models.create_revision(MODEL, "1.0", folder, "Tuned", progress=heard.append)
    assert heard == []


def test_a_version_that_exists_is_told_before_a_bad_path(node: NodeData, folder: Path) -> None:
    with pytest.raises(errors.VersionExists, match="lies outside the root") as caught:
        node.models.create_revision(MODEL, "1.0.0", OUTSIDE, "First", root=folder)
    assert caught.value.details["version"] == "1.0.0"


def test_a_parent_that_cannot_be_one_is_told_before_a_bad_path(node: NodeData, folder: Path) -> None:
    with pytest.raises(errors.InvalidParent):
        node.models.create_revision(MODEL, "0.9.0", OUTSIDE, "Tuned", parent="1.0.0", root=folder)


def test_a_missing_scope_is_told_before_a_bad_path_or_version(
    node: NodeData, door: Door, folder: Path
) -> None:
    secret = node.keys.create("reads only", scopes=["models:read"]).key
    with NodeData(door.base_url, secret, cache=folder.parent / "c") as reader:
        with pytest.raises(errors.ScopeMissing):
            reader.models.create_revision(MODEL, "1.0.1", OUTSIDE, "Tuned", root=folder)
        with pytest.raises(errors.ScopeMissing):
            reader.models.create_revision(MODEL, "1.0", folder, "Tuned")
