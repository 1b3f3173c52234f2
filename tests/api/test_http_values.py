"""Ranges, tags, paths and rates, as values."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from nodedata_registry import wire
from nodedata_registry.errors import InvalidRequest, NotAuthenticated, RangeNotSatisfiable
from nodedata_registry.server.api.caching import yank_headers
from nodedata_registry.server.api.calls import bearer_of
from nodedata_registry.server.api.paths import check_raw_path, decode_segment
from nodedata_registry.server.api.ranges import parse_range, range_applies
from nodedata_registry.server.api.rates import MAX_BUCKETS, TokenBuckets
from nodedata_registry.server.api.routes.diffs import split_span


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-", (2, 8)),
        ("bytes=-4", (6, 4)),
        ("bytes=-400", (0, 10)),
        ("bytes=9-99", (9, 1)),
        ("BYTES = 1 - 2", (1, 2)),
    ],
)
def test_a_single_range_is_a_span(header: str, span: tuple[int, int]) -> None:
    assert parse_range(header, 10) == span


@pytest.mark.parametrize("header", [None, "", "bytes=", "bytes=-", "bytes=4-2", "bytes=0-1,3-4", "lines=1-2"])
def test_what_is_no_single_byte_range_counts_as_absent(header: str | None) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=11-12", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 10)


def test_an_empty_file_has_no_satisfiable_range() -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range("bytes=0-", 0)


def test_if_range_lets_the_range_count_only_for_the_same_bytes() -> None:
    assert range_applies(None, '"a"')
    assert range_applies('"a"', '"a"')
    assert not range_applies('W/"a"', '"a"')
    assert not range_applies("Tue, 01 Jan 2030 00:00:00 GMT", '"a"')


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"/a//b",
        b"/a/",
        b"//",
        b"/a/../b",
        b"/a/%2e%2E/b",
        b"/./a",
        b"/%",
        b"/%zz",
        b"/a b",
        b"/%ff",
        b"/\xff",
    ],
)
def test_a_path_that_could_mean_two_things_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        check_raw_path(raw)


def test_a_path_stays_encoded_until_its_route_is_found() -> None:
    assert check_raw_path(b"/v1/a%2Fb/1.0.0..2.0.0/diff") == "/v1/a%2Fb/1.0.0..2.0.0/diff"
    assert decode_segment("a%2Fb%00") == "a/b\x00"


def test_a_diff_splits_at_the_first_dots() -> None:
    assert split_span("1.0.0..^1 || ^2") == ("1.0.0", "^1 || ^2")
    assert split_span("a..b..c") == ("a", "b..c")


def test_one_bearer_key_is_taken_and_nothing_else() -> None:
    assert bearer_of([]) is None
    assert bearer_of(["bearer  nd_live_x "]) == "nd_live_x"
    for headers in (["Basic eDp5"], ["Bearer"], ["Bearer "], ["Bearer a", "Bearer b"], [""]):
        with pytest.raises(NotAuthenticated):
            bearer_of(headers)


def test_a_yank_reason_travels_percent_encoded() -> None:
    at = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    headers = yank_headers(wire.Yank(reason="schief: 3 % über\u2028", at=at, suggested="1.4.3"))
    assert headers["X-Node-Data-Yank-Reason"] == "schief%3A%203%20%25%20%C3%BCber%E2%80%A8"
    assert headers["X-Node-Data-Yanked-At"] == "2030-01-02T03:04:05Z"
    assert headers["X-Node-Data-Suggested"] == "1.4.3"


def test_a_bucket_empties_and_fills_again_with_time() -> None:
    now = [0.0]
    buckets = TokenBuckets(lambda: now[0])
    assert [buckets.take("a", 2).allowed for _ in range(3)] == [True, True, False]
    refused = buckets.take("a", 2)
    assert refused.retry_after_seconds == 30
    now[0] = 30.0
    assert buckets.take("a", 2).allowed


def test_buckets_are_bounded_in_number() -> None:
    buckets = TokenBuckets(lambda: 0.0)
    for number in range(MAX_BUCKETS + 10):
        buckets.take(str(number), 1)
    assert buckets.take("0", 1).allowed
    assert not buckets.take(str(MAX_BUCKETS + 9), 1).allowed
