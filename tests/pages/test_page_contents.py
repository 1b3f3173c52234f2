"""What each page says, read as the HTML that is sent."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from nodedata_registry import wire
from nodedata_registry.core.access import Caller
from nodedata_registry.server.pages.data import SearchQuery
from nodedata_registry.server.pages.rendering import POLICY
from nodedata_registry.server.pages.views import revision_view
from tests.pages.conftest import make_app
from tests.pages.grasp import REF, SECRET_PATH, YANK_REASON, grasp_shelf
from tests.pages.shelf import Shelf, make_model

Client = TestClient[Litestar]


@pytest.fixture
def shelf() -> Shelf:
    return grasp_shelf()


@pytest.fixture
def client(shelf: Shelf) -> Iterator[Client]:
    with TestClient(make_app(shelf), base_url="http://registry.test") as made:
        made.follow_redirects = False
        yield made


def text_of(client: Client, path: str, status: int = 200) -> str:
    """Return a page's text without tags, spaces squeezed."""
    answer = client.get(path)
    assert answer.status_code == status
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def test_the_home_page_lists_public_models_with_their_latest_version(client: Client) -> None:
    text = text_of(client, "/")
    assert "acme/ grasp-policy-v2 1.5.0" in text
    assert "secret-sauce" not in text


def test_search_says_what_was_asked_and_shows_what_matches(client: Client) -> None:
    text = text_of(client, "/search?q=humanoid")
    assert "Models matching “ humanoid ”" in text
    assert "g1-locomotion" in text
    assert "bin-detector" not in text


def test_a_search_without_results_says_so(client: Client) -> None:
    assert "Nothing found." in text_of(client, "/search?q=zebra")


def test_each_filter_of_a_search_can_be_taken_away(client: Client) -> None:
    page = client.get("/search?q=bin&task=object-detection").text
    assert 'href="/search?q=bin"' in page


def test_a_workspace_page_lists_its_models_only(client: Client) -> None:
    text = text_of(client, "/north-lab")
    assert "sentence-embedder" in text
    assert "grasp-policy" not in text


def test_the_install_snippet_names_one_exact_version(client: Client) -> None:
    text = text_of(client, f"/{REF}")
    assert f"node-data pull {REF}@1.5.0" in text
    assert f'node.models.download("{REF}", "1.5.0")' in text
    assert "pip install nodedata-registry" in text
    assert "NODE_DATA_BASE_URL=http://registry.test" in text


def test_a_strange_host_header_is_not_repeated_in_the_snippet(client: Client) -> None:
    page = client.get(f"/{REF}", headers={"host": "a;rm -rf ~"}).text
    assert "rm -rf" not in page


def test_numbers_are_exact_and_readable_at_once(client: Client) -> None:
    text = text_of(client, f"/{REF}")
    assert "23,755,527 23.8 M" in text
    assert "109 MiB 114,239,462 bytes" in text


def test_times_can_be_read_by_machines(client: Client) -> None:
    assert '<time datetime="2026-04-16T14:18:00Z">' in client.get(f"/{REF}/v/1.3.2").text


def test_the_listing_page_shows_what_latest_changed_against_its_parent(client: Client) -> None:
    text = text_of(client, f"/{REF}")
    assert "What 1.5.0 changed against 1.4.0" in text
    assert "Parameters touched 750,084 3.16 % of 23,755,527" in text
    assert "3 1 renamed, 2 modified" in text
    assert "3,540,992 bytes" in text
    assert "▲ improved" in text
    assert "▼ regressed" in text


def test_the_revisions_table_shows_marks_with_their_reasons(client: Client) -> None:
    text = text_of(client, f"/{REF}")
    assert f"1.3.2 yanked Faster release of small parts. {YANK_REASON}" in text
    assert "retired" in text
    assert "kept the last five" in text


