"""Manifests and revision records, with the vectors that the format page quotes."""

from __future__ import annotations

import hashlib

import pytest

from nodedata_registry.core.manifest import FileEntry, Manifest, RevisionRecord, overlay
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidPath, InvalidRequest

CARD = b"---\nlicense: Apache-2.0\n---\n# Grasp policy\n"
WEIGHTS = b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "
STATE = b"{}"
MODEL_ID = "mdl_01HF7YAT000000000000000000"

VECTOR_MANIFEST = (
    '{"files":[{"path":"model_card.md",'
    '"sha256":"662466c1ede9cdee5daedc2fb2ae2e1908dc0b416da79154766016b9940a7c5d",'
    '"size":43},{"path":"weights/model.safetensors",'
    '"sha256":"9bbcbf73561f6bc5d0a17ea6a2081feed2d1304e87602d8c502d9a5c4bd85576","size":16},'
    '{"path":"\u00e9tat.json",'
    '"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}],'
    '"manifest":1}'
)
VECTOR_DIGEST = "1751f48901435c9bc4916f4808a0844467f3b7dbb5833a3d371e0ffbff71a149"
VECTOR_FIRST_RECORD = (
    f'{{"changelog":"First release.","manifest":"{VECTOR_DIGEST}","model":"{MODEL_ID}",'
    '"parent":null,"record":1,"version":"1.0.0"}'
)
VECTOR_FIRST_COMMIT = "1082b2344e35b615353cd33c05134fad5c9c76c2"
VECTOR_NEXT_RECORD = (
    f'{{"changelog":"Line one\\n\\"two\\" \u20ac \U0001f916","manifest":"{VECTOR_DIGEST}",'
    f'"model":"{MODEL_ID}","parent":"1.0.0","record":1,"version":"1.0.1"}}'
)
VECTOR_NEXT_COMMIT = "957513fac09371ccf32a90803ed548a833df76a7"


def entry(path: str, data: bytes = b"") -> FileEntry:
    return FileEntry(path, len(data), hashlib.sha256(data).hexdigest())


def manifest(*paths: str) -> Manifest:
    return Manifest.of(entry(path, path.encode()) for path in paths)


def paths(of: Manifest) -> list[str]:
    return [file.path for file in of.files]


@pytest.fixture
def vector() -> Manifest:
    return Manifest.of(
        [
            entry("\u00e9tat.json", STATE),
            entry("weights/model.safetensors", WEIGHTS),
            entry("model_card.md", CARD),
        ]
    )


def test_vector_three_files(vector: Manifest) -> None:
    assert vector.to_bytes().decode() == VECTOR_MANIFEST
    assert vector.digest == VECTOR_DIGEST == hashlib.sha256(VECTOR_MANIFEST.encode()).hexdigest()


def test_vector_no_files() -> None:
    empty = Manifest.of([])
    assert empty.to_bytes() == b'{"files":[],"manifest":1}'
    assert empty.digest == "e6cf0bff7baa7247e39127d1f0a8ec78c4d2e2ac22729fc1c26825d6d3bc3067"


def test_vector_first_revision(vector: Manifest) -> None:
    record = RevisionRecord(MODEL_ID, Version(1, 0, 0), None, vector.digest, "First release.")
    assert record.to_bytes().decode() == VECTOR_FIRST_RECORD
    assert (
        record.commit == VECTOR_FIRST_COMMIT == hashlib.sha256(VECTOR_FIRST_RECORD.encode()).hexdigest()[:40]
    )


def test_vector_next_revision_with_a_changelog_beyond_ascii(vector: Manifest) -> None:
    changelog = 'Line one\n"two" \u20ac \U0001f916'
    record = RevisionRecord(MODEL_ID, Version(1, 0, 1), "1.0.0", vector.digest, changelog)
    assert record.to_bytes().decode() == VECTOR_NEXT_RECORD
    assert record.commit == VECTOR_NEXT_COMMIT


def test_files_are_ordered_by_code_point_not_by_utf16() -> None:
    assert paths(manifest("\U0001f600", "\uff5e", "b", "C", "a/b", "a.b")) == [
        "C",
        "a.b",
        "a/b",
        "b",
        "\uff5e",
        "\U0001f600",
    ]


def test_files_are_found_by_path(vector: Manifest) -> None:
    assert vector.get("model_card.md") == entry("model_card.md", CARD)
    assert vector.get("model_card") is None
    assert vector.get("zzz") is None
    assert vector.total_bytes == len(CARD) + len(WEIGHTS) + len(STATE)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(FileEntry("a", -1, "0" * 64), id="negative size"),
        pytest.param(FileEntry("a", 2**53, "0" * 64), id="size beyond 2^53-1"),
        pytest.param(FileEntry("a", 1, "0" * 63), id="short digest"),
        pytest.param(FileEntry("a", 1, "A" * 64), id="upper-case digest"),
    ],
)
def test_sizes_and_digests_that_cannot_be_true_are_refused(bad: FileEntry) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Manifest.of([bad])
    assert caught.value.field == "manifest"


