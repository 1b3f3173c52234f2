"""Retiring one named revision stands beside hold and quarantine, under the version it acts on."""

from __future__ import annotations

from tests.api.actor import World


def test_a_revision_is_retired_under_its_own_address(world: World) -> None:
    at = "/v1/models/acme/closed/revisions"
    absent = world.owner.ask("POST", f"{at}/9.9.9/retire", {"reason": "leaked"})
    assert absent.error["code"] == "revision_not_found"
    ranged = world.owner.ask("POST", f"{at}/%5E1/retire", {"reason": "leaked"})
    assert ranged.error["code"] == "invalid_version"
    unexplained = world.owner.ask("POST", f"{at}/9.9.9/retire", {"reason": " "})
    assert unexplained.error["code"] == "invalid_reason"
