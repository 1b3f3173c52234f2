"""Hub clients on bad wires, on a registry that asks everybody for a key, and on a long history."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodedata_registry.server.api.rates import RateLimits
from nodedata_registry.server.config import Settings
from tests.api.actor import Actor, served
from tests.conformance.hub_clients import VERSIONS, client
from tests.conformance.hub_shelf import CARD, Shelf
from tests.journeys.cable import cable_to
from tests.journeys.running import wait_until

pytestmark = pytest.mark.timeout(300)

MIB = 1024 * 1024
NEWEST = VERSIONS[-1]
OUTSIDE = "https://models.example.org"
HISTORY = 103


@pytest.fixture(scope="module")
def large(shelf: Shelf) -> bytes:
    """Return the 24 MiB that are the largest file of `acme/large`."""
    data = random.Random(6).randbytes(24 * MIB)
    shelf.owner.done("POST", "/v1/models", {"ref": "acme/large", "visibility": "public"})
    reply = shelf.owner.publish("acme/large", "1.0.0", {"model_card.md": CARD, "data.bin": data})
    assert reply.status == 201, reply.body
    return data


@pytest.mark.parametrize("version", VERSIONS)
def test_a_download_that_is_cut_goes_on_and_counts_once(
    environments: None, shelf: Shelf, large: bytes, version: str, tmp_path: Path
) -> None:
    before = downloads(shelf)
    with cable_to(shelf.url) as cable, client(version, tmp_path, cable.url) as hub:
        cable.cuts = [14 * MIB]
        if hub.is_old:
            # It gives up, and goes on when it is asked again.
            assert "IncompleteRead" in hub.refusal("hub.snapshot_download('acme/large')").said
        folder = Path(hub.value("hub.snapshot_download('acme/large')"))
        assert not cable.cuts
        assert (folder / "data.bin").read_bytes() == large
        # What had arrived is not fetched again, but for the ten MiB in hand.
        assert cable.down_bytes < len(large) + 15 * MIB
    wait_until(lambda: downloads(shelf) > before)
    assert downloads(shelf) == before + 1


def downloads(shelf: Shelf) -> int:
    """Return how often `acme/large` was downloaded."""
    return int(shelf.owner.done("GET", "/api/models/acme/large")["downloads"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_commit_that_is_whole_in_the_cache_asks_for_nothing_it_has(
    environments: None, shelf: Shelf, version: str, tmp_path: Path
) -> None:
    with cable_to(shelf.url) as cable, client(version, tmp_path, cable.url) as hub:
        folder = hub.value("hub.snapshot_download('acme/arm', revision='^1')")
        downloaded = cable.down_bytes
        assert hub.value("hub.snapshot_download('acme/arm', revision='^1')") == folder
        assert cable.down_bytes - downloaded < 10_000
        asked = cable.up_bytes
        commit = shelf.commit("acme/arm", "1.1.0")
        single = hub.value(f"hub.hf_hub_download('acme/arm', 'config.json', revision={commit!r})")
        assert Path(single).parent == Path(folder)
        assert cable.up_bytes == asked


# --- a registry that asks everybody for a key ---------------------------------------------------


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Actor]:
    """Return the owner of a registry that nobody reads without a key, known outside by another address."""
    settings = Settings(
        data=tmp_path_factory.mktemp("closed"),
        port=0,
        require_key=True,
        public_url=f"{OUTSIDE}/",
        rates=RateLimits(0, 0),
    )
    with served(settings) as started:
        owner = Actor(started.url, started.owner_key)
        owner.done("POST", "/v1/workspaces", {"slug": "acme"})
        owner.done("POST", "/v1/models", {"ref": "acme/long", "visibility": "public"})
        for patch in range(HISTORY):
            files = {"README.md": CARD, "count.txt": b"%d" % patch}
            assert owner.publish("acme/long", f"1.0.{patch}", files).status == 201
        yield owner


def test_where_keys_are_required_nothing_exists_without_one(
    environments: None, closed: Actor, tmp_path: Path
) -> None:
    with client(NEWEST, tmp_path / "nobody", closed.url) as nobody:
        assert "RepositoryNotFoundError" in nobody.refusal("api.model_info('acme/long')").names
        assert "RepositoryNotFoundError" in nobody.refusal("hub.snapshot_download('acme/long')").names
    with client(NEWEST, tmp_path / "owner", closed.url, closed.key) as owner:
        folder = Path(owner.value("hub.snapshot_download('acme/long')"))
        assert (folder / "count.txt").read_text() == str(HISTORY - 1)
    assert closed.get("/acme/long/resolve/main/README.md").headers["Cache-Control"].startswith("private")


def test_a_long_history_comes_in_pages_under_the_address_outside(closed: Actor) -> None:
    first = closed.get("/api/models/acme/long/commits/main")
    assert first.headers["Link"] == f'<{OUTSIDE}/api/models/acme/long/commits/main?p=1>; rel="next"'
    second = closed.get("/api/models/acme/long/commits/main?p=1")
    assert "Link" not in second.headers
    titles = [commit["title"].partition(":")[0] for commit in [*first.json, *second.json]]
    assert titles == [f"1.0.{patch}" for patch in reversed(range(HISTORY))]


def test_a_link_cannot_be_broken_out_of(closed: Actor) -> None:
    reply = closed.get("/api/models/acme/long/commits/>=1?p=0&x=%22%3E")
    assert reply.headers["Link"] == (
        f'<{OUTSIDE}/api/models/acme/long/commits/%3E=1?x=%22%3E&p=1>; rel="next"'
    )


def test_a_strange_host_is_not_repeated_in_links(shelf: Shelf) -> None:
    reply = shelf.owner.get("/api/models/acme/arm/tree/main?limit=1", host="evil.example/x")
    assert reply.status == 400 or "evil" not in reply.headers["Link"]
