"""Who keeps a registry in this process open: whatever can still be called."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from nodedata_registry import NodeData, errors


def test_a_call_may_be_made_on_a_client_without_a_name(tmp_path: Path) -> None:
    assert NodeData(path=tmp_path / "registry").workspaces.create("acme").slug == "acme"


def test_a_kept_part_of_a_client_keeps_the_registry_open(tmp_path: Path) -> None:
    workspaces = NodeData(path=tmp_path / "registry").workspaces
    gc.collect()
    assert workspaces.create("acme").slug == "acme"


def test_a_client_that_nobody_can_call_lets_go_of_its_folder(tmp_path: Path) -> None:
    node = NodeData(path=tmp_path / "registry", cache=tmp_path / "cache")
    node.workspaces.create("acme")
    node.models.create("acme/x")
    with pytest.raises(errors.RevisionNotFound):
        node.models.download("acme/x")
    del node
    gc.collect()
    assert not (tmp_path / "registry" / "registry.db-wal").exists()


def test_closing_ends_every_part_of_a_client(tmp_path: Path) -> None:
    node = NodeData(path=tmp_path / "registry")
    node.close()
    node.close()
    with pytest.raises(errors.RegistryUnreachable, match="closed"):
        node.workspaces.list()
