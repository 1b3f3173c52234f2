"""fsck finds every kind of damage, names where it is, and changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nodedata_registry.core.digests import sha256_hex
from nodedata_registry.errors import NodeDataError
from nodedata_registry.server.service import fsck, marks, sweep
from tests.service.worlds import CARD, World, order_file, safetensors

WEIGHTS = safetensors({"a": [1.0] * 70_000, "b": [2.0] * 70_000})
FILES = {"model_card.md": CARD, "model.safetensors": WEIGHTS}
BLOCK = order_file("model.safetensors", WEIGHTS).blocks[1].digest
WHERE = "acme/grasp@1.0.0 model.safetensors"


def block_file(world: World) -> Path:
    path = world.registry.blobs.path(BLOCK)
    assert path is not None
    path.chmod(0o644)
    return path


def flip(world: World) -> None:
    path = block_file(world)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(world: World) -> None:
    path = block_file(world)
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(world: World) -> None:
    path = block_file(world)
    path.write_bytes(path.read_bytes() + b"x")


def delete(world: World) -> None:
    world.registry.blobs.delete(BLOCK)


def swap_blocks(world: World) -> None:
    """The blocks are all there and undamaged, and in the wrong order."""
    file = order_file("model.safetensors", WEIGHTS)
    packed = b"".join(
        bytes.fromhex(block.digest) + block.size_bytes.to_bytes(4, "big") for block in reversed(file.blocks)
    )
    behind_the_guards(
        world, "UPDATE file_contents SET blocks = ? WHERE sha256 = ?", (packed, file.entry.sha256)
    )


def damage_card(world: World) -> None:
    card = (CARD + b"!", sha256_hex(CARD))
    behind_the_guards(world, f"UPDATE {table_of(world, 'data')} SET data = ? WHERE sha256 = ?", card)


def damage_changelog(world: World) -> None:
    behind_the_guards(world, "UPDATE revisions SET changelog = 'rewritten'", ())


def damage_manifest(world: World) -> None:
    behind_the_guards(world, "UPDATE manifest_files SET size_bytes = size_bytes + 1", ())


def drop_event(world: World) -> None:
    behind_the_guards(world, "DELETE FROM events WHERE sequence = 3", ())


def rewrite_event(world: World) -> None:
    behind_the_guards(world, "UPDATE events SET kind = 'revision.invented' WHERE sequence = 3", ())


def table_of(world: World, column: str) -> str:
    with closing(sqlite3.connect(world.folder / "registry.db")) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return next(
            str(name)
            for name in names
            if {column, "sha256"} == {row[1] for row in database.execute(f"PRAGMA table_info({name})")}
        )


def behind_the_guards(world: World, statement: str, values: tuple[object, ...]) -> None:
    """Change what the database refuses to change, as a bad disk or a bad administrator would."""
    with closing(sqlite3.connect(world.folder / "registry.db")) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        assert database.execute(statement, values).rowcount > 0


DAMAGES: dict[Callable[[World], None], tuple[str, str]] = {
    flip: (WHERE, BLOCK),
    truncate: (WHERE, BLOCK),
    lengthen: (WHERE, BLOCK),
    delete: (WHERE, BLOCK),
    swap_blocks: (WHERE, "SHA-256"),
    damage_card: ("acme/grasp@1.0.0", "card"),
    damage_changelog: ("acme/grasp@1.0.0", "commit"),
    damage_manifest: ("acme/grasp@1.0.0", "manifest"),
    drop_event: ("event 3", "missing"),
    rewrite_event: ("event 3", "canonical"),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_found_and_named(world: World, damage: Callable[[World], None]) -> None:
    world.publish("1.0.0", FILES)
    assert fsck.fsck(world.registry).clean
    damage(world)
    report = fsck.fsck(world.registry)
    where, what = DAMAGES[damage]
    assert any(one.where == where and what in one.message for one in report.problems), report.problems


@pytest.mark.parametrize("damage", [truncate, lengthen, delete], ids=lambda damage: damage.__name__)
def test_what_sizes_show_is_found_without_reading_data(world: World, damage: Callable[[World], None]) -> None:
    world.publish("1.0.0", FILES)
    damage(world)
    report = fsck.fsck(world.registry, read_data=False)
    assert [one.where for one in report.problems] == [WHERE]
    assert report.bytes_read == 0


def test_a_clean_registry_counts_what_was_read(world: World) -> None:
    world.publish("1.0.0", FILES)
    report = fsck.fsck(world.registry)
    assert (report.revisions, report.files, report.orphans) == (1, 2, 0)
    assert report.bytes_read == sum(map(len, FILES.values()))
    assert report.events == len(world.events())


def test_blocks_that_nothing_needs_are_orphans_and_no_problem(world: World) -> None:
    world.publish("1.0.0", FILES)
    marks.retire(world.registry, world.owner, world.ref, "1.0.0", "space")
    report = fsck.fsck(world.registry)
    assert report.clean and report.orphans == len(world.order("1.0.0", FILES).block_sizes())
    world.clock.pass_hours(25)
    sweep.sweep(world.registry, grace_seconds=0)
    assert fsck.fsck(world.registry).orphans == 0


def test_a_damaged_block_is_healed_by_publishing_its_bytes_again(world: World) -> None:
    world.publish("1.0.0", FILES)
    delete(world)
    world.publish("1.1.0", {"copy.safetensors": WEIGHTS})
    assert fsck.fsck(world.registry).clean


def test_fsck_changes_nothing(world: World) -> None:
    world.publish("1.0.0", FILES)
    flip(world)
    first = fsck.fsck(world.registry).problems
    assert fsck.fsck(world.registry).problems == first


def test_a_sweep_that_may_not_delete_tells_what_would_go(world: World) -> None:
    world.publish("1.0.0", FILES)
    marks.retire(world.registry, world.owner, world.ref, "1.0.0", "space")
    world.clock.pass_hours(25)
    report = sweep.sweep(world.registry, grace_seconds=0, dry_run=True)
    assert report.deleted == 0 and len(report.plan.delete) == len(world.order("1.0.0", FILES).block_sizes())
    with pytest.raises(NodeDataError):
        sweep.sweep(world.registry, grace_seconds=-1)
