"""Model cards become safe HTML."""

from __future__ import annotations

import doctest
import time
from types import ModuleType

import pytest

from nodedata_registry.server.pages import figures, rendering, session, views
from nodedata_registry.server.pages.markdown import SHOWN_CHARS, render_card

FILES = "/v1/models/acme/x/revisions/1.0.0/files/"


def test_markup_in_a_card_is_shown_and_not_followed() -> None:
    assert render_card("a <b>bold</b> <script>x</script>") == (
        "<p>a &lt;b&gt;bold&lt;/b&gt; &lt;script&gt;x&lt;/script&gt;</p>\n"
    )


def test_headings_go_below_the_headings_of_the_page() -> None:
    assert "<h3>One</h3>" in render_card("# One")
    assert "<h6>Six</h6>" in render_card("###### Six")


def test_a_first_heading_that_repeats_the_title_is_left_out() -> None:
    assert render_card("# Grasp Policy\n\nText", "grasp policy") == "<p>Text</p>\n"


def test_a_first_heading_that_says_something_else_stays() -> None:
    assert "<h3>News</h3>" in render_card("# News", "grasp policy")


def test_a_remote_image_becomes_a_link_with_its_description() -> None:
    html = render_card("![curve](https://tracker.example/curve.png)")
    assert "<img" not in html
    assert '<a href="https://tracker.example/curve.png" rel="noopener nofollow noreferrer">curve</a>' in html


def test_an_image_inside_a_link_leaves_one_link() -> None:
    html = render_card("[![badge](https://b.example/i.png)](https://b.example/)")
    assert html.count("<a ") == 1
    assert ">badge</a>" in html


def test_links_to_other_sites_neither_open_nor_endorse() -> None:
    assert 'rel="noopener nofollow noreferrer"' in render_card("[x](https://abroad.example)")


def test_a_relative_link_leads_to_the_file_of_this_revision() -> None:
    assert f'href="{FILES}configs/a%20b.yaml"' in render_card("[x](<configs/a b.yaml>)", None, FILES)


def test_a_relative_link_is_text_where_files_cannot_be_fetched() -> None:
    assert "href" not in render_card("[x](config.json)")


@pytest.mark.parametrize("target", ["../../me", "/logout", "//abroad.example", "#main", "?q=1", "a/../../b"])
def test_a_relative_link_cannot_leave_the_revision(target: str) -> None:
    assert "href" not in render_card(f"[x]({target})", None, FILES)


def test_columns_are_aligned_by_class_since_inline_styles_are_refused() -> None:
    html = render_card("| a | b |\n|--:|:-:|\n| 1 | 2 |")
    assert '<td class="right">1</td>' in html
    assert '<td class="center">2</td>' in html
    assert "style" not in html


def test_a_table_scrolls_inside_its_own_box() -> None:
    assert '<div class="scroll" tabindex="0"><table>' in render_card("| a |\n|---|\n| 1 |")


def test_struck_text_is_struck() -> None:
    assert "<s>old</s>" in render_card("~~old~~")


@pytest.mark.parametrize(
    "bomb",
    [
        "[" * 100_000,
        "*a_" * 40_000,
        "> " * 50_000,
        "`" * 100_000 + "a",
        "![" * 50_000 + "](x)" * 20_000,
        "| a " * 2_000 + "|\n" + "|---" * 2_000 + "|\n" + ("| b " * 200 + "|\n") * 100,
        "<" * 100_000,
        "- " * 50_000 + "x",
    ],
    ids=["brackets", "emphasis", "quotes", "ticks", "images", "table", "angles", "lists"],
)
def test_a_card_made_to_be_slow_is_rendered_in_bounded_time(bomb: str) -> None:
    started = time.monotonic()
    render_card(bomb)
    assert time.monotonic() - started < 10


def test_a_very_long_card_is_cut() -> None:
    assert len(render_card("word " * 100_000)) < SHOWN_CHARS + 100


@pytest.mark.parametrize("module", [figures, rendering, session, views], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
