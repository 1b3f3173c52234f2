"""Laws of what Hub clients are shown: trees are consistent, and no card can break a client."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.card import parse_card
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.yaml12 import Json
from nodedata_registry.errors import RateLimited
from nodedata_registry.server.hub.problems import header_text, is_hub_path, spell_refusal
from nodedata_registry.server.hub.revisions import Commit, parse_revision
from nodedata_registry.server.hub.shapes import card_data, paths_info, tree
from tests.conformance.hub_shelf import CARD

_NAMES = st.sampled_from(["a", "b", "c.txt", "d e"])
_PATHS = st.lists(st.lists(_NAMES, min_size=1, max_size=4).map("/".join), max_size=12)
_TEXTS = ("license_name", "license_link")
_LISTS = ("tags", "metrics")
_EITHER = ("language", "datasets", "base_model")


def manifest_of(paths: list[str]) -> Manifest:
    """Return a manifest of those paths that can be files beside the others."""
    files = [path for path in set(paths) if not any(other.startswith(f"{path}/") for other in paths)]
    return Manifest.of(FileEntry(path, len(path), f"{len(path):064x}") for path in files)


@given(_PATHS)
def test_a_recursive_tree_has_every_file_and_every_folder_above_one_once(paths: list[str]) -> None:
    manifest = manifest_of(paths)
    found = tree(manifest, "", recursive=True)
    assert found is not None
    files = [entry.path for entry in manifest.files]
    parts = [path.split("/") for path in files]
    folders = {"/".join(one[:depth]) for one in parts for depth in range(1, len(one))}
    assert [one.path for one in found] == sorted([*files, *folders])


@given(_PATHS)
def test_the_trees_of_all_folders_together_are_the_recursive_one(paths: list[str]) -> None:
    manifest = manifest_of(paths)
    whole = tree(manifest, "", recursive=True) or []
    folders = ["", *(one.path for one in whole if one.type == "directory")]
    apart = [one for folder in folders for one in tree(manifest, folder, recursive=False) or []]
    assert sorted(apart, key=lambda one: one.path) == whole


@given(_PATHS)
def test_every_entry_of_a_tree_is_found_by_its_path(paths: list[str]) -> None:
    manifest = manifest_of(paths)
    whole = tree(manifest, "", recursive=True) or []
    assert paths_info(manifest, [one.path for one in whole]) == whole


@given(_PATHS)
def test_what_is_no_folder_has_no_tree_and_no_entry(paths: list[str]) -> None:
    manifest = manifest_of(paths)
    assert tree(manifest, "none", recursive=True) is None
    assert paths_info(manifest, ["none", "", "a/none"]) == []
    for entry in manifest.files:
        assert tree(manifest, entry.path, recursive=False) is None


_JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*_TEXTS, *_LISTS, *_EITHER, "library_name", "eval_results"]), _JSON))
def test_whatever_a_card_says_clients_see_the_types_they_expect(extra: dict[str, Json]) -> None:
    card = replace(parse_card("README.md", CARD), extra=extra)
    shown = msgspec.json.decode(msgspec.json.encode(card_data(card)), type=dict[str, str | list[str]])
    assert all(isinstance(shown[name], str) for name in _TEXTS if name in shown)
    assert all(isinstance(shown[name], list) for name in _LISTS if name in shown)
    assert "eval_results" not in shown


@given(st.text())
def test_a_header_is_one_line_that_utf8_can_read_back(text: str) -> None:
    header = header_text(text)
    assert header.isprintable() or all(one not in header for one in "\r\n\0")
    header.encode("latin-1").decode("utf-8")


@given(st.text(alphabet="0123456789abcdef", min_size=38, max_size=42))
def test_only_forty_hex_digits_are_a_commit(text: str) -> None:
    assert isinstance(parse_revision(text), Commit) == (len(text) == 40)


@pytest.mark.parametrize("path", ["/v1/models", "/", "/acme/arm", "/acme/arm/v/1.0.0", "/apis", "/login"])
def test_other_addresses_keep_their_own_errors(path: str) -> None:
    assert not is_hub_path(path)
    assert spell_refusal(path, RateLimited("too many")) is None


def test_a_refusal_before_routing_is_told_as_text() -> None:
    told = spell_refusal("/api/models/acme/arm", RateLimited("too many"))
    assert told is not None
    status, headers, body = told
    assert (status, headers["Retry-After"], body) == (429, "1", b'{"error":"too many"}')
