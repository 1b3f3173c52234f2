"""One served registry for each module, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nodedata_registry.server.api.rates import RateLimits
from nodedata_registry.server.config import Settings
from tests.api.actor import World, populate, served


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a served registry with people and models."""
    data = tmp_path_factory.mktemp("registry")
    settings = Settings(data=data, port=0, rates=RateLimits(0, 0))
    with served(settings) as started:
        yield populate(started, data)
