"""Whatever people write, pages show it as text: in a real browser, with the policy switched off.

The Content-Security-Policy would hide a broken escape by refusing to run what slipped through, so
most of these tests tell the browser to ignore it; one then asserts that it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, Response

from nodedata_registry.server.pages.rendering import POLICY
from tests.pages.conftest import Serve
from tests.pages.hostile import PAYLOADS, hostile_shelf

LIVE = """() => [...document.querySelectorAll('*')].filter(e =>
    (e.tagName === 'SCRIPT' && !e.src)
    || ['IFRAME','OBJECT','EMBED','BASE','STYLE','IMG','VIDEO'].includes(e.tagName)
    || [...e.attributes].some(a => a.name.startsWith('on') || a.name === 'style'
        || /^\\s*(javascript|data|vbscript):/i.test(a.value) && ['href','src','action'].includes(a.name))
).map(e => e.outerHTML.slice(0, 120))"""


@dataclass
class Watch:
    """A page whose dialogs, requests and script errors are written down."""

    page: Page
    base: str
    dialogs: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    policies: list[str | None] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def note_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.base).netloc:
            self.foreign.append(request.url)

    def note_policy(self, response: Response) -> None:
        self.policies.append(response.headers.get("content-security-policy"))

    def look(self, path: str) -> None:
        """Open a page and its folded parts; handlers that wait for a pointer are found as attributes."""
        self.page.goto(self.base + path)
        self.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        live = self.page.evaluate(LIVE)
        assert live == [], f"{path} has live elements: {live}"


def watch(page: Page, base: str) -> Watch:
    noted = Watch(page, base)
    page.on("dialog", noted.dismiss)
    page.on("request", noted.note_request)
    page.on("response", noted.note_policy)
    return noted


@pytest.fixture(scope="module")
def base(serve: Serve) -> str:
    return serve(hostile_shelf())


@pytest.fixture
def unprotected(browser: Browser, base: str) -> Iterator[Watch]:
    """Yield a watched page in a browser that ignores the policy."""
    context = browser.new_context(bypass_csp=True)
    yield watch(context.new_page(), base)
    context.close()


def test_there_are_at_least_forty_payloads() -> None:
    assert len(set(PAYLOADS)) >= 40


@pytest.mark.timeout(300)
def test_no_payload_runs_or_calls_home_from_a_listing_page(unprotected: Watch) -> None:
    for number in range(len(PAYLOADS)):
        unprotected.look(f"/acme/m{number}")
    assert (unprotected.dialogs, unprotected.foreign) == ([], [])


@pytest.mark.timeout(300)
def test_no_payload_runs_or_calls_home_from_the_page_of_a_yanked_revision(unprotected: Watch) -> None:
    for number in range(len(PAYLOADS)):
        unprotected.look(f"/acme/m{number}/v/1.0.0")
    assert (unprotected.dialogs, unprotected.foreign) == ([], [])


@pytest.mark.timeout(300)
def test_no_payload_runs_or_calls_home_from_a_diff_page(unprotected: Watch) -> None:
    for number in range(len(PAYLOADS)):
        unprotected.look(f"/acme/m{number}/diff/1.0.0..1.1.0")
    assert (unprotected.dialogs, unprotected.foreign) == ([], [])


@pytest.mark.timeout(300)
def test_no_payload_runs_from_an_address(unprotected: Watch) -> None:
    for payload in PAYLOADS:
        encoded = quote(payload, safe="")
        unprotected.look(f"/search?q={encoded}&task={encoded}&license={encoded}")
        unprotected.look(f"/login?next={encoded}")
        unprotected.look(f"/acme/{quote(payload.replace('/', ' '), safe='')}")
    assert (unprotected.dialogs, unprotected.foreign) == ([], [])


def test_no_payload_runs_from_lists_of_models(unprotected: Watch) -> None:
    for path in ("/", "/acme", "/search"):
        unprotected.look(path)
    assert (unprotected.dialogs, unprotected.foreign) == ([], [])


def test_every_answer_carries_the_policy_and_breaks_none_of_it(browser: Browser, base: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    noted = watch(page, base)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    for path in ("/", "/acme/m0", "/acme/m0/v/1.0.0", "/acme/m0/diff/1.0.0..1.1.0", "/login"):
        page.goto(base + path)
    context.close()
    assert set(noted.policies) == {POLICY}
    assert [text for text in complaints if "Content Security Policy" in text] == []
