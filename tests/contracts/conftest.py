"""The catalogs that the contract suite runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nodedata_registry.server.catalog import SqliteCatalog, open_catalog
from nodedata_registry.server.ports import Catalog
from tests.contracts.catalog_world import World


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture
def sqlite_catalog(path: Path) -> Iterator[SqliteCatalog]:
    catalog = open_catalog(path)
    yield catalog
    catalog.close()


@pytest.fixture(params=["sqlite"])
def catalog(request: pytest.FixtureRequest) -> Catalog:
    """Give every adapter in turn: another database is one more name here."""
    made: Catalog = request.getfixturevalue(f"{request.param}_catalog")
    return made


@pytest.fixture
def world(catalog: Catalog) -> World:
    return World(catalog)
