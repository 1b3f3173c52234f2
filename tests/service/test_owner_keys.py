"""The owner's first key, whichever process opens a folder first; and that every key is on record."""

from __future__ import annotations

from pathlib import Path

from nodedata_registry.server.app import open_local
from nodedata_registry.server.service import accounts, identify
from tests.service.conftest import closed, opened
from tests.service.worlds import World

KEY = "nd_live_" + "k" * 32


def test_a_folder_first_used_in_process_still_gets_its_owner_key_when_served(tmp_path: Path) -> None:
    open_local(tmp_path).close()
    registry, _ = opened(tmp_path)
    started = accounts.first_start(registry, KEY)
    assert started.owner_key == KEY
    assert identify.identify(registry, KEY).account_id == identify.owner_caller(registry).account_id
    assert accounts.first_start(registry, None).owner_key is None
    closed(registry)


def test_a_first_key_made_in_process_is_the_owners_key(tmp_path: Path) -> None:
    local = open_local(tmp_path)
    owner = identify.owner_caller(local.opened.registry)
    accounts.create_key(local.opened.registry, owner, accounts.KeyWish())
    local.close()
    registry, _ = opened(tmp_path)
    assert accounts.first_start(registry, None).owner_key is None
    closed(registry)


def test_opening_in_process_again_changes_nothing(tmp_path: Path) -> None:
    open_local(tmp_path).close()
    before = open_local(tmp_path)
    owner = identify.owner_caller(before.opened.registry)
    before.close()
    after = open_local(tmp_path)
    assert identify.owner_caller(after.opened.registry) == owner
    after.close()


def test_the_first_key_of_an_account_is_on_record(world: World) -> None:
    made, _ = accounts.create_account(world.registry, world.owner, "buyer", operator=False)
    with world.registry.catalog.read() as tx:
        (key,) = tx.accounts.keys_of(made.id)
        kinds = {row.kind for row in tx.events.after(0, 100) if key.id.encode() in row.canonical}
    assert kinds == {"key.created"}
