from __future__ import annotations

import pytest

from nodedata_registry.core.yaml12 import MAX_DEPTH, Json, parse_yaml, scalar
from nodedata_registry.errors import InvalidCard


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-.5", -0.5),
        ("12", 12),
        ("+7", 7),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("TRUE", True),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_core_scalars_have_their_value(text: str, value: Json) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "yes",
        "on",
        "off",
        "y",
        "1:30",
        "2024-01-31",
        "2024-01-31T10:00:00Z",
        "1_000",
        "0b1",
        "tRUE",
        "1.2.3",
        "=",
        "<<",
        "١",
    ],
)
def test_what_yaml_1_1_would_misread_stays_text(text: str) -> None:
    assert scalar(text) == text


@pytest.mark.parametrize("text", [".nan", ".inf", "-.INF", "1e999", "9" * 30, "0x" + "f" * 17, "9" * 5000])
def test_a_number_that_json_cannot_hold_stays_text(text: str) -> None:
    assert scalar(text) == text


def test_a_quoted_scalar_is_text() -> None:
    assert parse_yaml("[\"1\", '2', 3]") == ["1", "2", 3]


def test_keys_are_text_whatever_they_look_like() -> None:
    assert parse_yaml("{no: 1, 2: 2, null: 3, <<: 4}") == {"no": 1, "2": 2, "null": 3, "<<": 4}


def test_an_empty_document_is_nothing() -> None:
    assert parse_yaml("# a comment\n") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x 1\nb: *x", "anchor"),
        ("b: *x", "alias"),
        ("a: !!python/object/apply:os.system [id]", "tag"),
        ("a: !custom 1", "tag"),
        ("a: !!str 1", "tag"),
        ("a: 1\na: 2", "twice"),
        ("a: {b: 1, 'b': 2}", "twice"),
        ("? [a]\n: 1", "key"),
        ("a: 1\n--- \nb: 2", "second"),
        ("[" * (MAX_DEPTH + 1), "deeper"),
        ("[" * 50_000, "deeper"),
        ('a: "\\0"', "NUL"),
        ('a: "\\uD800"', "surrogate"),
        ('a: "\\UFFFFFFFF"', "not valid YAML"),
        ("a: [1", "not valid YAML"),
        ("a: b: c", "not valid YAML"),
        ("a: \x07", "not valid YAML"),
        ("%YAML " + "9" * 5000 + ".1\n--- a", "not valid YAML"),
    ],
)
def test_hostile_or_broken_yaml_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidCard, match=reason) as caught:
        parse_yaml(text)
    assert len(caught.value.message) < 600


def test_a_billion_laughs_is_refused_before_it_is_expanded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(InvalidCard, match="anchor"):
        parse_yaml("\n".join(lines))


def test_the_deepest_permitted_nesting_is_read() -> None:
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None


def test_a_refusal_names_key_and_line() -> None:
    with pytest.raises(InvalidCard, match="line 5") as caught:
        parse_yaml("a:\n  b:\n    - 1\n    - *x", first_line=2)
    assert caught.value.field == "a.b[1]"
