"""How long a silent registry is waited for, and yanks that reading calls tell of."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nodedata_registry import NodeData, YankedRevisionWarning, errors
from tests.sdk.door import Door
from tests.sdk.weights import write_model

MODEL = "acme/grasp"


@pytest.fixture
def published(node: NodeData, tmp_path: Path) -> NodeData:
    """`acme/grasp` with 1.0.0."""
    node.models.create_revision(MODEL, "1.0.0", write_model(tmp_path / "model"), "First")
    return node


def test_a_range_fails_when_the_registry_is_silent_for_three_seconds(published: NodeData, door: Door) -> None:
    published.models.download(MODEL, "^1")
    door.delay_seconds = 6
    started = time.monotonic()
    with pytest.raises(errors.RegistryUnreachable, match=r"within 3 s.*fallback"):
        published.models.download(MODEL, "^1")
    assert time.monotonic() - started < 4.5


def test_a_pin_that_the_cache_lacks_waits_for_a_slow_registry(published: NodeData, door: Door) -> None:
    door.delay_seconds = 3.5
    assert published.models.forecast(MODEL, "1.0.0").resolved == "1.0.0"


@pytest.mark.parametrize("call", ["resolve", "manifest", "plan"])
def test_every_reading_call_warns_of_a_yank(published: NodeData, call: str) -> None:
    published.models.yank(MODEL, "1.0.0", "slips")
    for _ in range(2):
        with pytest.warns(YankedRevisionWarning, match="slips") as caught:
            getattr(published.models, call)(MODEL, "1.0.0")
        assert caught[0].filename == __file__
