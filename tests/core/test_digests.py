"""Digests and canonical JSON."""

from __future__ import annotations

import datetime
from typing import cast

import pytest

from nodedata_registry.core.digests import (
    MAX_DEPTH,
    JsonValue,
    block_digest,
    canonical_json,
    is_sha256,
    sha256_hex,
)
from nodedata_registry.errors import InvalidRequest


def test_published_digests_are_met() -> None:
    # FIPS 180-2 appendix B.1; the BLAKE3 test vectors' empty input.
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert block_digest(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert sha256_hex(memoryview(b"abc")) == sha256_hex(bytearray(b"abc"))


def test_only_64_lower_case_hex_digits_are_a_digest() -> None:
    assert is_sha256("0123456789abcdef" * 4)
    for text in ("", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 63 + "\n", "\u0663" * 64):
        assert not is_sha256(text)


def test_the_rfc_example_is_met() -> None:
    # RFC 8785, section 3.2.2.
    value: JsonValue = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical_json(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_ordered_by_utf16_code_units() -> None:
    # RFC 8785, section 3.2.3: U+1F600 (surrogates D83D DE00) stands before U+FB33.
    value: JsonValue = {"\ufb33": 1, "\U0001f600": 2, "\u20ac": 3, "1": 4, "\r": 5, "\u00f6": 6, "\u0080": 7}
    assert canonical_json(value).decode() == (
        '{"\\r":5,"1":4,"\u0080":7,"\u00f6":6,"\u20ac":3,"\U0001f600":2,"\ufb33":1}'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-2.5, "-2.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-9, "1.5e-9"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740993.0, "9007199254740992"),
        (2**53 - 1, "9007199254740991"),
        (-(2**53) + 1, "-9007199254740991"),
        (True, "true"),
        ((), "[]"),
        ({}, "{}"),
    ],
)
def test_values_are_written_as_ecmascript_writes_them(value: JsonValue, text: str) -> None:
    assert canonical_json(value).decode() == text


@pytest.mark.parametrize(
    "value",
    [2**53, -(2**53), float("nan"), float("inf"), -float("inf"), "\ud800", {"\udc00": 1}, ["a\ud800b"]],
)
def test_what_json_cannot_carry_exactly_is_refused(value: JsonValue) -> None:
    with pytest.raises(InvalidRequest):
        canonical_json(value)


def test_nesting_is_bounded() -> None:
    value: JsonValue = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    canonical_json(value)
    with pytest.raises(InvalidRequest, match="nested"):
        canonical_json([value])


def test_types_that_json_does_not_know_are_an_error_of_the_program() -> None:
    with pytest.raises(TypeError, match="date"):
        canonical_json(cast("JsonValue", datetime.date(2020, 1, 1)))
