"""Downloads when the registry is silent, or must not be asked; and yanks, each time."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodedata_registry import (
    NodeData,
    RegistryUnreachableWarning,
    Snapshot,
    YankedRevisionWarning,
    errors,
)
from tests.sdk.door import Door
from tests.sdk.weights import write_model, write_weights

MODEL = "acme/grasp"


@pytest.fixture
def published(node: NodeData, tmp_path: Path) -> NodeData:
    """`acme/grasp` with 1.0.0 and 1.0.1."""
    folder = write_model(tmp_path / "model")
    node.models.create_revision(MODEL, "1.0.0", folder, "First")
    write_weights(folder / "model.safetensors", changed=(1,))
    node.models.create_revision(MODEL, "1.0.1", folder, "Tuned")
    return node


@pytest.fixture
def offline(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeData]:
    """A client on the same cache that must not ask the network."""
    monkeypatch.setenv("NODE_DATA_OFFLINE", "1")
    with NodeData(door.base_url, cache=tmp_path / "cache") as client:
        yield client


# --- the registry is silent ---


@pytest.mark.parametrize("revision", ["1.0.0", "v1.0.0"])
def test_a_pin_in_the_cache_is_served_when_the_registry_is_gone(
    published: NodeData, door: Door, revision: str
) -> None:
    here = published.models.download(MODEL, "1.0.0")
    door.shut = True
    with pytest.warns(RegistryUnreachableWarning):
        assert published.models.download(MODEL, revision) == here


def test_a_digest_in_the_cache_is_served_when_the_registry_is_gone(published: NodeData, door: Door) -> None:
    here = published.models.download(MODEL, "1.0.0")
    door.shut = True
    with pytest.warns(RegistryUnreachableWarning):
        assert published.models.download(MODEL, f"sha256:{here.digest}") == here


def test_a_pin_does_not_wait_longer_than_three_seconds(published: NodeData, door: Door) -> None:
    published.models.download(MODEL, "1.0.0")
    door.delay_seconds = 8
    started = time.monotonic()
    with pytest.warns(RegistryUnreachableWarning):
        published.models.download(MODEL, "1.0.0")
    assert 2.5 < time.monotonic() - started < 4.5


def test_a_range_is_not_guessed_when_the_registry_is_gone(published: NodeData, door: Door) -> None:
    published.models.download(MODEL, "^1")
    door.shut = True
    with pytest.raises(errors.RegistryUnreachable, match="fallback"):
        published.models.download(MODEL, "^1")


def test_a_range_falls_back_on_the_cache_if_asked_to(published: NodeData, door: Door) -> None:
    published.models.download(MODEL, "1.0.0")
    door.shut = True
    with pytest.warns(RegistryUnreachableWarning):
        assert published.models.download(MODEL, "^1", offline="fallback").resolved == "1.0.0"


def test_a_pin_that_is_not_whole_in_the_cache_fails(published: NodeData, door: Door) -> None:
    published.models.download(MODEL, "1.0.0", include=("*.md",))
    door.shut = True
    with pytest.raises(errors.RegistryUnreachable, match="not whole"):
        published.models.download(MODEL, "1.0.0")
    with pytest.warns(RegistryUnreachableWarning):
        published.models.download(MODEL, "1.0.0", include=("*.md",))


def test_an_answer_of_the_registry_is_never_replaced_by_the_cache(published: NodeData, door: Door) -> None:
    published.models.download(MODEL, "1.0.0")
    published.models.quarantine(MODEL, "1.0.0", "leaked")
    with pytest.raises(errors.RevisionQuarantined):
        published.models.download(MODEL, "1.0.0")


# --- it must not be asked ---


def test_offline_never_asks_the_network(published: NodeData, offline: NodeData, door: Door) -> None:
    here = published.models.download(MODEL, "1.0.0")
    before = len(door.requests)
    assert offline.models.download(MODEL, "1.0.0") == here
    assert len(door.requests) == before


def test_offline_true_never_asks_the_network(published: NodeData, door: Door) -> None:
    here = published.models.download(MODEL, "1.0.0")
    before = len(door.requests)
    assert published.models.download(MODEL, "1.0.0", offline=True) == here
    assert len(door.requests) == before


def test_offline_says_what_is_missing(published: NodeData, offline: NodeData) -> None:
    with pytest.raises(errors.NotInCache) as caught:
        offline.models.download(MODEL, "1.0.1")
    assert caught.value.details["missing"] == ["acme/grasp@1.0.1"]


def test_offline_ranges_fail_unless_asked_to_fall_back(published: NodeData, offline: NodeData) -> None:
    published.models.download(MODEL, "1.0.0")
    with pytest.raises(errors.NotInCache, match="pin"):
        offline.models.download(MODEL, "^1")
    assert offline.models.download(MODEL, "^1", offline="fallback").resolved == "1.0.0"


def test_other_calls_say_that_offline_forbids_them(published: NodeData, offline: NodeData) -> None:
    with pytest.raises(errors.RegistryUnreachable, match="NODE_DATA_OFFLINE"):
        offline.models.resolve(MODEL)


def test_dest_can_be_filled_offline(published: NodeData, offline: NodeData, tmp_path: Path) -> None:
    published.models.download(MODEL, "1.0.0")
    assert offline.models.download(MODEL, "1.0.0", dest=tmp_path / "dest").resolved == "1.0.0"


@pytest.mark.parametrize("value", ["true", 1, "always"])
def test_other_values_of_offline_are_refused(published: NodeData, value: object) -> None:
    with pytest.raises(errors.InvalidRequest):
        published.models.download(MODEL, offline=value)  # type: ignore[arg-type]


# --- yanks ---


def quietly(node: NodeData, revision: str) -> Snapshot:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", YankedRevisionWarning)
        return node.models.download(MODEL, revision)


def test_a_yanked_pin_is_served_with_a_warning_every_time(published: NodeData) -> None:
    published.models.yank(MODEL, "1.0.0", "drops the cup")
    for _ in range(3):
        with pytest.warns(YankedRevisionWarning, match=r"drops the cup \(use 1\.0\.1\)"):
            snapshot = published.models.download(MODEL, "1.0.0")
        assert snapshot.yanked is not None
        assert snapshot.yanked.suggested == "1.0.1"


def test_the_warning_points_at_the_callers_line(published: NodeData) -> None:
    published.models.yank(MODEL, "1.0.0", "drops the cup")
    with pytest.warns(YankedRevisionWarning) as caught:
        published.models.download(MODEL, "1.0.0")
    assert [warning.filename for warning in caught] == [__file__]


def test_a_range_avoids_what_is_yanked(published: NodeData) -> None:
    published.models.yank(MODEL, "1.0.1", "drops the cup")
    assert published.models.download(MODEL, "^1").resolved == "1.0.0"


def test_a_yank_does_not_break_a_deployment(published: NodeData) -> None:
    published.models.yank(MODEL, "^1", "drops the cup")
    with pytest.warns(YankedRevisionWarning):
        assert published.models.download(MODEL, "^1").resolved == "1.0.1"


def test_yanked_answers_can_be_refused_pins_too(published: NodeData) -> None:
    published.models.yank(MODEL, "1.0.0", "drops the cup")
    with pytest.raises(errors.RevisionYanked) as caught:
        published.models.download(MODEL, "1.0.0", on_yanked="error")
    assert caught.value.details["reasons"][0]["reason"] == "drops the cup"


def test_a_filter_can_make_the_warning_fatal(published: NodeData, tmp_path: Path) -> None:
    published.models.yank(MODEL, "1.0.0", "drops the cup")
    with warnings.catch_warnings():
        warnings.simplefilter("error", YankedRevisionWarning)
        with pytest.raises(YankedRevisionWarning):
            published.models.download(MODEL, "1.0.0", dest=tmp_path / "dest")
    assert not (tmp_path / "dest").exists()


def test_the_last_known_yank_is_told_when_the_registry_is_gone(published: NodeData, door: Door) -> None:
    published.models.yank(MODEL, "1.0.0", "drops the cup")
    quietly(published, "1.0.0")
    door.shut = True
    with pytest.warns() as caught:
        published.models.download(MODEL, "1.0.0")
    assert {warning.category for warning in caught} == {YankedRevisionWarning, RegistryUnreachableWarning}


def test_the_last_known_yank_is_refused_offline_too(published: NodeData, offline: NodeData) -> None:
    published.models.yank(MODEL, "1.0.0", "drops the cup")
    quietly(published, "1.0.0")
    with pytest.raises(errors.RevisionYanked):
        offline.models.download(MODEL, "1.0.0", on_yanked="error")


def test_an_unyanked_revision_warns_no_more(published: NodeData) -> None:
    published.models.yank(MODEL, "1.0.0", "drops the cup")
    quietly(published, "1.0.0")
    published.models.unyank(MODEL, "1.0.0")
    assert published.models.download(MODEL, "1.0.0").yanked is None


def test_resolving_a_yanked_revision_warns_too(published: NodeData) -> None:
    published.models.yank(MODEL, "1.0.0", "drops the cup")
    with pytest.warns(YankedRevisionWarning):
        assert published.models.resolve(MODEL, "1.0.0").yanked is not None
