"""From the `files` argument to paths, digests, blocks and header ranges."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest
from blake3 import blake3

from nodedata_registry.core.facts import ReplaySource, read_file_facts
from nodedata_registry.errors import InvalidPath, InvalidRequest, PathOutsideRoot, TransferFailed
from nodedata_registry.sdk.progress import Progress
from nodedata_registry.sdk.scan import Files, LocalFile, list_files, read_block, scan, scan_file
from tests.sdk.weights import write_model, write_weights


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def paths(files: Files, root: Path | None = None, *, follow_links: bool = False) -> list[str]:
    return [file.path for file in list_files(files, root, follow_links=follow_links).files]


# --- which files ---


def test_a_relative_path_in_a_list_keeps_its_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "weights" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    assert paths(["./weights/model.safetensors"]) == ["weights/model.safetensors"]


def test_a_list_is_laid_over_and_a_folder_is_the_whole(tmp_path: Path) -> None:
    write(tmp_path / "a")
    assert not list_files(["a"], tmp_path).whole
    assert not list_files({"b": tmp_path / "a"}).whole
    assert list_files(tmp_path).whole


def test_root_replaces_the_working_directory(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "a")
    assert paths(["a"], tmp_path / "sub") == ["a"]
    assert paths(["sub/a"], tmp_path) == ["sub/a"]


def test_an_absolute_path_inside_the_root_keeps_its_shape(tmp_path: Path) -> None:
    assert paths([write(tmp_path / "sub" / "a")], tmp_path) == ["sub/a"]


@pytest.mark.parametrize("escape", ["../outside", "sub/../../outside"])
def test_what_lies_outside_the_root_is_refused(tmp_path: Path, escape: str) -> None:
    write(tmp_path / "outside")
    (tmp_path / "root" / "sub").mkdir(parents=True)
    with pytest.raises(PathOutsideRoot) as caught:
        paths([escape], tmp_path / "root")
    assert caught.value.field == "files"


def test_an_absolute_path_outside_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with pytest.raises(PathOutsideRoot):
        paths([write(tmp_path / "outside")], tmp_path / "root")


def test_a_folder_in_a_list_keeps_its_shape(tmp_path: Path) -> None:
    write(tmp_path / "weights" / "a")
    write(tmp_path / "weights" / "deep" / "b")
    assert paths(["weights"], tmp_path) == ["weights/a", "weights/deep/b"]


def test_a_folder_is_its_own_root_wherever_it_lies(tmp_path: Path) -> None:
    write(tmp_path / "model" / "weights" / "a")
    assert paths(tmp_path / "model") == ["weights/a"]


def test_folders_are_walked_without_git_caches_and_dot_files(tmp_path: Path) -> None:
    for name in (".git/config", "__pycache__/x.pyc", ".env", ".hidden/y", "sub/.z", "sub/keep"):
        write(tmp_path / name)
    assert paths(tmp_path) == ["sub/keep"]


def test_a_dot_file_that_is_named_itself_is_taken(tmp_path: Path) -> None:
    write(tmp_path / ".tokenizer")
    assert paths([".tokenizer"], tmp_path) == [".tokenizer"]


def test_in_a_mapping_the_local_path_may_be_anywhere(tmp_path: Path) -> None:
    local = write(tmp_path / "elsewhere" / "w.bin")
    assert list_files({"weights/model.bin": local}).files == (LocalFile("weights/model.bin", local),)


def test_a_mapping_follows_symlinks(tmp_path: Path) -> None:
    write(tmp_path / "target")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert paths({"a": tmp_path / "link"}) == ["a"]


def test_a_symlink_inside_the_root_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a")
    (tmp_path / "link").symlink_to("real/a")
    (tmp_path / "folder").symlink_to("real")
    assert paths(tmp_path) == ["folder/a", "link", "real/a"]


@pytest.mark.parametrize("files", [["link"], ["link/inner"], None])
def test_a_symlink_that_leads_out_is_refused(tmp_path: Path, files: list[str] | None) -> None:
    write(tmp_path / "outside" / "inner")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(PathOutsideRoot):
        paths(root if files is None else files, root if files else None)


def test_follow_links_permits_symlinks_that_lead_out(tmp_path: Path) -> None:
    write(tmp_path / "outside" / "inner")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    assert paths(root, follow_links=True) == ["link/inner"]


def test_a_symlink_circle_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "a")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    with pytest.raises(InvalidPath, match="circle"):
        paths(tmp_path)


@pytest.mark.parametrize("missing", ["absent", "absent/deep", "dangling"])
def test_what_is_not_there_is_named(tmp_path: Path, missing: str) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(InvalidPath, match=missing):
        paths([missing], tmp_path)


def test_a_pipe_is_no_file_to_publish(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidPath, match="regular"):
        paths(["pipe"], tmp_path)


def test_a_single_file_is_given_as_a_list(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="list"):
        paths(write(tmp_path / "a"))


@pytest.mark.parametrize("files", [3, None, [3], {"a": 3}, {3: "a"}, b"bytes"])
def test_other_types_are_refused(files: object) -> None:
    with pytest.raises(InvalidRequest):
        list_files(files)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["../x", "/abs", "a\\b", "con", "a:b", "x."])
def test_a_path_that_may_not_stand_in_a_revision_is_refused_before_reading(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidPath):
        paths({path: write(tmp_path / "a")})


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "Model.bin")
    write(tmp_path / "model.bin")
    with pytest.raises(InvalidPath):
        paths(tmp_path)


# --- what is in them ---


def test_blocks_are_the_file_and_digests_are_right(tmp_path: Path) -> None:
    local = write_weights(tmp_path / "model.safetensors", side=1200, tensors=3)
    scanned = scan_file(LocalFile("model.safetensors", local))
    data = local.read_bytes()
    assert scanned.entry.sha256 == hashlib.sha256(data).hexdigest()
    offset = 0
    for block in scanned.blocks:
        piece = data[offset : offset + block.size_bytes]
        assert blake3(piece).hexdigest() == block.digest
        offset += block.size_bytes
    assert offset == len(data)


def test_an_untouched_tensor_keeps_its_blocks(tmp_path: Path) -> None:
    before = scan_file(LocalFile("m.safetensors", write_weights(tmp_path / "a.safetensors")))
    after = scan_file(LocalFile("m.safetensors", write_weights(tmp_path / "b.safetensors", changed=(1,))))
    changed = {block.digest for block in after.blocks} - {block.digest for block in before.blocks}
    assert len(changed) == 1


def test_the_ranges_sent_are_what_the_registry_will_read(tmp_path: Path) -> None:
    local = write_weights(tmp_path / "model.safetensors")
    scanned = scan_file(LocalFile("model.safetensors", local))
    facts = read_file_facts(scanned.entry, ReplaySource(scanned.entry.size_bytes, scanned.headers))
    assert len(facts.tensors) == 4
    assert sum(len(data) for _, data in scanned.headers) < 4096


def test_the_card_is_sent_whole(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    scanned = scan_file(LocalFile("model_card.md", folder / "model_card.md"))
    assert scanned.headers == ((0, (folder / "model_card.md").read_bytes()),)


def test_a_malformed_weight_file_is_left_to_the_registry_to_refuse(tmp_path: Path) -> None:
    local = write(tmp_path / "model.safetensors", "not weights at all")
    scanned = scan_file(LocalFile("model.safetensors", local))
    assert scanned.refused is not None
    assert sum(block.size_bytes for block in scanned.blocks) == local.stat().st_size


def test_an_empty_file_has_no_blocks(tmp_path: Path) -> None:
    scanned = scan_file(LocalFile("empty.txt", write(tmp_path / "empty.txt", "")))
    assert (scanned.blocks, scanned.entry.size_bytes) == ((), 0)


def test_memory_stays_flat_however_large_the_file(tmp_path: Path) -> None:
    local = tmp_path / "large.bin"
    with local.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    tracemalloc.start()
    scan_file(LocalFile("large.bin", local))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 1024 * 1024


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    local = tmp_path / "growing.bin"
    local.write_bytes(bytes(10 * 1024 * 1024))

    def grow(progress: Progress) -> None:
        with local.open("ab") as file:
            file.write(b"more")

    with pytest.raises(TransferFailed, match="changed while it was being published"):
        scan([LocalFile("growing.bin", local)], grow)


def test_a_block_that_changed_after_the_scan_is_refused(tmp_path: Path) -> None:
    local = write(tmp_path / "a.bin", "before")
    scanned = scan_file(LocalFile("a.bin", local))
    local.write_text("after!")
    with pytest.raises(TransferFailed, match=r"a\.bin"):
        read_block(scanned, 0, scanned.blocks[0])


def test_progress_counts_every_byte(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    seen: list[Progress] = []
    scan(list_files(folder).files, seen.append)
    total = sum(file.stat().st_size for file in folder.iterdir())
    assert (seen[-1].done_bytes, seen[-1].total_bytes, seen[-1].phase) == (total, total, "scan")
