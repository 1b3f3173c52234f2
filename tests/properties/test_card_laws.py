"""Laws of cards, licences and YAML: nothing crashes, what is written is read back."""

from __future__ import annotations

import contextlib
import json
import math

from hypothesis import example, given
from hypothesis import strategies as st

from nodedata_registry.core.card import parse_card, starter_card
from nodedata_registry.core.licenses import canonical_license, license_key, same_license
from nodedata_registry.core.schema import canonical_dtype
from nodedata_registry.core.yaml12 import Json, parse_yaml, scalar
from nodedata_registry.errors import InvalidCard

PRINTABLE = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=30)
SCALARS: st.SearchStrategy[Json] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    PRINTABLE,
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(PRINTABLE, inner, max_size=4)),
    max_leaves=12,
)
YAML_ISH = st.text(st.sampled_from("ab:-?[]{},#&*!|>'\"%@`\\ \n\t012.~0xeU"), max_size=60)
IDS = st.sampled_from(
    ["MIT", "Apache-2.0", "ISC", "GPL-3.0", "llama3", "LicenseRef-a", "GPL-2.0+", "openrail++"]
)
EXPRESSIONS = st.recursive(
    IDS,
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR", "or"]), inner).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    max_leaves=6,
)


@given(VALUES)
def test_json_is_read_as_yaml(value: Json) -> None:
    assert parse_yaml(json.dumps(value, ensure_ascii=False)) == value


@given(st.one_of(YAML_ISH, st.text(max_size=60)))
@example("a: !!python/object/apply:os.system [id]")
@example("- - - -\n - [")
def test_any_text_is_a_value_or_a_refusal(text: str) -> None:
    with contextlib.suppress(InvalidCard):
        parse_yaml(text)


@given(
    st.one_of(st.binary(max_size=80), YAML_ISH.map(lambda text: f"---\nlicense: mit\n{text}\n---\n".encode()))
)
def test_any_bytes_are_a_card_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(InvalidCard):
        parse_card("README.md", data)


@given(st.text(max_size=40))
def test_a_scalar_is_never_a_number_that_json_cannot_hold(text: str) -> None:
    value = scalar(text)
    if isinstance(value, float):
        assert math.isfinite(value)
    if isinstance(value, int):
        assert -(2**63) <= value < 2**64


@given(PRINTABLE)
def test_a_starter_card_is_valid_under_any_title(title: str) -> None:
    assert parse_card("model_card.md", starter_card(title).encode()).title == (
        " ".join(title.split()) or "Untitled"
    )


@given(EXPRESSIONS)
def test_a_canonical_licence_is_canonical(expression: str) -> None:
    canonical = canonical_license(expression)
    assert canonical_license(canonical) == canonical
    assert canonical_license(canonical.lower()).casefold() == canonical.casefold()


@given(EXPRESSIONS, EXPRESSIONS, st.sampled_from(["AND", "OR"]))
def test_operands_commute(left: str, right: str, operator: str) -> None:
    one = canonical_license(f"{left} {operator} {right}")
    other = canonical_license(f"{right} {operator} {left}")
    assert same_license(one, other)


@given(EXPRESSIONS, EXPRESSIONS, EXPRESSIONS, st.sampled_from(["AND", "OR"]))
def test_operands_associate(a: str, b: str, c: str, operator: str) -> None:
    one = canonical_license(f"({a} {operator} {b}) {operator} {c}")
    other = canonical_license(f"{a} {operator} ({b} {operator} {c})")
    assert license_key(one) == license_key(other)


@given(st.text(max_size=60))
def test_any_text_is_a_licence_or_a_refusal(text: str) -> None:
    with contextlib.suppress(InvalidCard):
        canonical_license(text)


@given(st.text(max_size=20))
def test_a_canonical_dtype_is_canonical(text: str) -> None:
    assert canonical_dtype(canonical_dtype(text)) == canonical_dtype(text)
