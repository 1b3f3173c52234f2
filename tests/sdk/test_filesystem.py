"""`nodedata://` through fsspec: what there is to see, what moves, and what does not change meanwhile."""

from __future__ import annotations

import errno
import json
import multiprocessing
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from safetensors.numpy import load, load_file, save_file

from nodedata_registry import NodeData, YankedRevisionWarning, errors
from nodedata_registry.sdk.filesystem import Address, NodeDataFileSystem
from tests.sdk.door import Door
from tests.sdk.sparse import MIB, WANTED_BYTES, write_sparse
from tests.sdk.weights import CARD, write_weights

MODEL = "acme/grasp"
WEIGHTS = "acme/grasp@^1/weights/model.safetensors"


@pytest.fixture
def published(node: NodeData, tmp_path: Path) -> NodeData:
    """`acme/grasp` 1.0.0: a card, `config.json`, and weights in a folder."""
    folder = tmp_path / "model"
    write_weights(folder / "weights" / "model.safetensors")
    (folder / "model_card.md").write_text(CARD)
    (folder / "config.json").write_text('{"layers": 4}\n')
    node.models.create_revision(MODEL, "1.0.0", folder, "First")
    return node


@pytest.fixture
def fs(published: NodeData, door: Door, tmp_path: Path) -> NodeDataFileSystem:
    return NodeDataFileSystem(door.base_url, cache=tmp_path / "cache")


def publish_next(node: NodeData, tmp_path: Path) -> None:
    file = write_weights(tmp_path / "next.safetensors", changed=(1,))
    node.models.create_revision(MODEL, "1.0.1", {"weights/model.safetensors": file}, "Next")


def as_published(tmp_path: Path) -> bytes:
    return (tmp_path / "model" / "weights" / "model.safetensors").read_bytes()


# --- through fsspec's own doors ---


