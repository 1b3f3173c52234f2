"""Laws of names, ids and paths."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.ids import PREFIXES, Prefix, is_id, make_id
from nodedata_registry.core.names import check_model_name, fold_name, parse_model_ref
from nodedata_registry.core.paths import check_path, check_paths, fold_path
from nodedata_registry.errors import InvalidName, InvalidPath

ELEMENTS = st.text(alphabet="abAB. \u00e9\u00c9\u00df", min_size=1, max_size=4)
PATHS = st.lists(ELEMENTS, min_size=1, max_size=3).map("/".join)
TIMES = st.integers(0, 2**48 - 1)
RANDOM = st.binary(min_size=10, max_size=10)


@given(st.text(max_size=120))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = check_model_name(text)
    except InvalidName:
        return
    assert parse_model_ref(f"acme/{name}").name == name


@given(st.text(alphabet="ab._-", max_size=8))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold_name(fold_name(text)) == fold_name(text)


@given(st.sampled_from(PREFIXES), TIMES, RANDOM)
def test_what_is_made_is_an_id(prefix: Prefix, now_ms: int, random: bytes) -> None:
    assert is_id(make_id(prefix, now_ms, random), prefix)


@given(st.tuples(TIMES, RANDOM), st.tuples(TIMES, RANDOM))
def test_ids_sort_by_time_then_by_their_random_bytes(a: tuple[int, bytes], b: tuple[int, bytes]) -> None:
    assert (make_id("rev_", *a) < make_id("rev_", *b)) == (a < b)


@given(st.text(max_size=60))
def test_an_accepted_path_never_leads_out_and_has_one_spelling(text: str) -> None:
    try:
        path = check_path(text)
    except InvalidPath:
        return
    assert not path.startswith("/")
    assert not {"", ".", ".."}.intersection(path.split("/"))
    assert unicodedata.normalize("NFC", path) == path


@given(st.text(max_size=20))
def test_folding_a_path_twice_is_folding_it_once(text: str) -> None:
    assert fold_path(fold_path(text)) == fold_path(text)


@given(st.lists(PATHS, max_size=5), st.randoms())
def test_whether_paths_clash_does_not_depend_on_their_order(paths: list[str], rng: object) -> None:
    def clash(given_paths: list[str]) -> bool:
        try:
            check_paths(given_paths)
        except InvalidPath:
            return True
        return False

    assert clash(paths) == clash(paths[::-1]) == clash(sorted(paths))


@given(st.lists(PATHS, max_size=5))
def test_paths_that_do_not_clash_are_distinct_files_when_folded(paths: list[str]) -> None:
    try:
        check_paths(paths)
    except InvalidPath:
        return
    folded = [fold_path(path) for path in paths]
    assert len(set(folded)) == len(paths)
    assert not any(a.startswith(b + "/") for a in folded for b in folded)
