"""The loop of a model's life, on services alone."""

from __future__ import annotations

from nodedata_registry.core.diff import RevisionDiff
from nodedata_registry.server.service import compare, fetch, fsck, resolve, sweep, yank
from tests.service.worlds import CARD, World, safetensors

ONES = safetensors({"a": [1.0] * 100, "b": [2.0] * 50})
SOME = safetensors({"a": [1.0] * 90 + [3.0] * 10, "b": [2.0] * 50})


def test_a_model_lives_from_its_first_revision_to_a_clean_fsck(world: World) -> None:
    first = world.publish("1.0.0", {"model.safetensors": ONES, "model_card.md": CARD}, "first")
    second = world.publish("1.0.1", {"model.safetensors": SOME}, "ten scalars")
    assert second.row.parent == first.row.version
    found = resolve.resolve(world.registry, world.owner, "acme/grasp", "^1")
    assert found.view.row.version == second.row.version
    changed = compare.compare(world.registry, world.owner, "acme/grasp", "1.0.0", "1.0.1")
    assert isinstance(changed, RevisionDiff)
    assert changed.parameters.touched == 10
    yank.yank(world.registry, world.owner, "acme/grasp", "1.0.1", "bad")
    assert (
        str(resolve.resolve(world.registry, world.owner, "acme/grasp", "latest").view.row.version) == "1.0.0"
    )
    opened = fetch.open_file(world.registry, world.owner, "acme/grasp", "1.0.1", "model.safetensors")
    assert b"".join(opened.read(0, opened.entry.size_bytes)) == SOME
    assert sweep.sweep(world.registry, grace_seconds=0).deleted == 0
    assert fsck.fsck(world.registry).problems == []
