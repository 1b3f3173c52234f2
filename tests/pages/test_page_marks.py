"""How the table of revisions shows what is yanked and what is held."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from litestar.testing import TestClient

from nodedata_registry import wire
from tests.pages.conftest import make_app
from tests.pages.grasp import REF, grasp_shelf
from tests.pages.shelf import at


def test_what_is_held_is_not_struck_out_as_what_is_yanked_is() -> None:
    shelf = grasp_shelf()
    with TestClient(make_app(shelf), base_url="http://registry.test") as client:
        struck = client.get(f"/{REF}").text.count('<tr class="marked">')
        mark = wire.Mark(reason="runs on line 3", at=at(1), by="usr_1")
        shelf.contents[REF] = [
            replace(one, revision=msgspec.structs.replace(one.revision, held=mark))
            for one in shelf.contents[REF]
        ]
        page = client.get(f"/{REF}").text
    assert '<span class="tag held">held</span>' in page
    assert 0 < page.count('<tr class="marked">') == struck