def test_the_protocol_is_registered(
    published: NodeData, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_DATA_BASE_URL", door.base_url)
    monkeypatch.setenv("NODE_DATA_CACHE", str(tmp_path / "cache"))
    with fsspec.open(f"nodedata://{WEIGHTS}", "rb") as file:
        assert file.read() == as_published(tmp_path)
    with fsspec.open("nodedata://acme/grasp/config.json", "r") as file:
        assert json.load(file) == {"layers": 4}


def test_the_readme_reads_parts_as_it_says(
    node: NodeData, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "model_card.md").write_text(CARD)
    (folder / "config.json").write_text("{}")
    save_file({"encoder.weight": np.ones((2, 3), "f4")}, folder / "model.safetensors")
    node.models.create("acme/grasp-policy-v2")
    node.models.create_revision("acme/grasp-policy-v2", "1.0.0", folder, "First")
    monkeypatch.setenv("NODE_DATA_BASE_URL", door.base_url)
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (snippet,) = (
        part for part in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "nodedata://" in part
    )
    names: dict[str, Any] = {"node": node, "fsspec": fsspec}
    exec(snippet, names)
    assert names["encoder"].shape == (2, 3)
    with names["config"] as file:
        assert file.read() == b"{}"


def test_a_folder_of_a_registry_can_be_opened(published: NodeData, tmp_path: Path) -> None:
    fs = fsspec.filesystem("nodedata", path=tmp_path / "registry", cache=tmp_path / "other")
    assert fs.cat("acme/grasp@1.0.0/config.json") == b'{"layers": 4}\n'


def test_safetensors_reads_what_cat_gives(fs: NodeDataFileSystem, tmp_path: Path) -> None:
    loaded = load(fs.cat_file(WEIGHTS))
    expected = load_file(tmp_path / "model" / "weights" / "model.safetensors")
    np.testing.assert_array_equal(loaded["layer3"], expected["layer3"])


def test_pandas_reads_a_table_beside_the_weights(published: NodeData, door: Door, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = tmp_path / "trials.csv"
    table.write_text("trial,success\n1,true\n2,false\n")
    published.models.create_revision(MODEL, "1.0.1", {"eval/trials.csv": table}, "Trials")
    options = {"base_url": door.base_url, "cache": str(tmp_path / "cache")}
    read = pandas.read_csv("nodedata://acme/grasp@^1/eval/trials.csv", storage_options=options)
    assert read["success"].tolist() == [True, False]


def test_a_model_is_found_by_its_id_too(fs: NodeDataFileSystem, published: NodeData) -> None:
    model_id = published.models.get(MODEL).id
    path = f"{model_id}@1.0.0/config.json"
    assert fs.info(path)["name"] == path
    assert fs.cat(f"nodedata://{path}") == b'{"layers": 4}\n'


def test_a_digest_is_a_selector(fs: NodeDataFileSystem, published: NodeData) -> None:
    digest = published.models.resolve(MODEL).digest
    assert fs.ls(f"acme/grasp@sha256:{digest}/weights", detail=False) == [
        f"acme/grasp@sha256:{digest}/weights/model.safetensors"
    ]


@pytest.mark.parametrize("selector", ["%5E1", ">=1 <2", "%3E%3D1%20%3C2", "1.x", "%2A", "latest"])
def test_selectors_may_be_percent_encoded(fs: NodeDataFileSystem, selector: str) -> None:
    assert fs.info(f"acme/grasp@{selector}/config.json")["version"] == "1.0.0"


# --- looking ---


def test_every_level_can_be_listed(fs: NodeDataFileSystem) -> None:
    assert fs.ls("nodedata://", detail=False) == ["acme"]
    assert fs.ls("acme", detail=False) == ["acme/grasp"]
    assert fs.ls("acme/grasp@^1", detail=False) == [
        "acme/grasp@^1/config.json",
        "acme/grasp@^1/model_card.md",
        "acme/grasp@^1/weights",
    ]
    assert fs.ls("acme/grasp@^1/weights", detail=False) == [WEIGHTS]
    assert [entry["type"] for entry in fs.ls("acme/grasp@^1")] == ["file", "file", "directory"]


def test_a_file_says_what_it_is(fs: NodeDataFileSystem, published: NodeData, tmp_path: Path) -> None:
    entry = fs.info(WEIGHTS)
    answer = published.models.resolve(MODEL)
    assert entry["size"] == len(as_published(tmp_path))
    assert (entry["version"], entry["digest"], entry["commit"]) == ("1.0.0", answer.digest, answer.commit)
    assert fs.ukey(WEIGHTS) == entry["sha256"]
    assert fs.ls(WEIGHTS) == [entry]


def test_globs_and_walks_find_files(fs: NodeDataFileSystem) -> None:
    assert fs.glob("acme/grasp@^1/**/*.safetensors") == [WEIGHTS]
    assert fs.glob("acme/*/*.json") == ["acme/grasp/config.json"]
    assert len(fs.find("acme/grasp@^1")) == 3
    assert fs.isdir("acme/grasp@^1/weights")
    assert fs.isdir("acme")
    assert fs.isfile(WEIGHTS)
    assert not fs.exists("acme/grasp@^2")


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("acme/grasp@^1/absent", errors.FileNotFoundInRevision),
        ("acme/grasp@^1/weight", errors.FileNotFoundInRevision),
        ("acme/grasp@^9/config.json", errors.RevisionNotFound),
        ("acme/absent/config.json", errors.ModelNotFound),
        ("absent", errors.WorkspaceNotFound),
    ],
)
def test_what_is_absent_is_file_not_found(
    fs: NodeDataFileSystem, path: str, cause: type[errors.NodeDataError]
) -> None:
    for call in (fs.info, fs.ls):
        with pytest.raises(FileNotFoundError) as caught:
            call(path)
        assert isinstance(caught.value, errors.NodeDataError)
        assert isinstance(caught.value.__cause__, cause)
        assert caught.value.errno == errno.ENOENT
    assert not fs.exists(path)


def test_a_selector_that_cannot_be_says_so(fs: NodeDataFileSystem) -> None:
    with pytest.raises(errors.InvalidSelector):
        fs.info("acme/grasp@/config.json")


def test_a_folder_cannot_be_read_as_a_file(fs: NodeDataFileSystem) -> None:
    with pytest.raises(FileNotFoundError, match="no file 'weights'"):
        fs.cat_file("acme/grasp@^1/weights")


def test_nothing_can_be_written(fs: NodeDataFileSystem, tmp_path: Path) -> None:
    writes: list[tuple[Any, tuple[object, ...]]] = [
        (fs.open, (WEIGHTS, "wb")),
        (fs.open, (WEIGHTS, "ab")),
        (fs.rm, (WEIGHTS,)),
        (fs.mkdir, ("acme/grasp@^1/new",)),
        (fs.makedirs, ("acme/grasp@^1/new",)),
        (fs.touch, (WEIGHTS,)),
        (fs.cp_file, (WEIGHTS, "acme/grasp@^1/copy")),
        (fs.put_file, (str(tmp_path / "model" / "config.json"), "acme/grasp@^1/config.json")),
        (fs.pipe_file, (WEIGHTS, b"x")),
    ]
    for call, arguments in writes:
        with pytest.raises(OSError, match="read-only") as caught:
            call(*arguments)
        assert caught.value.errno == errno.EROFS
        assert isinstance(caught.value, errors.NodeDataError)


