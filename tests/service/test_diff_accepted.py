"""What an owner accepted on the way from a to b is shown in their diff, not only in that of its own step."""

from __future__ import annotations

import pytest

from nodedata_registry.core.diff import RevisionDiff
from nodedata_registry.server.service import compare
from tests.service.worlds import World, card, safetensors

REASON = "Nobody calls it by name."
ONES = safetensors({"w": [1.0] * 8})


def stating(name: str) -> bytes:
    return card(license="mit", inputs=f"{{{name}: [4]}}", outputs="{action: [2]}")


@pytest.fixture
def accepted_once(world: World) -> World:
    """1.0.0, then 1.0.1 with an accepted renaming, then 1.0.2 with other weights."""
    world.publish("1.0.0", {"model_card.md": stating("state"), "model.safetensors": ONES})
    world.publish("1.0.1", {"model_card.md": stating("observation")}, accept={"input_renamed": REASON})
    world.publish("1.0.2", {"model.safetensors": safetensors({"w": [2.0] * 8})})
    return world


def diff(world: World, a: str, b: str) -> RevisionDiff:
    found = compare.compare(world.registry, world.owner, "acme/grasp", a, b)
    assert isinstance(found, RevisionDiff)
    return found


@pytest.mark.parametrize("b", ["1.0.1", "1.0.2"])
def test_a_diff_over_an_accepted_step_shows_it_and_asks_for_no_more(accepted_once: World, b: str) -> None:
    bump = diff(accepted_once, "1.0.0", b).bump
    assert bump is not None
    assert [(one.code, one.reason) for one in bump.accepted] == [("input_renamed", REASON)]
    assert bump.asked in ("none", "patch")


@pytest.mark.parametrize(("a", "b"), [("1.0.1", "1.0.2"), ("1.0.2", "1.0.0")])
def test_a_diff_beside_the_accepted_step_shows_nothing_of_it(accepted_once: World, a: str, b: str) -> None:
    bump = diff(accepted_once, a, b).bump
    assert bump is not None
    assert bump.accepted == ()
