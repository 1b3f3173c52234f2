"""A served registry of pages and a real browser to read them with."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar
from litestar.types import ASGIApp
from playwright.sync_api import Browser, sync_playwright

from nodedata_registry.server.pages import PageData, Sessions, Site, page_handlers
from tests.pages.browser import find_browser

Serve = Callable[[PageData], str]


def make_app(data: PageData) -> Litestar:
    """Return an application with nothing but the pages."""
    site = Site(data, Sessions(b"k" * 32, lambda: datetime.now(timezone.utc)))
    return Litestar(
        route_handlers=page_handlers(site),
        openapi_config=None,
        # Litestar's default would set the root logger, for every later test of this process.
        logging_config=None,
    )


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Return a function that serves pages over given data and gives their address."""
    stops: list[Callable[[], None]] = []

    def start(data: PageData) -> str:
        url, stop = serve_app(make_app(data))
        stops.append(stop)
        return url

    yield start
    for stop in stops:
        stop()


def serve_app(app: ASGIApp) -> tuple[str, Callable[[], None]]:
    """Return the address at which the application now answers, and how to stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    server = Server(app, port=port, interface=Interfaces.ASGI, log_enabled=False)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_run, args=(loop, server), daemon=True)
    thread.start()
    _wait_for(port)

    def stop() -> None:
        loop.call_soon_threadsafe(server.stop)
        thread.join(timeout=10)

    return f"http://127.0.0.1:{port}", stop


def _run(loop: asyncio.AbstractEventLoop, server: Server) -> None:
    asyncio.set_event_loop(loop)
    loop.run_until_complete(server.serve())
    loop.close()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
            return
        except OSError:
            time.sleep(0.02)
    pytest.fail(f"the page server did not listen on port {port} within 10 s")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return headless Chromium, for one module: Playwright keeps an event loop running all the while.

    Any later test in the process that wants a loop of its own would fail beside it.
    """
    with sync_playwright() as playwright:
        found = find_browser()
        with _launched(playwright.chromium.launch, found) as launched:
            yield launched


@contextmanager
def _launched(launch: Callable[..., Browser], path: str | None) -> Iterator[Browser]:
    started = launch(executable_path=path) if path else launch()
    try:
        yield started
    finally:
        started.close()


@pytest.fixture(scope="session")
def output() -> Path:
    """Return the folder for screenshots: `$CI_OUTPUT`, else `ci-output` beside the tests."""
    folder = Path(os.environ.get("CI_OUTPUT", "ci-output")) / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
