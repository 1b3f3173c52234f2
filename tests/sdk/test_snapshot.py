"""A snapshot is a path that knows its revision."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest

from nodedata_registry import Snapshot


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    (tmp_path / "a.txt").write_text("a")
    return Snapshot(tmp_path, requested="^1", resolved="1.4.0", digest="d" * 64, commit="c" * 40)


def test_a_snapshot_is_a_path(snapshot: Snapshot, tmp_path: Path) -> None:
    assert isinstance(snapshot, Path)
    assert snapshot == tmp_path
    assert os.fspath(snapshot) == str(tmp_path)
    assert [path.name for path in snapshot.iterdir()] == ["a.txt"]
    assert (snapshot / "a.txt").read_text() == "a"


def test_a_snapshot_says_what_was_asked_and_what_it_is(snapshot: Snapshot) -> None:
    assert (snapshot.requested, snapshot.resolved, snapshot.yanked) == ("^1", "1.4.0", None)
    assert "resolved='1.4.0'" in repr(snapshot)


def test_what_is_derived_from_a_snapshot_is_a_plain_path(snapshot: Snapshot) -> None:
    derived = [
        snapshot / "x",
        snapshot.parent,
        snapshot.joinpath("y"),
        snapshot.with_name("z"),
        *snapshot.iterdir(),
    ]
    assert all(type(path) is type(Path()) for path in derived)


def test_a_snapshot_survives_copying_and_pickling(snapshot: Snapshot) -> None:
    for other in (copy.copy(snapshot), copy.deepcopy(snapshot), pickle.loads(pickle.dumps(snapshot))):
        assert (other, other.resolved, other.commit) == (snapshot, "1.4.0", "c" * 40)
