"""Single tensors of a published revision: what they are, what moves for them, and who checks them."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from nodedata_registry import AsyncNodeData, NodeData, YankedRevisionWarning, errors
from nodedata_registry.sdk.cache import Cache
from tests.sdk.door import Door
from tests.sdk.sparse import MIB, write_sparse
from tests.sdk.weights import CARD, write_model

MODEL = "acme/grasp"


def publish(node: NodeData, folder: Path, version: str = "1.0.0") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_card.md").write_text(CARD)
    node.models.create_revision(MODEL, version, folder, "A revision")


@pytest.fixture
def published(node: NodeData, tmp_path: Path) -> NodeData:
    """`acme/grasp` 1.0.0: four tensors of 360 kB."""
    node.models.create_revision(MODEL, "1.0.0", write_model(tmp_path / "model"), "First")
    return node


@pytest.fixture
def two_sets(node: NodeData, tmp_path: Path) -> NodeData:
    """`acme/grasp` 1.0.0 with two weight sets that both have `w`, one of them in two shards."""
    folder = tmp_path / "sets"
    folder.mkdir()
    save_file({"w": np.full((2, 2), 1, "f4"), "a": np.zeros(3, "f4")}, folder / "actor.safetensors")
    save_file({"w": np.full((2, 2), 2, "f4")}, folder / "critic-00001-of-00002.safetensors")
    save_file({"c": np.arange(5)}, folder / "critic-00002-of-00002.safetensors")
    publish(node, folder)
    return node


def expected(tmp_path: Path, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    from safetensors.numpy import load_file

    loaded: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = load_file(
        tmp_path / "model" / "model.safetensors"
    )
    return loaded[name]


def test_a_tensor_is_what_was_published(published: NodeData, tmp_path: Path) -> None:
    tensors = published.models.tensors(MODEL, "^1")
    assert (tensors.requested, tensors.resolved) == ("^1", "1.0.0")
    np.testing.assert_array_equal(tensors["layer2"], expected(tmp_path, "layer2"))


def test_an_array_is_the_callers_own(published: NodeData, tmp_path: Path) -> None:
    tensors = published.models.tensors(MODEL)
    tensors["layer0"][:] = 0
    np.testing.assert_array_equal(tensors["layer0"], expected(tmp_path, "layer0"))


def test_names_dtypes_and_shapes_move_no_tensor(published: NodeData, door: Door) -> None:
    tensors = published.models.tensors(MODEL)
    before = door.sent_bytes
    assert tensors.names == ("layer0", "layer1", "layer2", "layer3")
    assert tensors.shapes["layer1"] == (300, 300)
    assert set(tensors.dtypes.values()) == {"F32"}
    assert "layer3" in tensors
    assert "layer4" not in tensors
    assert len(tensors) == 4
    assert tensors.info("layer0").size_bytes == 360_000
    # What the door still counts of earlier answers is no tensor: each has 360,000 bytes.
    assert door.sent_bytes - before < 36_000


def test_only_the_blocks_of_one_tensor_move(published: NodeData, door: Door) -> None:
    tensors = published.models.tensors(MODEL)
    before = door.sent_bytes
    tensors["layer1"]
    assert 360_000 <= door.sent_bytes - before < 362_000


def test_a_4_mb_tensor_of_a_large_file_moves_less_than_6_mb(
    node: NodeData, door: Door, tmp_path: Path
) -> None:
    wanted = write_sparse(tmp_path / "large" / "model.safetensors", 256 * MIB)
    publish(node, tmp_path / "large")
    before = door.sent_bytes
    np.testing.assert_array_equal(node.models.tensors(MODEL, "^1")["wanted"], wanted)
    assert door.sent_bytes - before < 6_000_000


@pytest.mark.soak
def test_a_4_mb_tensor_of_a_10_gb_file_moves_less_than_6_mb(
    node: NodeData, door: Door, tmp_path: Path
) -> None:
    wanted = write_sparse(tmp_path / "large" / "model.safetensors", 10_000_000_000)
    publish(node, tmp_path / "large")
    before = door.sent_bytes
    np.testing.assert_array_equal(node.models.tensors(MODEL, "^1")["wanted"], wanted)
    moved = door.sent_bytes - before
    print(f"tensors: {moved} bytes moved")  # noqa: T201 - soak trials report what they measured
    assert moved < 6_000_000


def test_what_was_fetched_is_not_fetched_again(published: NodeData, door: Door, tmp_path: Path) -> None:
    published.models.tensors(MODEL)["layer1"]
    before = door.count("/files/")
    with NodeData(door.base_url, cache=tmp_path / "cache") as again:
        again.models.tensors(MODEL)["layer1"]
    assert door.count("/files/") == before


def test_a_download_goes_on_from_fetched_tensors(published: NodeData, door: Door) -> None:
    published.models.tensors(MODEL)["layer1"]
    before = door.sent_bytes
    published.models.download(MODEL, include="*.safetensors")
    assert door.sent_bytes - before < 3 * 360_000 + 10_000


def test_a_downloaded_file_serves_its_tensors(published: NodeData, door: Door) -> None:
    published.models.download(MODEL)
    before = door.count("/files/")
    published.models.tensors(MODEL)["layer1"]
    assert door.count("/files/") == before


def test_a_block_that_arrives_damaged_is_refused(published: NodeData, door: Door) -> None:
    tensors = published.models.tensors(MODEL)
    assert tensors.names
    door.damage = True
    with pytest.raises(errors.DigestMismatch, match="damaged"):
        tensors["layer1"]
    door.damage = False
    assert tensors["layer1"].shape == (300, 300)


def test_a_block_that_the_disk_damaged_comes_again(published: NodeData, door: Door, tmp_path: Path) -> None:
    published.models.tensors(MODEL)["layer1"]
    (kept,) = (path for path in (tmp_path / "cache" / "partial").iterdir() if not path.suffix)
    data = bytearray(kept.read_bytes())
    middle = next(i for i in range(len(data) // 4, len(data)) if data[i])
    data[middle] ^= 1
    kept.write_bytes(data)
    tensors = published.models.tensors(MODEL)
    np.testing.assert_array_equal(tensors["layer1"], expected(tmp_path, "layer1"))


def test_a_cut_connection_is_resumed(published: NodeData, door: Door, tmp_path: Path) -> None:
    tensors = published.models.tensors(MODEL)
    assert tensors.names
    door.cut_after = 100_000
    np.testing.assert_array_equal(tensors["layer1"], expected(tmp_path, "layer1"))
    assert door.cut_after is None


def test_while_another_process_downloads_a_tensor_can_still_be_had(
    published: NodeData, tmp_path: Path
) -> None:
    tensors = published.models.tensors(MODEL)
    assert tensors.names
    sha256 = next(f.sha256 for f in published.models.plan(MODEL).files if f.path == "model.safetensors")
    other = Cache(tmp_path / "cache")
    with other.contents_locked([sha256]):
        np.testing.assert_array_equal(tensors["layer1"], expected(tmp_path, "layer1"))
    other.close()
    assert not list((tmp_path / "cache" / "partial").glob("busy-*"))


def test_many_threads_may_read(published: NodeData, tmp_path: Path) -> None:
    tensors = published.models.tensors(MODEL)
    names = [f"layer{number % 4}" for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        for name, array in zip(names, pool.map(tensors.__getitem__, names), strict=True):
            np.testing.assert_array_equal(array, expected(tmp_path, name))


def test_a_later_revision_moves_only_what_changed(published: NodeData, door: Door, tmp_path: Path) -> None:
    published.models.create_revision(MODEL, "1.0.1", write_model(tmp_path / "next", changed=(2,)), "Next")
    published.models.download(MODEL, "1.0.0")
    before = door.sent_bytes
    tensors = published.models.tensors(MODEL, "^1")
    assert tensors.resolved == "1.0.1"
    assert len([tensors[name] for name in tensors]) == 4
    assert door.sent_bytes - before < 400_000


# --- what there is to ask for ---


def test_an_unknown_name_is_a_key_error_that_names_near_ones(published: NodeData) -> None:
    tensors = published.models.tensors(MODEL)
    with pytest.raises(KeyError) as caught:
        tensors["layer_1"]
    assert isinstance(caught.value, errors.NodeDataError)
    assert "near it are layer1" in str(caught.value)
    assert tensors.get("layer_1") is None


def test_shards_are_one_set(two_sets: NodeData) -> None:
    tensors = two_sets.models.tensors(MODEL)
    assert tensors.sets == ("actor.safetensors", "critic.safetensors")
    np.testing.assert_array_equal(tensors["c"], np.arange(5))
    assert tensors.info("c").path == "critic-00002-of-00002.safetensors"


def test_a_name_of_several_sets_is_asked_for_with_its_set(two_sets: NodeData) -> None:
    tensors = two_sets.models.tensors(MODEL)
    with pytest.raises(errors.InvalidRequest, match=r"actor\.safetensors:w or critic\.safetensors:w"):
        tensors["w"]
    assert tensors["critic.safetensors:w"][0, 0] == 2
    assert tensors["actor.safetensors:a"].shape == (3,)
    assert all(name in tensors for name in tensors)
    assert "w" not in tensors


def test_one_set_has_plain_names(two_sets: NodeData) -> None:
    assert two_sets.models.tensors(MODEL, weights="critic.safetensors")["w"][0, 0] == 2
    assert two_sets.models.tensors(MODEL).of("actor.safetensors")["w"][0, 0] == 1
    with pytest.raises(errors.FileNotFoundInRevision, match=r"it has: actor\.safetensors, critic"):
        two_sets.models.tensors(MODEL, weights="other.safetensors")


def test_onnx_initialisers_are_tensors(node: NodeData, tmp_path: Path) -> None:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weight = np.arange(200_000, dtype="f4").reshape(2, 100_000)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["observation", "w"], ["action"])],
        "policy",
        [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("action", TensorProto.FLOAT, ["batch", 100_000])],
        [numpy_helper.from_array(weight, "w")],
    )
    (tmp_path / "onnx").mkdir()
    onnx.save(helper.make_model(graph), str(tmp_path / "onnx" / "policy.onnx"))
    (tmp_path / "onnx" / "model_card.md").write_text("---\nlicense: mit\n---\n")
    node.models.create_revision(MODEL, "1.0.0", tmp_path / "onnx", "First")
    np.testing.assert_array_equal(node.models.tensors(MODEL)["w"], weight)
    session = onnxruntime.InferenceSession(node.models.download(MODEL, "^1") / "policy.onnx")
    (action,) = session.run(None, {"observation": np.ones((1, 2), "f4")})
    np.testing.assert_allclose(action[0], weight.sum(axis=0))


def test_a_revision_without_such_weights_says_so(node: NodeData, tmp_path: Path) -> None:
    publish(node, tmp_path / "none")
    with pytest.raises(errors.InvalidRequest, match="download its files"):
        node.models.tensors(MODEL)


# --- dtypes ---


@pytest.fixture
def narrow(node: NodeData, tmp_path: Path) -> NodeData:
    (tmp_path / "narrow").mkdir()
    save_file(
        {
            "bf16": np.array([1.5, -2.0], ml_dtypes.bfloat16),
            "f8": np.array([0.5, 448.0], ml_dtypes.float8_e4m3fn),
            "empty": np.zeros((0, 3), "f4"),
            "scalar": np.array(7, "i8"),
            "flag": np.array([True, False]),
        },
        tmp_path / "narrow" / "model.safetensors",
    )
    publish(node, tmp_path / "narrow")
    return node


def test_narrow_floats_have_their_own_dtypes(narrow: NodeData) -> None:
    tensors = narrow.models.tensors(MODEL)
    assert tensors["bf16"].dtype == ml_dtypes.bfloat16
    assert tensors["bf16"].astype("f4").tolist() == [1.5, -2.0]
    assert tensors["f8"].astype("f4").tolist() == [0.5, 448.0]


def test_without_ml_dtypes_narrow_floats_are_their_bits(
    narrow: NodeData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    tensors = narrow.models.tensors(MODEL)
    assert tensors.dtypes["bf16"] == "BF16"
    assert tensors["bf16"].dtype == np.uint16
    np.testing.assert_array_equal(tensors["bf16"], tensors.bits("bf16"))
    assert tensors["f8"].dtype == np.uint8


def test_empty_tensors_scalars_and_flags_keep_their_shapes(narrow: NodeData) -> None:
    tensors = narrow.models.tensors(MODEL)
    assert tensors["empty"].shape == (0, 3)
    assert tensors["scalar"].shape == ()
    assert int(tensors["scalar"]) == 7
    assert tensors["flag"].tolist() == [True, False]


def test_without_numpy_names_are_known_and_one_sentence_says_what_to_install(
    published: NodeData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    tensors = published.models.tensors(MODEL)
    assert tensors.shapes["layer0"] == (300, 300)
    with pytest.raises(errors.ExtraMissing, match=r"nodedata-registry\[tensors\]"):
        tensors["layer0"]


# --- yanks, absence, other clients ---


def test_a_yanked_revision_warns_at_the_callers_line(published: NodeData) -> None:
    published.models.yank(MODEL, "1.0.0", "slips")
    with pytest.warns(YankedRevisionWarning, match="slips") as caught:
        tensors = published.models.tensors(MODEL)
    assert caught[0].filename == __file__
    assert tensors.yanked is not None
    with pytest.raises(errors.RevisionYanked):
        published.models.tensors(MODEL, on_yanked="error")


def test_tensors_stay_of_the_revision_that_was_resolved(published: NodeData, tmp_path: Path) -> None:
    tensors = published.models.tensors(MODEL, "^1")
    published.models.create_revision(MODEL, "1.0.1", write_model(tmp_path / "next", changed=(2,)), "Next")
    np.testing.assert_array_equal(tensors["layer2"], expected(tmp_path, "layer2"))


def test_offline_serves_what_was_fetched_and_names_what_is_missing(
    published: NodeData, door: Door, tmp_path: Path
) -> None:
    published.models.tensors(MODEL, "1.0.0")["layer1"]
    door.shut = True
    with NodeData(door.base_url, cache=tmp_path / "cache") as node:
        tensors = node.models.tensors(MODEL, "1.0.0", offline=True)
        np.testing.assert_array_equal(tensors["layer1"], expected(tmp_path, "layer1"))
        with pytest.raises(errors.NotInCache, match=r"bytes \d+ to \d+ of model\.safetensors"):
            tensors["layer2"]


def test_tensors_keep_the_registry_in_this_process_open(published: NodeData, tmp_path: Path) -> None:
    tensors = NodeData(path=tmp_path / "registry", cache=tmp_path / "other").models.tensors(MODEL)
    assert tensors["layer0"].shape == (300, 300)


def test_the_awaited_client_gives_the_same_tensors(published: NodeData, tmp_path: Path) -> None:
    async def work() -> tuple[int, ...]:
        async with AsyncNodeData(path=tmp_path / "registry", cache=tmp_path / "other") as node:
            tensors = await node.models.tensors(MODEL)
            return (await asyncio.to_thread(tensors.__getitem__, "layer0")).shape

    assert asyncio.run(work()) == (300, 300)
