"""The description at /openapi.json, and generated requests against it."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Err
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.api.actor import World

KNOWN = {"workspace": "acme", "name": "open", "slug": "acme"}
"""Requests go where there is something; all else is generated."""

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]

EXAMPLES = 10
"""Generated requests an operation and a caller; enough to find what is plainly wrong, not a soak."""


def test_the_description_is_openapi_3_1(world: World) -> None:
    described = world.anonymous.done("GET", "/openapi.json")
    assert described["openapi"].startswith("3.1")
    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_every_operation_says_what_it_does_and_how_it_fails(world: World) -> None:
    for path, methods in world.anonymous.done("GET", "/openapi.json")["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            if path.startswith("/v1"):
                assert "404" in operation["responses"], (method, path)


def test_requests_refuse_unknown_members_in_the_description_too(world: World) -> None:
    schemas = world.anonymous.done("GET", "/openapi.json")["components"]["schemas"]
    closed = {name for name, schema in schemas.items() if schema.get("additionalProperties") is False}
    assert {"Publish", "UploadFile", "CreateModel", "Reason"} <= {name.rpartition("_")[2] for name in closed}


def test_each_path_has_its_own_parameters(world: World) -> None:
    for path, methods in world.anonymous.done("GET", "/openapi.json")["paths"].items():
        for operation in methods.values():
            assert all(one["description"] for one in operation.get("parameters", []) if one["in"] == "path")
            named = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}, path


@pytest.mark.timeout(240)
@pytest.mark.parametrize("who", ["anonymous", "root"])
def test_no_generated_request_breaks_the_registry(world: World, who: str) -> None:
    person = world.people.get(who, world.root)
    headers = {} if person.key is None else {"Authorization": f"Bearer {person.key}"}
    described: dict[str, Any] = world.anonymous.done("GET", "/openapi.json")
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=world.url)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for result in schema.get_all_operations():
            assert not isinstance(result, Err)
            _try(result.ok(), headers)


def _try(operation: APIOperation[Any, Any, Any, Any], headers: dict[str, str]) -> None:
    """Send generated requests of one operation; every answer must keep to the description."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: schemathesis.Case[Any]) -> None:
        case.path_parameters.update({name: KNOWN[name] for name in KNOWN if name in case.path_parameters})
        case.call_and_validate(headers=headers, checks=CHECKS)

    run()