def test_the_changelog_of_a_quarantined_revision_is_not_repeated(client: Client) -> None:
    assert "customer's bin scans" not in text_of(client, f"/{REF}")


def test_files_of_pickles_are_flagged_and_explained(client: Client) -> None:
    text = text_of(client, f"/{REF}")
    assert "Pickle inside. 1 file can run code when loaded: legacy/optimizer.pt" in text


def test_of_a_file_s_own_metadata_only_known_keys_are_shown(client: Client) -> None:
    page = client.get(f"/{REF}").text
    assert "dof_names" in page
    assert "shoulder_pan,shoulder_lift" in page
    assert SECRET_PATH not in page
    assert "experiment_config" not in page


def test_a_yanked_revision_has_its_own_card_and_banner(client: Client) -> None:
    text = text_of(client, f"/{REF}/v/1.3.2")
    assert "1.3.2 was yanked: do not start using it." in text
    assert YANK_REASON in text
    assert "Since 16 April 2026, 14:18 UTC" in text
    assert "Go to 1.5.0" in text
    assert "This is the card of 1.3.2." in text


def test_a_listing_page_whose_every_revision_is_yanked_shows_the_banner(client: Client, shelf: Shelf) -> None:
    yanked = next(one for one in shelf.contents[REF] if one.revision.version == "1.3.2")
    shelf.put(make_model("acme/all-yanked", latest="1.3.2"), [yanked])
    assert "1.3.2 was yanked" in text_of(client, "/acme/all-yanked")


def test_an_older_revision_points_to_the_latest(client: Client) -> None:
    assert "This is 1.0.0. The latest is 1.5.0. See 1.5.0" in text_of(client, f"/{REF}/v/1.0.0")


def test_a_revision_page_shows_the_evidence_for_its_bump(client: Client) -> None:
    text = text_of(client, f"/{REF}/v/1.5.0")
    assert "declared minor , the evidence asks for minor" in text
    assert "success_rate of bin picking rose from 0.82 to 0.84" in text


def test_a_retired_revision_keeps_its_page_without_a_way_to_install_it(client: Client) -> None:
    text = text_of(client, f"/{REF}/v/1.3.1")
    assert "1.3.1 is retired. kept the last five" in text
    assert "A closed-loop grasping policy" in text
    assert "node-data pull" not in text


def test_a_quarantined_revision_answers_451_with_its_reason_and_nothing_else(client: Client) -> None:
    text = text_of(client, f"/{REF}/v/1.4.1", 451)
    assert "1.4.1 is quarantined. contains personal data" in text
    assert "customer's bin scans" not in text


def test_another_selector_leads_to_the_revision_it_means(client: Client) -> None:
    answer = client.get(f"/{REF}/v/latest")
    assert (answer.status_code, answer.headers["location"]) == (302, f"/{REF}/v/1.5.0")


def test_the_diff_page_counts_every_tensor_and_hides_the_long_tail(client: Client) -> None:
    page = client.get(f"/{REF}/diff/1.4.0..1.5.0").text
    text = text_of(client, f"/{REF}/diff/1.4.0..1.5.0")
    assert "Tensors 31 changed" in text
    assert "147,456 of 147,456 · 100 %" in text
    assert "<summary>6 more</summary>" in page
    assert f'href="/v1/models/{REF}/revisions/1.4.0..1.5.0/diff"' in page


def test_a_tensor_that_only_one_side_has_is_counted_and_not_called_untouched(client: Client) -> None:
    text = text_of(client, f"/{REF}/diff/1.4.0..1.5.0")
    assert "head. goal. weight 24,576 scalars added" in text


def test_the_diff_page_gives_verdict_findings_and_accepted_reasons_in_words(client: Client) -> None:
    text = text_of(client, f"/{REF}/diff/1.4.0..1.5.0")
    assert "Declared minor , and the evidence asks for minor ." in text
    assert "the optional input goal was added" in text
    assert "The crop is done in the driver since May." in text


