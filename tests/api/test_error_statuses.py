"""Every error code has an HTTP status, and errors have one shape."""

from __future__ import annotations

import json

from nodedata_registry.errors import NodeDataError, RateLimited, VersionExists
from nodedata_registry.server.api.problems import problem_body, problem_headers
from nodedata_registry.server.api.status import STATUS


def test_every_code_has_a_status() -> None:
    assert NodeDataError.codes().keys() - STATUS.keys() == set()


def test_no_status_is_kept_for_a_code_that_is_gone() -> None:
    assert STATUS.keys() - NodeDataError.codes().keys() == set()


def test_every_status_is_an_error() -> None:
    assert all(400 <= status <= 599 for status in STATUS.values())


def test_details_stand_beside_the_fixed_members_and_never_replace_them() -> None:
    error = VersionExists("it is there", field="version", details={"differs": ["card"], "code": "spoof"})
    body = json.loads(problem_body(error, "req_1"))
    assert body == {
        "error": {
            "code": "version_exists",
            "message": "it is there",
            "field": "version",
            "request_id": "req_1",
            "differs": ["card"],
        }
    }


def test_a_rate_limit_says_when_to_come_back() -> None:
    headers = problem_headers(RateLimited("slow down", details={"retry_after_seconds": 7}))
    assert headers["Retry-After"] == "7"
