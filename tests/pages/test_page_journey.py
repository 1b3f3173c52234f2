"""Pages over a real registry: published through the SDK, read as a browser does."""

from __future__ import annotations

import html
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from safetensors.numpy import save_file

from nodedata_registry import NodeData
from nodedata_registry.server.app import OpenedRegistry, create_app, open_registry
from nodedata_registry.server.service.accounts import first_start
from tests.pages.conftest import serve_app

REF = "acme/arm-policy"
OWNER_KEY = "nd_live_" + "k" * 38

CARD = """---
name: Arm policy
license: Apache-2.0
task: grasping
framework: pytorch
benchmarks:
  - {{name: bin picking, metric: success_rate, value: {rate}, n: 5000}}
inputs:
  observation: [batch, 64]
outputs:
  action: {{shape: [batch, 7], dtype: float32, names: [a, b, c, d, e, f, gripper]}}
---
# Arm policy

The card of {version}. <script>alert(1)</script>
"""


def write(folder: Path, version: str, rate: float, touched: int) -> Path:
    """Write a revision whose first `touched` weights differ from the untouched ones."""
    folder.mkdir()
    weights = np.ones((64, 64), np.float32)
    weights.reshape(-1)[:touched] = 2
    metadata = {"format": "pt", "run_dir": "/home/somebody/run"}
    save_file(
        {"head.weight": weights, "head.bias": np.zeros(64, np.float32)}, folder / "m.safetensors", metadata
    )
    (folder / "model_card.md").write_text(CARD.format(version=version, rate=rate))
    return folder


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenedRegistry]:
    """Yield a registry with three revisions of a public model, the second yanked, and a private model."""
    root = tmp_path_factory.mktemp("registry")
    made = open_registry(root / "data")
    first_start(made.registry, OWNER_KEY)
    with NodeData(path=root / "data") as node:
        node.workspaces.create("acme")
        node.models.create(REF, visibility="public")
        node.models.create("acme/private-policy")
        for version, rate, touched in (("1.0.0", 0.5, 0), ("1.1.0", 0.6, 7), ("1.2.0", 0.7, 20)):
            folder = write(root / version, version, rate, touched)
            node.models.create_revision(REF, version, folder, f"Release {version}\nMore of it.")
        node.models.create_revision("acme/private-policy", "1.0.0", root / "1.0.0", "First.")
        node.models.yank(REF, "1.1.0", "drops <b>glass</b>")
    yield made
    made.close()


@pytest.fixture(scope="module")
def base(opened: OpenedRegistry) -> Iterator[str]:
    url, stop = serve_app(create_app(opened))
    yield url
    stop()


@pytest.fixture
def client(base: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base, timeout=40) as made:
        yield made


def text_of(client: httpx.Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def test_the_listing_page_shows_the_latest_revision_and_what_it_changed(client: httpx.Client) -> None:
    client.get(f"/{REF}/diff/1.1.0..1.2.0")
    text = text_of(client, f"/{REF}")
    assert "The card of 1.2.0." in text
    assert f"node-data pull {REF}@1.2.0" in text
    assert "What 1.2.0 changed against 1.1.0" in text
    assert "Parameters touched 13 0.312 % of 4,160" in text
    assert "▲ improved" in text
    assert "1.1.0 yanked Release 1.1.0 drops <b>glass</b>" in text


def test_the_page_of_a_yanked_revision_has_its_own_card_and_says_where_to_go(client: httpx.Client) -> None:
    text = text_of(client, f"/{REF}/v/1.1.0")
    assert "1.1.0 was yanked" in text
    assert "drops <b>glass</b>" in text
    assert "Go to 1.2.0" in text
    assert "The card of 1.1.0." in text


def test_the_diff_page_counts_touched_scalars_exactly(client: httpx.Client) -> None:
    text = text_of(client, f"/{REF}/diff/1.0.0..1.2.0")
    assert "head.weight 20 of 4,096 · 0.488 %" in re.sub(r"head\. weight", "head.weight", text)
    assert "Release 1.2.0 More of it." in text


def test_ranges_work_in_the_address_of_a_diff(client: httpx.Client) -> None:
    assert "1.0.0 → 1.2.0" in text_of(client, f"/{REF}/diff/~1.0..%5E1")


def test_a_file_link_of_the_page_gives_the_file(client: httpx.Client) -> None:
    found = re.search(r'href="([^"]+/m\.safetensors)"', client.get(f"/{REF}").text)
    assert found is not None
    head = client.get(found[1]).content
    assert head[8 : 8 + struct.unpack("<Q", head[:8])[0]].startswith(b"{")


def test_the_json_link_of_a_diff_page_gives_the_same_figures(client: httpx.Client) -> None:
    found = re.search(r'href="(/v1/[^"]+/diff)"', client.get(f"/{REF}/diff/1.0.0..1.2.0").text)
    assert found is not None
    assert client.get(found[1]).json()["parameters"]["touched"] == 20


def test_a_home_path_in_a_file_s_metadata_is_not_shown(client: httpx.Client) -> None:
    assert "/home/somebody" not in client.get(f"/{REF}").text


def test_search_finds_what_cards_say(client: httpx.Client) -> None:
    assert "arm-policy" in text_of(client, "/search?q=grasping")
    assert "Nothing found." in text_of(client, "/search?q=zebra")


def test_a_private_model_needs_a_session_and_the_session_only_reads(client: httpx.Client) -> None:
    assert client.get("/acme/private-policy").status_code == 404
    signed_in = client.post("/login", data={"key": OWNER_KEY, "next": "/acme/private-policy"})
    assert signed_in.status_code == 303
    assert "First." in text_of(client, "/acme/private-policy")
    # The API does not look at cookies, so that a borrowed session can change nothing.
    assert client.get("/v1/me").status_code == 401
    assert client.delete(f"/v1/models/{REF}/revisions/1.1.0/yank").status_code == 401


def test_what_does_not_exist_is_a_page_and_not_json(client: httpx.Client) -> None:
    for path in ("/nobody", "/acme/none", f"/{REF}/v/9.9.9", "/acme/arm-policy/x/y"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
