"""Pages in a real browser: they fit, they can be read, and they leave pictures for people to judge.

Pictures go to `ci-output/pages` (`$CI_OUTPUT/pages`): a test that writes one first asserts what is on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.pages.conftest import Serve
from tests.pages.grasp import REF, YANK_REASON, grasp_shelf

LOOKS: dict[str, tuple[ViewportSize, str]] = {
    "desktop": ({"width": 1280, "height": 900}, "light"),
    "phone": ({"width": 390, "height": 844}, "light"),
    "dark": ({"width": 1280, "height": 900}, "dark"),
    "phone-dark": ({"width": 390, "height": 844}, "dark"),
}

PAGES = {
    "home": "/",
    "listing": f"/{REF}",
    "revision-yanked": f"/{REF}/v/1.3.2",
    "revision-quarantined": f"/{REF}/v/1.4.1",
    "diff": f"/{REF}/diff/1.4.0..1.5.0",
    "login": "/login",
    "not-found": "/acme/none",
}

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

# WCAG 2.2, 1.4.3: contrast of every visible text with the nearest opaque background.
FAINT = """() => {
  const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1;
  const brush = canvas.getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    brush.clearRect(0, 0, 1, 1); brush.fillStyle = colour; brush.fillRect(0, 0, 1, 1);
    return [...brush.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [x, y, z] = [r, g, b].map(v => linear(v / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const found = rgba(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return rgba('white');
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim().slice(0, 40);
    if (!text || !element.checkVisibility() || element.closest('.hidden, [aria-hidden]')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(rgba(style.color)), light(behind(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)} ${text}`);
  }
  return faint;
}"""

SHIFT = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => list.getEntries().forEach(e => sum += e.value))
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(sum), 300);
})"""

Open = Callable[[str, str], Page]


@pytest.fixture(scope="module")
def base(serve: Serve) -> str:
    return serve(grasp_shelf())


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> Iterator[dict[str, BrowserContext]]:
    """Yield a browser context for each look."""
    made = {
        look: browser.new_context(
            viewport=viewport, color_scheme="dark" if scheme == "dark" else "light", device_scale_factor=2
        )
        for look, (viewport, scheme) in LOOKS.items()
    }
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def look_at(contexts: dict[str, BrowserContext], base: str) -> Iterator[Open]:
    """Yield a function that opens a path with a look."""
    pages = []

    def open_page(path: str, look: str) -> Page:
        page = contexts[look].new_page()
        pages.append(page)
        page.goto(base + path)
        return page

    yield open_page
    for page in pages:
        page.close()


@pytest.mark.parametrize("look", ["desktop", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_its_window(look_at: Open, name: str, look: str) -> None:
    assert look_at(PAGES[name], look).evaluate(TOO_WIDE) == 0


@pytest.mark.parametrize("look", ["desktop", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_every_text_has_the_contrast_of_wcag_aa(look_at: Open, name: str, look: str) -> None:
    page = look_at(PAGES[name], look)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate(FAINT) == []


@pytest.mark.parametrize("name", ["home", "listing", "diff"])
def test_nothing_moves_after_it_is_shown(look_at: Open, name: str) -> None:
    assert look_at(PAGES[name], "phone").evaluate(SHIFT) < 0.01


def test_the_first_stop_of_the_keyboard_is_the_link_past_the_header(look_at: Open) -> None:
    page = look_at(PAGES["listing"], "desktop")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_keyboard_changes_between_the_ways_to_install(look_at: Open) -> None:
    page = look_at(PAGES["listing"], "desktop")
    page.locator("#tab-1").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".panel-2")).to_be_visible()
    expect(page.locator(".panel-1")).to_be_hidden()


def test_the_copy_button_copies_the_shown_commands(browser: Browser, base: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(base + PAGES["listing"])
    page.locator(".panel-1 [data-copy]").click()
    expect(page.locator(".panel-1 [data-copy]")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    context.close()
    assert copied == f"export NODE_DATA_BASE_URL={base}\nnode-data pull {REF}@1.5.0"


def test_pages_work_without_scripts(browser: Browser, base: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(base + PAGES["listing"])
    page.locator("label[for=tab-2]").click()
    expect(page.locator(".panel-2")).to_be_visible()
    expect(page.locator(".panel-2 [data-copy]")).to_be_hidden()
    context.close()


def test_a_page_prints_without_its_furniture(look_at: Open) -> None:
    page = look_at(PAGES["listing"], "dark")
    page.emulate_media(media="print", color_scheme="light")
    expect(page.locator(".top")).to_be_hidden()
    expect(page.locator("h1")).to_be_visible()


@pytest.mark.parametrize("look", LOOKS)
def test_picture_of_the_home_page(look_at: Open, output: Path, look: str) -> None:
    page = look_at(PAGES["home"], look)
    expect(page.get_by_role("heading", level=1)).to_have_text("Models with versions you can trust")
    expect(page.get_by_role("link", name="acme/grasp-policy-v2")).to_be_visible()
    take(page, output / f"home-{look}.png")


@pytest.mark.parametrize("look", LOOKS)
def test_picture_of_a_listing_page(look_at: Open, output: Path, look: str) -> None:
    page = look_at(PAGES["listing"], look)
    expect(page.get_by_role("heading", level=1)).to_have_text("Grasp policy v2")
    expect(page.locator(".panel-1")).to_contain_text(f"node-data pull {REF}@1.5.0")
    expect(page.get_by_role("heading", name="What 1.5.0 changed against 1.4.0")).to_be_visible()
    expect(page.locator(".revisions tbody tr")).to_have_count(6)
    take(page, output / f"listing-{look}.png")


@pytest.mark.parametrize("look", LOOKS)
def test_picture_of_a_yanked_revision(look_at: Open, output: Path, look: str) -> None:
    page = look_at(PAGES["revision-yanked"], look)
    banner = page.get_by_role("complementary", name="Yanked")
    expect(banner).to_contain_text(YANK_REASON)
    expect(banner.get_by_role("link", name="Go to 1.5.0")).to_be_visible()
    take(page, output / f"revision-yanked-{look}.png")


@pytest.mark.parametrize("look", LOOKS)
def test_picture_of_a_diff(look_at: Open, output: Path, look: str) -> None:
    page = look_at(PAGES["diff"], look)
    expect(page.get_by_role("heading", level=1)).to_contain_text("1.4.0")
    expect(page.locator(".tiles")).to_contain_text("750,084")
    expect(page.locator(".tensors").first.locator("tbody tr")).to_have_count(25)
    take(page, output / f"diff-{look}.png")


def take(page: Page, path: Path) -> None:
    """Write a picture of the whole page."""
    page.screenshot(path=path, full_page=True)
    assert path.stat().st_size > 10_000
