"""A whole registry in a temporary folder."""

from __future__ import annotations

import os
import shutil
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

MakeRegistry = Callable[[str], tuple[Registry, Clock]]


def opened(folder: Path) -> tuple[Registry, Clock]:
    """Return a registry over the folder, and its clock."""
    clock = Clock()
    return (
        Registry(
            catalog=open_catalog(folder / "registry.db"),
            blobs=DiskBlobStore(folder),
            diffs=ThreadDiffRunner(),
            now=clock,
            random=os.urandom,
        ),
        clock,
    )


def closed(registry: Registry) -> None:
    """Give back what a registry holds."""
    assert isinstance(registry.diffs, ThreadDiffRunner)
    registry.diffs.close()
    registry.catalog.close()


@pytest.fixture
def make_registry(tmp_path: Path) -> Iterator[MakeRegistry]:
    """Return a maker of registries over folders of this test."""
    made: list[Registry] = []

    def make(name: str = "data") -> tuple[Registry, Clock]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        registry, clock = opened(folder)
        made.append(registry)
        return registry, clock

    yield make
    for registry in made:
        closed(registry)


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with the workspace `acme` and the private model `acme/grasp`, and the owner's key."""
    folder = tmp_path_factory.mktemp("started")
    registry, _ = opened(folder)
    key = accounts.first_start(registry, None).owner_key
    assert key is not None
    workspaces.create_workspace(registry, identify(registry, key), "acme")
    models.create_model(registry, identify(registry, key), "acme/grasp", "private")
    closed(registry)
    return folder, key


@pytest.fixture
def world(started: tuple[Path, str], tmp_path: Path, make_registry: MakeRegistry) -> World:
    """A registry with the workspace `acme`, the private model `acme/grasp` and its owner."""
    folder, key = started
    shutil.copytree(folder, tmp_path / "data")
    registry, clock = make_registry("data")
    return World(registry, clock, identify(registry, key), key, folder=tmp_path / "data")
