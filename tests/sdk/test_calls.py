"""Requests as they are built and answers as they are read, without any network."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from nodedata_registry import errors, wire
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.refusals import refusal


def refused(
    body: dict[str, Any], status: int = 400, headers: dict[str, str] | None = None
) -> errors.NodeDataError:
    return refusal(status, headers or {}, msgspec.json.encode({"error": body}))


def test_both_spellings_of_a_model_have_their_target() -> None:
    assert calls.model_target("acme/x") == "/v1/models/acme/x"
    model_id = "mdl_" + "0" * 26
    assert calls.model_target(model_id) == f"/v1/models/{model_id}"


@pytest.mark.parametrize("model", ["", "x", "a/b/c", "acme/..", "../x", "acme/x?y", "acme/"])
def test_what_names_no_model_is_refused_before_it_becomes_a_path(model: str) -> None:
    with pytest.raises(errors.InvalidName):
        calls.model_target(model)


def test_selectors_are_percent_encoded() -> None:
    digest = "sha256:" + "a" * 64
    assert calls.resolve("acme/x", "^1 || ~2.1").target.endswith("/revisions/%5E1%20%7C%7C%20~2.1")
    assert calls.resolve("acme/x", digest).target.endswith("/revisions/sha256%3A" + "a" * 64)


@pytest.mark.parametrize("selector", ["", "  ", "\n"])
def test_a_blank_selector_never_becomes_the_list_of_revisions(selector: str) -> None:
    with pytest.raises(errors.InvalidSelector):
        calls.resolve("acme/x", selector)


def test_both_sides_of_a_diff_may_be_any_selector() -> None:
    assert calls.diff("acme/x", "^1", "latest", 0).target == (
        "/v1/models/acme/x/revisions/%5E1..latest/diff?wait=0"
    )


@pytest.mark.parametrize("slug", ["", ".", ".."])
def test_a_dotted_slug_never_changes_the_route(slug: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        calls.get_workspace(slug)


def test_a_body_of_the_wrong_type_is_refused_as_the_registry_would() -> None:
    with pytest.raises(errors.InvalidRequest):
        calls.create_model("acme/x", "secret")
    with pytest.raises(errors.InvalidRequest):
        calls.put_member("acme", "usr_1", "boss")


@pytest.mark.parametrize("code", sorted(errors.NodeDataError.codes()))
def test_every_code_comes_back_as_its_own_class(code: str) -> None:
    error = refused({"code": code, "message": "no", "field": "x", "request_id": "req_1"})
    assert type(error) is errors.NodeDataError.codes()[code]
    assert (error.code, error.message, error.field, error.request_id) == (code, "no", "x", "req_1")


def test_further_members_of_an_error_become_its_details() -> None:
    error = refused({"code": "version_too_low", "message": "no", "findings": [{"code": "license_changed"}]})
    assert error.details == {"findings": [{"code": "license_changed"}]}


def test_an_unknown_code_is_still_one_of_our_errors() -> None:
    error = refused({"code": "invented_later", "message": "no"})
    assert type(error) is errors.NodeDataError


def test_the_header_gives_the_request_id_that_the_body_lacks() -> None:
    assert (
        refused({"code": "not_found", "message": "no"}, headers={"x-request-id": "req_2"}).request_id
        == "req_2"
    )


def test_how_long_to_wait_is_kept_with_the_error() -> None:
    error = refused({"code": "rate_limited", "message": "slow down"}, 429, {"retry-after": "7"})
    assert error.details["retry_after_seconds"] == 7.0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.NotAuthenticated),
        (404, errors.NotFound),
        (413, errors.TooLarge),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (502, errors.Unavailable),
        (418, errors.InvalidRequest),
    ],
)
def test_an_answer_of_a_proxy_is_judged_by_its_status(status: int, kind: type[Exception]) -> None:
    assert type(refusal(status, {}, b"<html>no</html>")) is kind


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"error": 3}', b"\xff", b"[" * 20_000])
def test_any_body_of_a_refusal_gives_an_error_of_ours(body: bytes) -> None:
    assert isinstance(refusal(500, {}, body), errors.NodeDataError)


def test_an_answer_of_success_that_is_no_answer_says_so() -> None:
    with pytest.raises(errors.ServerError, match="base URL"):
        calls.me().read(200, {}, b"<html>welcome</html>")


def test_fields_that_a_newer_registry_adds_are_ignored() -> None:
    body = b'{"digest": "00", "size_bytes": 3, "invented": true}'
    read = calls.put_block("acme/x", "upl_1", "00", b"abc").read(201, {}, body)
    assert read == wire.StoredBlock(digest="00", size_bytes=3)


@pytest.mark.parametrize(
    ("model", "revision", "kind"),
    [
        ("acme/x", None, errors.InvalidSelector),
        (None, "^1", errors.InvalidName),
        ("acme/x", 1.0, errors.InvalidSelector),
    ],
)
def test_an_unset_variable_never_means_anything(model: Any, revision: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        calls.resolve(model, revision)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest, match="time zone"):
        calls.put_grant("acme/x", "usr_1", datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake to refuse
