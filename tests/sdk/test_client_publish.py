"""Publishing through the client, against the real registry behind a socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodedata_registry import NodeData, Progress, PublishWarning, errors
from tests.sdk.door import Door
from tests.sdk.weights import CARD, write_model, write_weights

MODEL = "acme/grasp"


def test_a_folder_becomes_a_revision(node: NodeData, tmp_path: Path) -> None:
    revision = node.models.create_revision(MODEL, "1.0.0", write_model(tmp_path / "m"), "First")
    assert (revision.version, revision.file_count, revision.license) == ("1.0.0", 2, "Apache-2.0")
    assert revision.parameter_count == 4 * 300 * 300


def test_the_model_may_be_named_by_its_id(node: NodeData, tmp_path: Path) -> None:
    model_id = node.models.get(MODEL).id
    node.models.create_revision(model_id, "1.0.0", write_model(tmp_path / "m"), "First")
    assert node.models.resolve(model_id, "^1").resolved == "1.0.0"


def test_shipping_only_the_changed_weights_carries_the_card_along(node: NodeData, tmp_path: Path) -> None:
    node.models.create_revision(MODEL, "1.0.0", write_model(tmp_path / "m"), "First")
    changed = write_weights(tmp_path / "new" / "model.safetensors", changed=(2,))
    node.models.create_revision(MODEL, "1.0.1", {"model.safetensors": changed}, "Tuned")
    paths = [file.path for file in node.models.manifest(MODEL, "1.0.1").files]
    assert paths == ["model.safetensors", "model_card.md"]


def test_only_changed_blocks_are_sent(node: NodeData, door: Door, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", tensors=30)
    node.models.create_revision(MODEL, "1.0.0", folder, "First")
    write_weights(folder / "model.safetensors", tensors=30, changed=(7,))
    before = door.received_bytes
    node.models.create_revision(MODEL, "1.0.1", folder, "Tuned")
    assert door.received_bytes - before < 0.05 * (folder / "model.safetensors").stat().st_size


def test_publishing_the_same_again_gives_the_same_revision(node: NodeData, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    first = node.models.create_revision(MODEL, "1.0.0", folder, "First")
    again = node.models.create_revision(MODEL, "1.0.0", folder, "First")
    assert (again.id, again.commit) == (first.id, first.commit)


def test_the_version_may_be_left_to_the_evidence(node: NodeData, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    assert node.models.create_revision(MODEL, "auto", folder, "First").version == "1.0.0"
    write_weights(folder / "model.safetensors", changed=(0,))
    assert node.models.create_revision(MODEL, "auto", folder, "Tuned").version == "1.0.1"


def test_a_removed_file_is_gone(node: NodeData, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "notes.txt").write_text("notes")
    node.models.create_revision(MODEL, "1.0.0", folder, "First")
    node.models.create_revision(MODEL, "1.0.1", [], "Tidy", remove=["notes.txt"])
    assert len(node.models.manifest(MODEL, "1.0.1").files) == 2


def test_a_check_judges_and_publishes_nothing(node: NodeData, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    node.models.create_revision(MODEL, "1.0.0", folder, "First")
    (folder / "model_card.md").write_text(CARD.replace("[batch, 8]", "[batch, 9]"))
    verdict = node.models.check(MODEL, "1.0.1", folder, "Wider")
    assert not verdict.ok
    assert verdict.verdict.asked == "major"
    assert node.models.get(MODEL).latest == "1.0.0"


def test_a_bump_that_is_too_low_is_refused_before_weights_are_sent(
    node: NodeData, door: Door, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "m")
    node.models.create_revision(MODEL, "1.0.0", folder, "First")
    (folder / "model_card.md").write_text(CARD.replace("[batch, 8]", "[batch, 9]"))
    write_weights(folder / "model.safetensors", seed=1)
    sent = door.count("/blocks/")
    with pytest.raises(errors.VersionTooLow) as caught:
        node.models.create_revision(MODEL, "1.0.1", folder, "Wider")
    assert "input_shape_changed" in {finding["code"] for finding in caught.value.details["findings"]}
    assert caught.value.request_id is not None
    assert door.count("/blocks/") == sent


def test_a_finding_can_be_accepted_with_a_reason(node: NodeData, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    node.models.create_revision(MODEL, "1.0.0", folder, "First")
    (folder / "model_card.md").write_text(CARD.replace("[batch, 8]", "[batch, 9]"))
    reason = {"input_shape_changed": "The ninth input is ignored by all consumers"}
    revision = node.models.create_revision(MODEL, "1.0.1", folder, "Wider", accept=reason)
    assert revision.verdict.accepted[0].code == "input_shape_changed"


def test_a_malformed_weight_file_is_refused_by_name(node: NodeData, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(errors.InvalidWeights, match=r"model\.safetensors"):
        node.models.create_revision(MODEL, "1.0.0", folder, "First")


def test_a_folder_without_a_card_is_refused(node: NodeData, tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "m" / "model.safetensors")
    with pytest.raises(errors.CardRequired, match="node-data model init"):
        node.models.create_revision(MODEL, "1.0.0", weights.parent, "First")


def test_an_unknown_model_is_heard_of_before_files_are_read(node: NodeData, tmp_path: Path) -> None:
    seen: list[Progress] = []
    with pytest.raises(errors.ModelNotFound):
        node.models.create_revision(
            "acme/absent", "1.0.0", write_model(tmp_path / "m"), "First", progress=seen.append
        )
    assert seen == []


def test_the_documented_order_of_checks_holds_for_a_malformed_file(node: NodeData, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    node.models.create_revision(MODEL, "1.0.0", folder, "First")
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(errors.VersionExists):
        node.models.create_revision(MODEL, "1.0.0", folder, "First")


def test_what_a_publisher_should_hear_is_a_warning(node: NodeData, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "model_card.md").write_text("---\nlicense: mit\n---\nNothing states what goes in.\n")
    with pytest.warns(PublishWarning) as caught:
        node.models.create_revision(MODEL, "1.0.0", folder, "First")
    codes = {warning.message.code for warning in caught if isinstance(warning.message, PublishWarning)}
    assert codes == {"schema_unknown"}
    assert {warning.filename for warning in caught} == {__file__}


def test_a_file_that_changes_while_it_is_sent_publishes_nothing(node: NodeData, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")

    def spoil(progress: Progress) -> None:
        if progress.phase == "send":
            write_weights(folder / "model.safetensors", seed=9)

    with pytest.raises(errors.TransferFailed, match="changed while it was being published"):
        node.models.create_revision(MODEL, "1.0.0", folder, "First", progress=spoil)
    assert node.models.get(MODEL).latest is None


def test_an_interrupted_publish_sends_only_the_rest(node: NodeData, door: Door, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", tensors=8)

    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.phase == "send" and progress.done_bytes > progress.total_bytes / 2:
            raise Stopped

    with pytest.raises(Stopped):
        node.models.create_revision(MODEL, "1.0.0", folder, "First", progress=stop)
    sent = door.count("/blocks/")
    node.models.create_revision(MODEL, "1.0.0", folder, "First")
    assert door.count("/blocks/") - sent < sent


def test_progress_ends_at_its_total(node: NodeData, tmp_path: Path) -> None:
    seen: list[Progress] = []
    node.models.create_revision(MODEL, "1.0.0", write_model(tmp_path / "m"), "First", progress=seen.append)
    last = {progress.phase: progress for progress in seen}
    assert set(last) == {"scan", "send"}
    assert all(progress.done_bytes == progress.total_bytes for progress in last.values())


def test_a_key_that_may_only_upload_can_publish(node: NodeData, door: Door, tmp_path: Path) -> None:
    key = node.keys.create("ci", scopes=["models:upload"])
    folder = write_model(tmp_path / "m")
    with NodeData(door.base_url, key.key) as ci:
        ci.models.create_revision(MODEL, "1.0.0", folder, "First")
        changed = write_weights(tmp_path / "new" / "model.safetensors", changed=(2,))
        assert (
            ci.models.create_revision(MODEL, "1.0.1", {"model.safetensors": changed}, "Tuned").parent
            == "1.0.0"
        )
