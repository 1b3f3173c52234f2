"""Laws of canonical JSON, manifests and overlays."""

from __future__ import annotations

import json

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.digests import JsonValue, canonical_json, sha256_hex
from nodedata_registry.core.manifest import FileEntry, Manifest, overlay

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | FLOATS | TEXTS
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.sampled_from(["a", "b", "c/d", "c/e", "f.bin", "\u00e9", "\U0001f600"])
ENTRIES = st.builds(
    FileEntry, PATHS, st.integers(0, 2**53 - 1), st.binary(max_size=2).map(lambda data: sha256_hex(data))
)
FILES = st.lists(ENTRIES, max_size=7, unique_by=lambda entry: entry.path)


@given(VALUES)
def test_canonical_json_is_what_the_rfc8785_package_writes(value: JsonValue) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(FLOATS)
def test_numbers_are_written_as_the_rfc8785_package_writes_them(value: float) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)
    assert float(canonical_json(value)) == value


@given(VALUES)
def test_canonical_json_reads_back_to_what_it_writes(value: JsonValue) -> None:
    written = canonical_json(value)
    assert canonical_json(json.loads(written, parse_int=float)) == written


@given(FILES, st.permutations(range(7)))
def test_a_manifest_does_not_depend_on_the_order_of_its_files(
    files: list[FileEntry], order: list[int]
) -> None:
    shuffled = [files[at] for at in order if at < len(files)]
    assert Manifest.of(shuffled) == Manifest.of(files)
    assert Manifest.of(shuffled).digest == Manifest.of(files).digest


@given(FILES)
def test_a_manifest_reads_back_equal_and_with_its_digest(files: list[FileEntry]) -> None:
    manifest = Manifest.of(files)
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest
    assert manifest.digest == sha256_hex(manifest.to_bytes())
    assert all(manifest.get(entry.path) == entry for entry in files)


@given(FILES, FILES)
def test_different_files_give_different_digests(a: list[FileEntry], b: list[FileEntry]) -> None:
    left, right = Manifest.of(a), Manifest.of(b)
    assert (left.digest == right.digest) == (left.files == right.files)


@given(FILES, FILES)
def test_an_overlay_holds_the_given_files_and_else_the_parents(
    parent: list[FileEntry], files: list[FileEntry]
) -> None:
    expected = {entry.path: entry for entry in [*parent, *files]}
    found = overlay(Manifest.of(parent), files, [], whole=False)
    assert {entry.path: entry for entry in found.files} == expected


@given(FILES, FILES)
def test_a_whole_overlay_is_exactly_the_given_files(parent: list[FileEntry], files: list[FileEntry]) -> None:
    assert overlay(Manifest.of(parent), files, [], whole=True) == Manifest.of(files)


@given(FILES)
def test_laying_a_manifest_over_itself_changes_nothing(files: list[FileEntry]) -> None:
    manifest = Manifest.of(files)
    assert overlay(manifest, manifest.files, [], whole=False) == manifest


@given(FILES)
def test_removing_everything_leaves_nothing(files: list[FileEntry]) -> None:
    manifest = Manifest.of(files)
    assert overlay(manifest, [], [entry.path for entry in files], whole=False).files == ()
