"""A served registry with models for Hub clients, and those clients."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from nodedata_registry.server.api.rates import RateLimits
from nodedata_registry.server.config import Settings
from tests.api.actor import served
from tests.conformance.hub_clients import VERSIONS, Client, client, environment_of
from tests.conformance.hub_shelf import Shelf, fill


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Return a served registry with the models of `hub_shelf`."""
    data = tmp_path_factory.mktemp("registry")
    with served(Settings(data=data, port=0, rates=RateLimits(0, 0))) as started:
        yield fill(started, data)


@pytest.fixture(scope="session")
def environments() -> None:
    """Make the environments of all clients, at once."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(environment_of, VERSIONS))


@pytest.fixture(scope="module", params=VERSIONS)
def hub(
    request: pytest.FixtureRequest,
    environments: None,
    shelf: Shelf,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Client]:
    """Return a client of each version in turn, without a token."""
    with client(request.param, tmp_path_factory.mktemp("home"), shelf.url) as started:
        yield started
