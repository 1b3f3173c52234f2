"""Ids: prefix and ULID."""

from __future__ import annotations

import pytest

from nodedata_registry.core.ids import PREFIXES, is_id, looks_like_id, make_id


def test_the_ulid_specification_example_is_met() -> None:
    # github.com/ulid/spec: 1469918176385 ms is written 01ARYZ6S41.
    assert make_id("mdl_", 1469918176385, bytes(10)) == "mdl_01ARYZ6S410000000000000000"


def test_the_largest_id_is_written() -> None:
    assert make_id("rev_", 2**48 - 1, b"\xff" * 10) == "rev_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_kind_knows_its_own_ids_only(prefix: str) -> None:
    made = {kind: make_id(kind, 1, bytes(10)) for kind in PREFIXES}
    assert [kind for kind in PREFIXES if is_id(made[kind], kind) and kind == prefix] == [prefix]
    assert not any(is_id(made[kind], other) for kind in PREFIXES for other in PREFIXES if kind != other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mdl_",
        "mdl_01HF7YAT00000000000000000",
        "mdl_01HF7YAT0000000000000000000",
        "mdl_81HF7YAT000000000000000000",
        "mdl_01HF7YAT00000000000000000I",
        "mdl_01hf7yat000000000000000000",
        "mdl_01HF7YAT000000000000000000\n",
        "mdl_01HF7YAT00000000000000000\u0663",
    ],
)
def test_what_make_id_never_writes_is_no_id(text: str) -> None:
    assert not is_id(text, "mdl_")


def test_times_and_bytes_that_do_not_fit_are_refused() -> None:
    for now_ms, random in ((-1, bytes(10)), (2**48, bytes(10)), (1, bytes(9)), (1, bytes(11))):
        with pytest.raises(ValueError, match="48 bits"):
            make_id("mdl_", now_ms, random)


def test_what_a_reader_could_take_for_an_id_is_told() -> None:
    assert looks_like_id("mdl_anything")
    assert looks_like_id("ws_01hf7yat000000000000000000")
    assert not looks_like_id("ws_robot")
