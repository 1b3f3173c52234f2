"""Somebody publishes between the opening of an upload and its commit: the default parent is another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nodedata_registry import NodeData, PublishWarning, errors
from tests.sdk.door import Door
from tests.sdk.weights import write_model, write_weights

MODEL = "acme/grasp"


@pytest.fixture
def meanwhile(node: NodeData, door: Door, tmp_path: Path) -> Callable[[], None]:
    """Return what lets another publisher make 1.0.1 just before the next commit arrives."""
    node.models.create_revision(MODEL, "1.0.0", write_model(tmp_path / "m"), "First")
    notes = tmp_path / "notes.txt"
    notes.write_text("Seen on the way.")

    def publish_first(request: str) -> None:
        if request == f"POST /v1/models/{MODEL}/revisions":
            door.before = None
            node.models.create_revision(MODEL, "1.0.1", {"notes.txt": notes}, "Another's")

    def arm() -> None:
        door.before = publish_first

    return arm


@pytest.mark.parametrize(("version", "given"), [("auto", "1.0.2"), ("1.1.0", "1.1.0")])
def test_the_publish_is_laid_over_the_new_parent_and_loses_nothing(
    node: NodeData, meanwhile: Callable[[], None], tmp_path: Path, version: str, given: str
) -> None:
    changed = write_weights(tmp_path / "new.safetensors", changed=(1,))
    meanwhile()
    revision = node.models.create_revision(MODEL, version, {"model.safetensors": changed}, "Tuned")
    assert (revision.version, revision.parent) == (given, "1.0.1")
    paths = [file.path for file in node.models.manifest(MODEL, given).files]
    assert paths == ["model.safetensors", "model_card.md", "notes.txt"]


def test_a_stated_parent_stays_the_parent(
    node: NodeData, meanwhile: Callable[[], None], tmp_path: Path
) -> None:
    changed = write_weights(tmp_path / "new.safetensors", changed=(1,))
    meanwhile()
    files = {"model.safetensors": changed}
    with pytest.warns(PublishWarning, match="not the newest of its line"):
        revision = node.models.create_revision(MODEL, "1.1.0", files, "Tuned", "1.0.0")
    assert revision.parent == "1.0.0"


def test_a_version_that_was_taken_meanwhile_is_told(
    node: NodeData, meanwhile: Callable[[], None], tmp_path: Path
) -> None:
    changed = write_weights(tmp_path / "new.safetensors", changed=(1,))
    meanwhile()
    with pytest.raises(errors.VersionExists):
        node.models.create_revision(MODEL, "1.0.1", {"model.safetensors": changed}, "Tuned")
