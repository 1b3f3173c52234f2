"""Served registries for journeys, and nobody's own settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodedata_registry import NodeData
from tests.journeys.running import OWNER_KEY, Running, running


@pytest.fixture(autouse=True)
def _no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the caller's own registry, key and cache out of the tests."""
    for name in ("BASE_URL", "API_KEY", "OFFLINE", "CACHE", "OWNER_KEY"):
        monkeypatch.delenv(f"NODE_DATA_{name}", raising=False)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A registry that the tests of a module share, with the workspace `acme`."""
    with running(tmp_path_factory.mktemp("registry") / "data") as server:
        with NodeData(server.url, OWNER_KEY) as node:
            node.workspaces.create("acme")
        yield server


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[..., NodeData]]:
    """Return a maker of clients, each with the cache of a name; all are closed at the end."""
    made: list[NodeData] = []

    def connect(url: str, cache: str = "cache", key: str = OWNER_KEY) -> NodeData:
        made.append(NodeData(url, key, cache=tmp_path / cache))
        return made[-1]

    yield connect
    for node in made:
        node.close()
