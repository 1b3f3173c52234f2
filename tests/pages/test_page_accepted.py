"""A finding that an owner accepted is shown wherever the revision is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from nodedata_registry import NodeData
from nodedata_registry.server.app import create_app, open_registry
from nodedata_registry.server.service.accounts import first_start
from tests.pages.conftest import serve_app

REF = "acme/arm"
OWNER_KEY = "nd_live_" + "a" * 38
REASON = "Nobody calls it by name."
CARD = "---\nlicense: mit\ninputs: {{{name}: [4]}}\noutputs: {{action: [2]}}\n---\n# Arm\n"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a registry in which 1.0.1 renamed an input, which an owner accepted."""
    root = tmp_path_factory.mktemp("accepted")
    opened = open_registry(root / "data")
    first_start(opened.registry, OWNER_KEY)
    url, stop = serve_app(create_app(opened))
    with NodeData(url, OWNER_KEY, cache=root / "cache") as node:
        node.workspaces.create("acme")
        node.models.create(REF, visibility="public")
        _publish(node, root / "model_card.md", "1.0.0", "state", {})
        _publish(node, root / "model_card.md", "1.0.1", "observation", {"input_renamed": REASON})
    yield url
    stop()
    opened.close()


def _publish(node: NodeData, path: Path, version: str, name: str, accept: dict[str, str]) -> None:
    path.write_text(CARD.format(name=name))
    node.models.create_revision(REF, version, {"model_card.md": path}, version, accept=accept)


@pytest.mark.parametrize("page", ["", "/v/1.0.1", "/diff/1.0.0..1.0.1"])
def test_pages_show_the_finding_and_the_reason(pages: str, page: str) -> None:
    text = httpx.get(f"{pages}/{REF}{page}").text
    assert "Accepted by an owner" in text
    assert "input_renamed" in text
    assert REASON in text