def test_the_diff_page_shows_how_the_card_changed(client: Client) -> None:
    text = text_of(client, f"/{REF}/diff/1.4.0..1.5.0")
    assert "training_data 14 bins 414 bins" in text
    assert "+| action clip | 0.35 | rad/s |" in text


def test_a_diff_under_way_shows_how_far_it_is_and_reloads(client: Client, shelf: Shelf) -> None:
    shelf.diffs[REF, "1.0.0", "1.5.0"] = wire.DiffProgress(
        status="computing", done_bytes=1_048_576, total_bytes=4_194_304
    )
    answer = client.get(f"/{REF}/diff/1.0.0..1.5.0")
    assert '<meta http-equiv="refresh" content="3">' in answer.text
    assert "1.00 MiB of 4.00 MiB read" in answer.text


def test_selectors_of_a_diff_are_percent_encoded(client: Client, shelf: Shelf) -> None:
    shelf.diffs[REF, "^1 || ^2", "latest"] = wire.DiffProgress(
        status="computing", done_bytes=0, total_bytes=1
    )
    assert client.get(f"/{REF}/diff/%5E1%20%7C%7C%20%5E2..latest").status_code == 200


def test_a_model_without_revisions_says_how_to_publish_one(client: Client) -> None:
    assert "node-data model push FOLDER --model acme/empty --version 1.0.0" in text_of(client, "/acme/empty")


def test_a_model_whose_every_revision_was_taken_down_says_so(client: Client, shelf: Shelf) -> None:
    taken = next(one for one in shelf.contents[REF] if one.revision.version == "1.4.1")
    shelf.put(make_model("acme/taken"), [taken])
    assert "No revision is served." in text_of(client, "/acme/taken")


def test_old_revisions_are_on_further_pages(client: Client, shelf: Shelf) -> None:
    first = shelf.contents[REF][0]
    shelf.put(make_model("acme/long", latest="1.0.0"), [first] * 40)
    page = client.get("/acme/long").text
    assert 'href="/acme/long?cursor=30#revisions"' in page
    assert client.get("/acme/long?cursor=30").text.count('<a class="num"') == 10


@pytest.mark.parametrize(
    "path", ["/nobody", "/acme/none", f"/{REF}/v/9.9.9", f"/{REF}/diff/1.0.0", "/a/b/c/d"]
)
def test_what_does_not_exist_has_a_friendly_404_page(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text
    assert answer.headers["content-security-policy"] == POLICY


def test_private_models_give_no_links_that_need_a_key(shelf: Shelf) -> None:
    view = revision_view(shelf.contents[REF][-1], latest="1.5.0", base_url="http://r", public=False)
    assert all(file.url is None for file in view.files)


class BrokenShelf(Shelf):
    """Data that fails in a way nobody foresaw."""

    def search(self, caller: Caller, query: SearchQuery) -> wire.Models:
        raise KeyError("secret detail")


def test_an_unforeseen_failure_shows_no_detail() -> None:
    with TestClient(make_app(BrokenShelf()), raise_server_exceptions=False) as client:
        answer = client.get("/")
    assert answer.status_code == 500
    assert "Something broke" in answer.text
    assert "secret detail" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY


@pytest.mark.parametrize("path", ["/", f"/{REF}", f"/{REF}/v/1.3.2", "/login", "/acme/none"])
def test_every_page_carries_the_security_headers(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_static_files_may_be_cached_for_ever_under_an_address_with_their_digest(client: Client) -> None:
    found = re.search(r'href="(/static/site\.css\?v=[0-9a-f]{12})"', client.get("/").text)
    assert found is not None
    answer = client.get(found[1])
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("name", ["..%2f__init__.py", "nothing.css", "%2e%2e"])
def test_nothing_but_the_known_static_files_is_served(client: Client, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_pages_answer_head(client: Client) -> None:
    assert client.head("/").status_code == 200
