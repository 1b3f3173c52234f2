"""A diff is an answer under selectors: it says, fresh or 304, that one of its sides is yanked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.actor import Reply, World

REVISIONS = "/v1/models/acme/open/revisions"


@pytest.fixture
def yanked(world: World) -> Iterator[str]:
    """The version 1.0.1, yanked while the test runs."""
    world.owner.done("PUT", f"{REVISIONS}/1.0.1/yank", {"reason": "slips, 100 %"})
    yield "1.0.1"
    world.owner.done("DELETE", f"{REVISIONS}/1.0.1/yank")


@pytest.mark.parametrize("span", ["1.0.0..1.0.1", "1.0.1..1.0.0"])
def test_a_diff_and_its_304_carry_the_yank_headers(world: World, yanked: str, span: str) -> None:
    answer = world.anonymous.get(f"{REVISIONS}/{span}/diff")
    assert answer.status == 200
    again = world.anonymous.get(f"{REVISIONS}/{span}/diff", if_none_match=answer.headers["etag"])
    assert again.status == 304
    for one in (answer, again):
        assert _yank(one) == ("1", "slips%2C%20100%20%25")


def test_a_diff_of_good_revisions_carries_none(world: World) -> None:
    answer = world.anonymous.get(f"{REVISIONS}/1.0.0..1.0.1/diff")
    assert _yank(answer) == (None, None)


def _yank(reply: Reply) -> tuple[str | None, str | None]:
    headers = reply.headers
    return headers.get("x-node-data-yanked"), headers.get("x-node-data-yank-reason")