# --- reading ---


def test_any_part_of_a_file_can_be_read(fs: NodeDataFileSystem, tmp_path: Path) -> None:
    data = as_published(tmp_path)
    assert fs.cat_file(WEIGHTS, 10, 20) == data[10:20]
    assert fs.cat_file(WEIGHTS, -20) == data[-20:]
    assert fs.cat_file(WEIGHTS, 5, -5) == data[5:-5]
    assert fs.cat_file(WEIGHTS, 20, 10) == b""
    assert fs.cat_file(WEIGHTS, len(data) - 3, len(data) + 3) == data[-3:]
    assert fs.cat_ranges([WEIGHTS] * 2, [0, 400_000], [8, 400_100]) == [data[:8], data[400_000:400_100]]
    assert fs.head(WEIGHTS, 8) == data[:8]
    assert fs.tail(WEIGHTS, 8) == data[-8:]


def test_a_file_can_be_sought_and_read_in_small_pieces(fs: NodeDataFileSystem, tmp_path: Path) -> None:
    data = as_published(tmp_path)
    with fs.open(WEIGHTS) as file:
        file.seek(700_000)
        pieces = [file.read(1_000) for _ in range(100)]
        assert b"".join(pieces) == data[700_000:800_000]
        file.seek(-10, 2)
        assert file.read() == data[-10:]
        assert file.read(1) == b""


def test_small_reads_move_a_block_once(fs: NodeDataFileSystem, door: Door) -> None:
    with fs.open(WEIGHTS) as file:
        file.seek(700_000)
        before = door.sent_bytes
        for _ in range(20):
            file.read(1_000)
    assert door.sent_bytes - before < 400_000


def test_a_4_mb_tensor_of_a_large_file_moves_less_than_6_mb(
    node: NodeData, door: Door, tmp_path: Path
) -> None:
    _read_one_tensor(node, door, tmp_path, 256 * MIB)


@pytest.mark.soak
def test_a_4_mb_tensor_of_a_10_gb_file_moves_less_than_6_mb(
    node: NodeData, door: Door, tmp_path: Path
) -> None:
    moved = _read_one_tensor(node, door, tmp_path, 10_000_000_000)
    print(f"fsspec: {moved} bytes moved")  # noqa: T201 - soak trials report what they measured


def _read_one_tensor(node: NodeData, door: Door, tmp_path: Path, size_bytes: int) -> int:
    """Read `wanted` as any program that knows the format would; return the bytes moved."""
    wanted = write_sparse(tmp_path / "large" / "model.safetensors", size_bytes)
    (tmp_path / "large" / "model_card.md").write_text(CARD)
    node.models.create_revision(MODEL, "1.0.0", tmp_path / "large", "Large")
    before = door.sent_bytes
    fs = NodeDataFileSystem(door.base_url, cache=tmp_path / "cache")
    with fs.open("acme/grasp@^1/model.safetensors") as file:
        length = int.from_bytes(file.read(8), "little")
        begin, end = json.loads(file.read(length))["wanted"]["data_offsets"]
        file.seek(8 + length + begin)
        data = file.read(end - begin)
    np.testing.assert_array_equal(np.frombuffer(data, "f4"), wanted)
    moved = door.sent_bytes - before
    assert WANTED_BYTES < moved < 6_000_000
    return moved


def test_a_folder_can_be_copied_out(fs: NodeDataFileSystem, tmp_path: Path) -> None:
    fs.get("acme/grasp@^1/weights/", str(tmp_path / "out"), recursive=True)
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == as_published(tmp_path)


def test_what_arrives_damaged_is_refused(fs: NodeDataFileSystem, door: Door) -> None:
    door.damage = True
    with pytest.raises(errors.DigestMismatch):
        fs.cat_file(WEIGHTS, 400_000, 400_010)


def test_a_silent_registry_is_an_error_and_no_absence(fs: NodeDataFileSystem, door: Door) -> None:
    door.shut = True
    with pytest.raises(errors.RegistryUnreachable):
        fs.exists("acme/grasp@^1/config.json")


