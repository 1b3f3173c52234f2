"""Accounts, keys, members, grants, search and events: who may do and see what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from nodedata_registry.core.access import ANONYMOUS, Caller, Role
from nodedata_registry.errors import (
    AccountNotFound,
    InvalidName,
    InvalidRequest,
    KeyNotFound,
    ModelNotFound,
    NameTaken,
    NotAllowedNow,
    NotAuthenticated,
    ScopeMissing,
    WorkspaceNotFound,
)
from nodedata_registry.server.service import accounts, events, models, resolve, workspaces, yank
from nodedata_registry.server.service.accounts import KeyWish
from nodedata_registry.server.service.identify import identify, owner_caller
from tests.service.worlds import CARD, World, card, safetensors

REF = "acme/grasp"
FIRST = {"model_card.md": CARD, "model.safetensors": safetensors({"w": [1.0] * 8})}


def with_key(world: World, caller: Caller, **wish: object) -> Caller:
    """Return the caller of a new key."""
    issued = accounts.create_key(world.registry, caller, KeyWish(**wish))  # type: ignore[arg-type]
    return identify(world.registry, issued.secret)


def reads(world: World, caller: Caller, ref: str = REF) -> bool:
    try:
        resolve.list_revisions(world.registry, caller, ref)
    except ModelNotFound:
        return False
    return True


# --- the first start and accounts ---------------------------------------------------------------


def test_the_owner_key_counts_at_the_first_start_only(world: World) -> None:
    again = accounts.first_start(world.registry, "nd_live_" + "z" * 40)
    assert again.owner_key is None
    assert again.warning is not None and "first start only" in again.warning
    with pytest.raises(NotAuthenticated):
        identify(world.registry, "nd_live_" + "z" * 40)
    assert accounts.first_start(world.registry, world.owner_key).warning is None
    assert accounts.first_start(world.registry, None).warning is None


def test_an_owner_key_of_another_shape_is_refused(world: World) -> None:
    with pytest.raises(InvalidRequest):
        accounts.first_start(world.registry, "password")


def test_keys_are_stored_hashed_and_nowhere_else(world: World) -> None:
    _, secret = accounts.create_account(world.registry, world.owner, "ann", operator=False)
    for file in world.folder.glob("registry.db*"):
        assert secret.encode() not in file.read_bytes()
        assert world.owner_key.encode() not in file.read_bytes()


def test_only_operators_create_accounts(world: World) -> None:
    with pytest.raises(ScopeMissing):
        accounts.create_account(world.registry, world.account("ann"), "bob", operator=False)
    with pytest.raises(NotAuthenticated):
        accounts.create_account(world.registry, ANONYMOUS, "bob", operator=True)


@pytest.mark.parametrize("name", ["", "   ", "x" * 97, "bell\a"])
def test_an_accounts_name_is_printable_and_short(world: World, name: str) -> None:
    with pytest.raises(InvalidRequest):
        accounts.create_account(world.registry, world.owner, name, operator=False)


def test_the_in_process_owner_is_owner_of_every_workspace(world: World) -> None:
    other = world.account("omar")
    workspaces.create_workspace(world.registry, other, "other")
    models.create_model(world.registry, world.again(other), "other/m", "private")
    assert reads(world, owner_caller(world.registry), "other/m")


# --- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bearer", ["", "nonsense", "nd_live_" + "0" * 40, "\ud800"])
def test_a_bad_key_is_not_authenticated_even_for_public_models(world: World, bearer: str) -> None:
    with pytest.raises(NotAuthenticated):
        identify(world.registry, bearer)


def test_a_revoked_key_stops_at_once_and_revoking_repeats(world: World) -> None:
    issued = accounts.create_key(world.registry, world.owner, KeyWish(name="ci"))
    accounts.revoke_key(world.registry, world.owner, issued.row.id)
    with pytest.raises(NotAuthenticated, match="revoked"):
        identify(world.registry, issued.secret)
    count = len(world.events())
    accounts.revoke_key(world.registry, world.owner, issued.row.id)
    assert len(world.events()) == count


def test_an_expired_key_stops_at_its_moment(world: World) -> None:
    until = world.clock.now + timedelta(hours=1)
    issued = accounts.create_key(world.registry, world.owner, KeyWish(expires_at=until))
    assert identify(world.registry, issued.secret).account_id == world.owner.account_id
    world.clock.pass_hours(1)
    with pytest.raises(NotAuthenticated, match="expired"):
        identify(world.registry, issued.secret)


def test_a_key_that_would_be_expired_already_is_refused(world: World) -> None:
    with pytest.raises(InvalidRequest):
        accounts.create_key(world.registry, world.owner, KeyWish(expires_at=world.clock.now))


def test_a_key_narrowed_to_reading_reads_and_does_nothing_else(world: World) -> None:
    world.publish("1.0.0", FIRST)
    reader = with_key(world, world.owner, scopes=("models:read",))
    assert reads(world, reader)
    with pytest.raises(ScopeMissing):
        world.publish("1.0.1", {"n.txt": b"1"}, caller=reader)
    with pytest.raises(ScopeMissing):
        yank.yank(world.registry, reader, REF, "1.0.0", "bad")
    with pytest.raises(ScopeMissing):
        workspaces.create_workspace(world.registry, reader, "more")


def test_a_key_narrowed_to_a_workspace_or_model_sees_nothing_beside_it(world: World) -> None:
    workspaces.create_workspace(world.registry, world.owner, "second")
    owner = world.again(world.owner)
    models.create_model(world.registry, owner, "second/m", "private")
    models.create_model(world.registry, owner, "acme/other", "private")
    bound = with_key(world, owner, workspace="second")
    assert (reads(world, bound, "second/m"), reads(world, bound)) == (True, False)
    single = with_key(world, owner, model=REF)
    assert (reads(world, single), reads(world, single, "acme/other")) == (True, False)
    with pytest.raises(ScopeMissing):
        models.create_model(world.registry, single, "acme/third", "private")


def test_a_narrow_key_can_neither_make_nor_revoke_a_wider_one(world: World) -> None:
    wide = accounts.create_key(world.registry, world.owner, KeyWish())
    narrow = accounts.create_key(world.registry, world.owner, KeyWish(scopes=("models:read",)))
    caller = identify(world.registry, narrow.secret)
    with pytest.raises(ScopeMissing):
        accounts.create_key(world.registry, caller, KeyWish(scopes=("models:upload",)))
    with pytest.raises(ScopeMissing):
        accounts.revoke_key(world.registry, caller, wide.row.id)
    accounts.revoke_key(world.registry, caller, narrow.row.id)
    with pytest.raises(NotAuthenticated):
        identify(world.registry, narrow.secret)


def test_keys_of_others_are_not_found(world: World) -> None:
    issued = accounts.create_key(world.registry, world.owner, KeyWish())
    stranger = world.account("stranger")
    with pytest.raises(KeyNotFound):
        accounts.revoke_key(world.registry, stranger, issued.row.id)
    assert issued.row.id not in {row.id for row in accounts.list_keys(world.registry, stranger)}


# --- workspaces and members ---------------------------------------------------------------------


@pytest.mark.parametrize("slug", ["api", "login", "main", "Acme", "-x", "a--b", "mdl_1", "x.git", ""])
def test_reserved_and_malformed_names_are_refused(world: World, slug: str) -> None:
    with pytest.raises(InvalidName):
        workspaces.create_workspace(world.registry, world.owner, slug)


def test_a_name_and_its_look_alikes_are_given_once(world: World) -> None:
    with pytest.raises(NameTaken):
        workspaces.create_workspace(world.registry, world.owner, "acme")
    models.create_model(world.registry, world.owner, "acme/grasp-v2", "private")
    for name in ("grasp.v2", "grasp_v2"):
        with pytest.raises(NameTaken):
            models.create_model(world.registry, world.owner, f"acme/{name}", "private")


def test_the_last_owner_stays(world: World) -> None:
    owner = world.owner.account_id or ""
    with pytest.raises(NotAllowedNow):
        workspaces.remove_member(world.registry, world.owner, "acme", owner)
    with pytest.raises(NotAllowedNow):
        workspaces.put_member(world.registry, world.owner, "acme", owner, Role.READER)
    second = world.account("second", "owner")
    workspaces.remove_member(world.registry, second, "acme", owner)
    with pytest.raises(ModelNotFound):
        resolve.list_revisions(world.registry, replace(world.again(world.owner), operator=False), REF)


def test_only_owners_change_members(world: World) -> None:
    publisher = world.account("pia", "publisher")
    with pytest.raises(ScopeMissing):
        workspaces.put_member(world.registry, publisher, "acme", publisher.account_id or "", Role.OWNER)
    with pytest.raises(AccountNotFound):
        workspaces.put_member(world.registry, world.owner, "acme", "usr_absent", Role.READER)


def test_a_workspace_without_a_visible_model_does_not_exist_for_strangers(world: World) -> None:
    stranger = world.account("stranger")
    for caller in (stranger, ANONYMOUS):
        with pytest.raises(WorkspaceNotFound):
            workspaces.get_workspace(world.registry, caller, "acme")
        with pytest.raises(WorkspaceNotFound):
            models.search_models(world.registry, caller, workspace="acme")
    models.create_model(world.registry, world.owner, "acme/open", "public")
    assert workspaces.get_workspace(world.registry, stranger, "acme")[1] is None


# --- grants -------------------------------------------------------------------------------------


def test_a_buyer_reads_the_granted_model_and_nothing_else(world: World) -> None:
    world.publish("1.0.0", FIRST)
    models.create_model(world.registry, world.owner, "acme/secret", "private")
    buyer = world.account("buyer")
    models.put_grant(world.registry, world.owner, REF, buyer.account_id or "", None)
    buyer = world.again(buyer)
    assert (reads(world, buyer), reads(world, buyer, "acme/secret")) == (True, False)
    with pytest.raises(ScopeMissing):
        yank.yank(world.registry, buyer, REF, "1.0.0", "bad")
    with pytest.raises(ScopeMissing):
        models.list_grants(world.registry, buyer, REF)
    assert [one.model.ref for one in models.search_models(world.registry, buyer).items] == [REF]


def test_a_grant_ends_when_it_expires_or_is_revoked(world: World) -> None:
    buyer = world.account("buyer")
    account = buyer.account_id or ""
    models.put_grant(world.registry, world.owner, REF, account, world.clock.now + timedelta(hours=1))
    assert reads(world, world.again(buyer))
    world.clock.pass_hours(1)
    assert not reads(world, world.again(buyer))
    models.put_grant(world.registry, world.owner, REF, account, None)
    assert reads(world, world.again(buyer))
    models.revoke_grant(world.registry, world.owner, REF, account)
    assert not reads(world, world.again(buyer))
    with pytest.raises(InvalidRequest):
        models.put_grant(world.registry, world.owner, REF, account, world.clock.now)


# --- search -------------------------------------------------------------------------------------


def shelf(world: World) -> None:
    """A public and a private model that both speak of grasping."""
    world.publish(
        "1.0.0", {**FIRST, "model_card.md": card("# secret gripper", license="mit", task="grasping")}
    )
    models.create_model(world.registry, world.owner, "acme/open", "public")
    opened = replace(world, ref="acme/open")
    opened.publish(
        "1.0.0", {**FIRST, "model_card.md": card("# open gripper", license="mit", task="Grasping")}
    )


def found(world: World, caller: Caller, **query: str) -> list[str]:
    page = models.search_models(world.registry, caller, limit=1, **query)
    refs = [one.model.ref for one in page.items]
    while page.has_more:
        page = models.search_models(world.registry, caller, limit=1, cursor=page.next_cursor, **query)
        refs += [one.model.ref for one in page.items]
    return sorted(refs)


@pytest.mark.parametrize("query", [{}, {"query": "gripper"}, {"task": "GRASPING"}, {"license": "MIT"}])
def test_search_shows_strangers_public_models_and_no_trace_of_private_ones(
    world: World, query: dict[str, str]
) -> None:
    shelf(world)
    for caller in (ANONYMOUS, world.account("stranger")):
        assert found(world, caller, **query) == ["acme/open"]
    assert found(world, world.owner, **query) == [REF, "acme/open"]
    assert found(world, world.account("rita", "reader"), **query) == [REF, "acme/open"]


def test_a_word_that_only_private_cards_have_finds_nothing(world: World) -> None:
    shelf(world)
    assert found(world, ANONYMOUS, query="secret") == []
    assert found(world, world.owner, query="secret") == [REF]


def test_a_registry_that_requires_keys_shows_nothing_without_one(world: World) -> None:
    shelf(world)
    registry = replace(world.registry, require_key=True)
    assert models.search_models(registry, ANONYMOUS).items == []
    with pytest.raises(NotAuthenticated):
        resolve.resolve(registry, ANONYMOUS, "acme/open", "latest")
    assert resolve.resolve(registry, world.account("stranger"), "acme/open", "latest")


@pytest.mark.parametrize("query", ['"', "a OR", "NEAR(", "*", "(", "x" * 5000, "\x00", "-", "col:x"])
def test_any_text_is_a_query(world: World, query: str) -> None:
    models.search_models(world.registry, world.owner, query=query)


# --- events -------------------------------------------------------------------------------------


def kinds(world: World, caller: Caller) -> list[str]:
    page = events.list_events(world.registry, caller, limit=2)
    seen = [view.row.kind for view in page.items]
    while page.has_more:
        page = events.list_events(world.registry, caller, cursor=page.next_cursor, limit=2)
        seen += [view.row.kind for view in page.items]
    return seen


def test_events_of_a_private_model_stay_with_those_who_see_it(world: World) -> None:
    world.publish("1.0.0", FIRST)
    buyer = world.account("buyer")
    models.put_grant(world.registry, world.owner, REF, buyer.account_id or "", None)
    assert kinds(world, world.account("stranger")) == []
    assert kinds(world, ANONYMOUS) == []
    assert kinds(world, world.again(buyer)) == ["model.created", "revision.published"]


def test_grant_key_and_member_events_stay_with_the_workspace(world: World) -> None:
    models.create_model(world.registry, world.owner, "acme/open", "public")
    buyer = world.account("buyer")
    models.put_grant(world.registry, world.owner, "acme/open", buyer.account_id or "", None)
    reader = world.account("rita", "reader")
    assert "grant.put" in kinds(world, reader) and "member.put" in kinds(world, reader)
    for caller in (ANONYMOUS, world.again(buyer)):
        assert kinds(world, caller) == ["model.created"]
    assert "key.created" not in kinds(world, reader)
    assert "key.created" in kinds(world, world.owner)


def test_a_bound_key_sees_the_events_of_its_model_only(world: World) -> None:
    models.create_model(world.registry, world.owner, "acme/other", "private")
    world.publish("1.0.0", FIRST)
    bound = with_key(world, world.owner, model=REF, scopes=("models:read",))
    assert kinds(world, bound) == ["model.created", "revision.published"]


def test_cursors_tell_strangers_nothing_and_polling_goes_on(world: World) -> None:
    stranger = world.account("stranger")
    before = events.list_events(world.registry, stranger)
    again = events.list_events(world.registry, stranger, cursor=before.next_cursor)
    assert before.items == again.items == []
    # Two cursors for one place differ, so a difference does not tell that something happened.
    assert before.next_cursor != again.next_cursor
    models.create_model(world.registry, world.owner, "acme/open", "public")
    after = events.list_events(world.registry, stranger, cursor=again.next_cursor)
    assert [view.row.kind for view in after.items] == ["model.created"]


@pytest.mark.parametrize("cursor", ["", "1", "evt_00000000000000000000000000", "A" * 32, "ä", "x" * 5000])
def test_a_cursor_that_was_not_given_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        events.list_events(world.registry, world.owner, cursor=cursor)


def test_events_show_names_and_versions(world: World) -> None:
    world.publish("1.0.0", FIRST)
    last = events.list_events(world.registry, world.owner, limit=100).items[-1]
    assert (last.workspace, last.model, last.version) == ("acme", REF, "1.0.0")
