"""A yank is seen on the listing page as well, whichever revision the page shows."""

from __future__ import annotations

import html
import re

from litestar.testing import TestClient

from nodedata_registry import wire
from nodedata_registry.server.pages.views import yanked_beside
from tests.pages.conftest import make_app
from tests.pages.grasp import REF, YANK_REASON, grasp_shelf
from tests.pages.shelf import at, make_revision

YANK = wire.Yank(reason="slips", at=at(0), suggested=None)


def banners_of(page: str) -> list[str]:
    found = re.findall(r'<aside class="banner yanked".*?</aside>', page, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", " ", one)) for one in found]


def test_the_listing_page_has_a_banner_for_a_yanked_revision_that_is_not_the_latest() -> None:
    with TestClient(make_app(grasp_shelf()), base_url="http://registry.test") as client:
        (banner,) = banners_of(client.get(f"/{REF}").text)
    assert "1.3.2 was yanked: do not start using it." in banner
    assert YANK_REASON in banner
    assert "Go to 1.5.0" in banner


def test_several_yanked_revisions_share_one_banner() -> None:
    revisions = [make_revision(REF, version, yanked=YANK) for version in ("1.1.0", "1.0.1", "1.0.0")]
    (banner,) = yanked_beside(revisions, "1.1.0")
    assert banner.title == "2 revisions were yanked, do not start using them: 1.0.1, 1.0.0."
    assert banner.go_url == "#revisions"


def test_the_revision_that_the_page_shows_is_not_told_of_twice() -> None:
    assert yanked_beside([make_revision(REF, "1.0.0", yanked=YANK)], "1.0.0") == ()
