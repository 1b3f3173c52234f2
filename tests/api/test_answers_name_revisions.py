"""Every answer under a selector names what was asked for and what that is: bytes do it by headers."""

from __future__ import annotations

import pytest

from tests.api.actor import World, quoted

MODEL = "/v1/models/acme/open/revisions/"
FILE = "/files/weights/model.safetensors"


@pytest.mark.parametrize("selector", ["^1", ">=1.0.1 <2", "latest", "1.0.1"])
def test_a_file_names_the_revision_that_it_is_from(world: World, selector: str) -> None:
    meant = world.anonymous.get(MODEL + quoted(selector)).json
    headers = world.anonymous.get(MODEL + quoted(selector) + FILE).headers
    assert headers["x-node-data-requested"] == quoted(selector)
    assert headers["x-node-data-resolved"] == meant["resolved"] == "1.0.1"
    assert headers["x-node-data-digest"] == meant["digest"]
    assert headers["x-node-data-commit"] == meant["commit"]


def test_so_do_head_and_304_and_a_block(world: World) -> None:
    plan = world.anonymous.get(MODEL + "1.0.1/plan").json
    whole = world.anonymous.get(MODEL + "latest" + FILE)
    block = plan["files"][1]["blocks"][0][0]
    for reply in (
        world.anonymous.ask("HEAD", MODEL + "latest" + FILE),
        world.anonymous.get(MODEL + "latest" + FILE, if_none_match=whole.headers["etag"]),
        world.anonymous.get(MODEL + "latest/blocks/" + block),
    ):
        assert reply.headers["x-node-data-resolved"] == "1.0.1"
        assert reply.headers["x-node-data-commit"] == plan["commit"]