def test_offline_serves_what_was_read(
    fs: NodeDataFileSystem, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs.cat_file("acme/grasp@1.0.0/config.json")
    monkeypatch.setenv("NODE_DATA_OFFLINE", "1")
    offline = NodeDataFileSystem(door.base_url, cache=tmp_path / "cache")
    assert offline.cat_file("acme/grasp@1.0.0/config.json") == b'{"layers": 4}\n'
    with pytest.raises(errors.NotInCache):
        offline.cat_file("acme/grasp@1.0.0/weights/model.safetensors")


# --- one revision, and its yanks ---


def test_one_object_reads_one_revision(
    fs: NodeDataFileSystem, published: NodeData, door: Door, tmp_path: Path
) -> None:
    file = fs.open(WEIGHTS)
    publish_next(published, tmp_path)
    assert fs.cat_file(WEIGHTS) == as_published(tmp_path)
    other = NodeDataFileSystem(door.base_url, cache=tmp_path / "cache")
    assert other.info(WEIGHTS)["version"] == "1.0.1"
    fs.invalidate_cache()
    assert fs.info(WEIGHTS)["version"] == "1.0.1"
    assert file.read() == as_published(tmp_path)
    file.close()


def test_a_selector_is_resolved_once(fs: NodeDataFileSystem, door: Door) -> None:
    for path in fs.find("acme/grasp@^1"):
        fs.cat_file(path)
    assert door.count("GET /v1/models/acme/grasp/revisions/^1") == 1


def test_a_copy_in_a_worker_reads_the_revision_of_its_parent(
    fs: NodeDataFileSystem, published: NodeData, tmp_path: Path
) -> None:
    assert fs.info(WEIGHTS)["version"] == "1.0.0"
    stored = pickle.dumps(fs)
    publish_next(published, tmp_path)
    assert pickle.loads(stored).info(WEIGHTS)["version"] == "1.0.0"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_reads_through_connections_of_its_own(
    fs: NodeDataFileSystem, tmp_path: Path
) -> None:
    fs.cat_file("acme/grasp@^1/config.json")
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=lambda: results.put(fs.cat_file(WEIGHTS, 0, 64)))
    child.start()
    assert results.get() == as_published(tmp_path)[:64]
    child.join()
    assert fs.cat_file(WEIGHTS, 400_000, 400_064) == as_published(tmp_path)[400_000:400_064]


def test_a_yank_warns_at_every_open_and_at_the_callers_line(
    published: NodeData, door: Door, tmp_path: Path
) -> None:
    published.models.yank(MODEL, "1.0.0", "slips")
    fs = NodeDataFileSystem(door.base_url, cache=tmp_path / "cache")
    for _ in range(2):
        with pytest.warns(YankedRevisionWarning, match="slips") as caught:
            fs.open(WEIGHTS).close()
        assert [warning.filename for warning in caught] == [__file__]
    strict = NodeDataFileSystem(door.base_url, cache=tmp_path / "cache", on_yanked="error")
    with pytest.raises(errors.RevisionYanked, match="slips"):
        strict.open(WEIGHTS)


# --- surroundings ---


def test_without_fsspec_one_sentence_says_what_to_install() -> None:
    code = """
import sys
sys.modules["fsspec"] = None
from nodedata_registry import errors
try:
    from nodedata_registry.sdk.filesystem import NodeDataFileSystem
except errors.ExtraMissing as error:
    print(error.message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "nodedata:// paths need fsspec: pip install 'nodedata-registry[fsspec]'\n"


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("", ("", "", None, "", "")),
        ("acme", ("acme", "acme", None, "", "")),
        ("acme/x", ("acme", "acme/x", "acme/x", "latest", "")),
        ("acme/x@^1 || ^2/a/b@c", ("acme", "acme/x@^1 || ^2", "acme/x", "^1 || ^2", "a/b@c")),
    ],
)
def test_a_path_is_taken_apart(path: str, parts: tuple[str | None, ...]) -> None:
    address = Address.parse(path)
    assert (address.workspace, address.root, address.model, address.selector, address.path) == parts


def test_the_same_model_folder_can_be_published_from_what_was_copied_out(
    fs: NodeDataFileSystem, published: NodeData, tmp_path: Path
) -> None:
    fs.get("acme/grasp@1.0.0/", str(tmp_path / "copy"), recursive=True)
    with pytest.raises(errors.NothingChanged):
        published.models.create_revision(MODEL, "1.0.1", tmp_path / "copy", "Nothing")