def test_paths_are_checked() -> None:
    for bad in (["../x"], ["a", "A"], ["a", "a/b"], ["a", "a"]):
        with pytest.raises(InvalidPath):
            manifest(*bad)


def test_reading_gives_back_what_was_written(vector: Manifest) -> None:
    assert Manifest.from_bytes(vector.to_bytes()) == vector


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"[]", id="not an object"),
        pytest.param(b'{"files":[]}', id="no format number"),
        pytest.param(b'{"files":[],"manifest":2}', id="another format number"),
        pytest.param(b'{"manifest":1,"files":[]}', id="keys out of order"),
        pytest.param(b'{"files":[], "manifest":1}', id="white space"),
        pytest.param(b'{"files":[],"manifest":1}\n', id="newline at the end"),
        pytest.param(b'{"files":[],"manifest":1,"x":1}', id="unknown key"),
        pytest.param(b'{"files":[],"files":[],"manifest":1}', id="a key twice"),
        pytest.param(
            b'{"files":[{"path":"a","sha256":"' + b"0" * 64 + b'","size":1.0}],"manifest":1}', id="float"
        ),
        pytest.param(b'{"files":[{"path":"a","sha256":1,"size":1}],"manifest":1}', id="wrong type"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(b'{"files":' + b"[" * 100_000, id="deep nesting inside"),
    ],
)
def test_what_is_not_a_canonical_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Manifest.from_bytes(data)
    assert caught.value.field == "manifest"


def test_files_out_of_order_are_not_canonical() -> None:
    a, b = (f'{{"path":"{path}","sha256":"{"0" * 64}","size":1}}' for path in "ab")
    Manifest.from_bytes(f'{{"files":[{a},{b}],"manifest":1}}'.encode())
    with pytest.raises(InvalidRequest, match="canonical"):
        Manifest.from_bytes(f'{{"files":[{b},{a}],"manifest":1}}'.encode())


def test_only_the_changed_weights_carry_the_card_along() -> None:
    parent = manifest("model_card.md", "weights.bin")
    child = overlay(parent, [entry("weights.bin", b"new")], [], whole=False)
    assert child.get("model_card.md") == parent.get("model_card.md")
    assert child.get("weights.bin") == entry("weights.bin", b"new")


def test_a_first_revision_has_no_parent_to_lie_over() -> None:
    assert paths(overlay(None, [entry("b"), entry("a")], [], whole=False)) == ["a", "b"]


def test_a_whole_folder_drops_what_it_lacks() -> None:
    assert paths(overlay(manifest("a", "b"), [entry("b"), entry("c")], [], whole=True)) == ["b", "c"]


def test_removed_files_are_gone() -> None:
    assert paths(overlay(manifest("a", "b"), [], ["a"], whole=False)) == ["b"]


@pytest.mark.parametrize(
    ("files", "remove"),
    [
        pytest.param([], ["x"], id="absent from the parent"),
        pytest.param([entry("x")], ["x"], id="only given"),
        pytest.param([entry("a")], ["a"], id="given and removed"),
    ],
)
def test_removing_what_cannot_be_removed_is_refused(files: list[FileEntry], remove: list[str]) -> None:
    with pytest.raises(InvalidPath) as caught:
        overlay(manifest("a"), files, remove, whole=False)
    assert caught.value.field == "remove"


def test_what_is_gone_already_may_be_removed_where_that_is_said() -> None:
    assert paths(overlay(manifest("a"), [], ["x", "x"], whole=False, missing_ok=True)) == ["a"]


def test_a_file_can_make_place_for_a_folder_if_it_is_removed() -> None:
    parent = manifest("weights")
    assert paths(overlay(parent, [entry("weights/a")], ["weights"], whole=False)) == ["weights/a"]
    with pytest.raises(InvalidPath, match="folder"):
        overlay(parent, [entry("weights/a")], [], whole=False)


def test_a_renamed_case_needs_the_old_file_removed() -> None:
    parent = manifest("README.md")
    assert paths(overlay(parent, [entry("readme.md")], ["README.md"], whole=False)) == ["readme.md"]
    with pytest.raises(InvalidPath, match="upper and lower"):
        overlay(parent, [entry("readme.md")], [], whole=False)


def test_a_path_given_twice_is_refused() -> None:
    with pytest.raises(InvalidPath, match="twice") as caught:
        overlay(None, [entry("a"), entry("a")], [], whole=False)
    assert caught.value.field == "files"
