"""A whole registry in a temporary folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodedata_registry.server.blobs.disk import DiskBlobStore
from nodedata_registry.server.catalog import open_catalog
from nodedata_registry.server.jobs.diffs import ThreadDiffRunner
from nodedata_registry.server.service import accounts, models, workspaces
from nodedata_registry.server.service.identify import identify
from nodedata_registry.server.service.registry import Registry
from tests.service.worlds import Clock, World


@pytest.fixture
def make_registry(tmp_path: Path) -> Iterator[Callable[[str], tuple[Registry, Clock]]]:
    """Return a maker of registries over folders of this test."""
    opened: list[Registry] = []

    def make(name: str = "data") -> tuple[Registry, Clock]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        clock = Clock()
        registry = Registry(
            catalog=open_catalog(folder / "registry.db"),
            blobs=DiskBlobStore(folder),
            diffs=ThreadDiffRunner(),
            now=clock,
            random=os.urandom,
        )
        opened.append(registry)
        return registry, clock

    yield make
    for registry in opened:
        assert isinstance(registry.diffs, ThreadDiffRunner)
        registry.diffs.close()
        registry.catalog.close()


@pytest.fixture
def world(make_registry: Callable[[str], tuple[Registry, Clock]]) -> World:
    """A registry with the workspace `acme`, the private model `acme/grasp` and its owner."""
    registry, clock = make_registry("data")
    key = accounts.first_start(registry, None).owner_key
    assert key is not None
    workspaces.create_workspace(registry, identify(registry, key), "acme")
    owner = identify(registry, key)
    models.create_model(registry, owner, "acme/grasp", "private")
    return World(registry, clock, owner, key)
