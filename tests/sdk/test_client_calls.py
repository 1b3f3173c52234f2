"""Every other call of the client, on a registry in this process; and the awaited form of all of them."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from nodedata_registry import AsyncNodeData, NodeData, Progress, YankedRevisionWarning, errors
from tests.sdk.weights import write_model, write_weights

MODEL = "acme/grasp"
NAMESPACES = ("accounts", "workspaces", "models", "grants", "retention", "keys", "events")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[NodeData]:
    with NodeData(path=tmp_path / "registry", cache=tmp_path / "cache") as node:
        node.workspaces.create("acme")
        yield node


@pytest.fixture
def two(local: NodeData, tmp_path: Path) -> NodeData:
    """The private model `acme/grasp` with 1.0.0 and 1.0.1."""
    local.models.create(MODEL)
    folder = write_model(tmp_path / "m")
    local.models.create_revision(MODEL, "1.0.0", folder, "First")
    write_weights(folder / "model.safetensors", changed=(1, 2))
    local.models.create_revision(MODEL, "1.0.1", folder, "Tuned")
    return local


def test_a_registry_in_this_process_acts_as_its_owner(local: NodeData) -> None:
    me = local.accounts.me()
    assert me.account.operator
    assert [membership.workspace for membership in me.workspaces] == ["acme"]


def test_the_environments_key_is_ignored_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_DATA_API_KEY", "nd_live_" + "x" * 40)
    with NodeData(path=tmp_path / "registry") as node:
        assert node.accounts.me().account.operator


def test_a_key_that_is_passed_decides_who_acts_in_this_process(local: NodeData, tmp_path: Path) -> None:
    account = local.accounts.create("buyer")
    with NodeData(path=tmp_path / "registry", api_key=account.key) as buyer:
        assert buyer.accounts.me().account.id == account.id
        with pytest.raises(errors.ScopeMissing):
            buyer.accounts.create("another")


def test_an_address_and_a_folder_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequest):
        NodeData("http://127.0.0.1:1", path=tmp_path)


def test_a_closed_client_says_so(tmp_path: Path) -> None:
    node = NodeData(path=tmp_path / "registry")
    node.close()
    node.close()
    with pytest.raises(errors.RegistryUnreachable):
        node.accounts.me()


def test_two_clients_share_a_folder(two: NodeData, tmp_path: Path) -> None:
    with NodeData(path=tmp_path / "registry", cache=tmp_path / "cache") as second:
        assert second.models.resolve(MODEL).resolved == "1.0.1"


def test_downloads_work_in_this_process(two: NodeData, tmp_path: Path) -> None:
    snapshot = two.models.download(MODEL, "1.0.0")
    assert sorted(path.name for path in snapshot.iterdir()) == ["model.safetensors", "model_card.md"]
    assert two.models.download(MODEL, dest=tmp_path / "dest").resolved == "1.0.1"


def test_a_diff_counts_the_scalars_that_changed(two: NodeData) -> None:
    difference = two.models.diff(MODEL, "1.0.0", "1.0.1")
    assert difference.parameters.touched == 2
    assert [tensor.name for tensor in difference.parameters.tensors] == ["layer1", "layer2"]
    assert difference.to_dict()["a"]["version"] == "1.0.0"


def test_a_diff_may_be_watched(two: NodeData) -> None:
    seen: list[Progress] = []
    assert two.models.diff(MODEL, "1.0.0", "latest", progress=seen.append).b.version == "1.0.1"


def test_models_are_found_and_listed(two: NodeData) -> None:
    two.models.create("acme/other")
    assert [model.ref for model in two.models.search("grasp").items] == [MODEL]
    assert {model.ref for model in two.models.list("acme").items} == {MODEL, "acme/other"}
    assert [model.ref for model in two.models.search(task="Grasping", license="apache-2.0").items] == [MODEL]


def test_revisions_are_listed_in_pages(two: NodeData) -> None:
    first = two.models.revisions(MODEL, limit=1)
    assert ([one.version for one in first.items], first.has_more) == (["1.0.1"], True)
    second = two.models.revisions(MODEL, cursor=first.next_cursor, limit=1)
    assert ([one.version for one in second.items], second.has_more) == (["1.0.0"], False)


def test_a_plan_names_the_blocks(two: NodeData) -> None:
    plan = two.models.plan(MODEL, "1.0.0")
    assert all(sum(size for _, size in file.blocks) == file.size_bytes for file in plan.files)


def test_yanks_can_be_taken_back(two: NodeData) -> None:
    assert two.models.yank(MODEL, "^1", "bad").changed == ["1.0.0", "1.0.1"]
    assert two.models.yank(MODEL, "1.0.0", "bad").changed == []
    assert two.models.unyank(MODEL, "^1").changed == ["1.0.0", "1.0.1"]


def test_going_public_needs_the_versions_that_it_publishes(two: NodeData) -> None:
    with pytest.raises(errors.ConfirmationRequired):
        two.models.update_visibility(MODEL, "public")
    model = two.models.update_visibility(MODEL, "public", confirm=["1.0.0", "1.0.1"])
    assert model.visibility == "public"


def test_holds_and_quarantines_are_put_and_lifted(two: NodeData) -> None:
    assert two.models.hold(MODEL, "1.0.0", "in the field").held is not None
    assert two.models.unhold(MODEL, "1.0.0").held is None
    assert two.models.quarantine(MODEL, "1.0.0", "leaked").quarantined is not None
    assert two.models.unquarantine(MODEL, "1.0.0").quarantined is None


def test_a_private_revision_can_be_retired(two: NodeData) -> None:
    assert two.models.retire(MODEL, "1.0.0", "obsolete").retired is not None
    with pytest.raises(errors.RevisionRetired):
        two.models.download(MODEL, "1.0.0")


def test_retention_is_previewed_then_applied(two: NodeData) -> None:
    two.workspaces.set_retention("acme", {"keep_last": 1})
    preview = two.retention.preview("acme")
    assert {item.version: item.action for item in preview.items} == {"1.0.0": "retire", "1.0.1": "keep"}
    with pytest.raises(errors.PreviewChanged):
        two.retention.apply("acme", "0" * 64)
    assert two.retention.apply("acme", preview.digest).retired == ["acme/grasp@1.0.0"]


def test_an_unknown_keep_rule_is_refused(local: NodeData) -> None:
    with pytest.raises(errors.InvalidRequest):
        local.workspaces.set_retention("acme", {"keep_first": 1})


def test_members_get_roles_and_lose_them(local: NodeData) -> None:
    account = local.accounts.create("colleague")
    assert local.workspaces.put_member("acme", account.id, "publisher").role == "publisher"
    assert account.id in {member.account_id for member in local.workspaces.members("acme").items}
    local.workspaces.remove_member("acme", account.id)
    assert account.id not in {member.account_id for member in local.workspaces.members("acme").items}
    assert [workspace.slug for workspace in local.workspaces.list().items] == ["acme"]
    assert local.workspaces.get("acme").role == "owner"


def test_a_grant_lets_a_buyer_read_and_nothing_else(two: NodeData, tmp_path: Path) -> None:
    buyer = two.accounts.create("buyer")
    with NodeData(path=tmp_path / "registry", api_key=buyer.key, cache=tmp_path / "buyer") as outside:
        with pytest.raises(errors.ModelNotFound):
            outside.models.download(MODEL)
        two.grants.put(MODEL, buyer.id, datetime.now(timezone.utc) + timedelta(hours=1))
        assert outside.models.download(MODEL).resolved == "1.0.1"
        with pytest.raises(errors.ScopeMissing):
            outside.models.yank(MODEL, "1.0.0", "no")
        two.grants.revoke(MODEL, buyer.id)
        with pytest.raises(errors.ModelNotFound):
            outside.models.download(MODEL)
    assert [grant.account_id for grant in two.grants.list(MODEL).items] == [buyer.id]


def test_a_key_can_be_narrowed_and_revoked(local: NodeData, tmp_path: Path) -> None:
    key = local.keys.create("ci", scopes=["models:read"], workspace="acme")
    assert key.id in {one.id for one in local.keys.list().items}
    with NodeData(path=tmp_path / "registry", api_key=key.key) as narrow:
        with pytest.raises(errors.ScopeMissing):
            narrow.models.create("acme/y")
        local.keys.revoke(key.id)
        with pytest.raises(errors.NotAuthenticated):
            narrow.accounts.me()


def test_events_go_on_from_their_cursor(two: NodeData) -> None:
    first = two.events.list(limit=2)
    assert len(first.items) == 2
    rest = two.events.list(cursor=first.next_cursor)
    assert not {event.id for event in first.items} & {event.id for event in rest.items}
    assert two.events.list(cursor=rest.next_cursor).items == []


def test_what_calls_return_mirrors_the_json(two: NodeData) -> None:
    answer = two.models.resolve(MODEL, "^1")
    assert answer.to_dict()["resolved"] == answer.resolved == "1.0.1"
    assert two.models.get(MODEL).to_dict()["ref"] == MODEL


# --- awaited ---


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_the_awaited_client_has_the_same_names_and_signatures(
    local: NodeData, tmp_path: Path, namespace: str
) -> None:
    sync = type(getattr(local, namespace))
    other = AsyncNodeData(path=tmp_path / "registry")
    awaited = type(getattr(other, namespace))
    asyncio.run(other.close())
    names = {name for name in vars(sync) if not name.startswith("_")}
    assert names == {name for name in dir(awaited) if not name.startswith("_")}
    for name in names:
        ours, theirs = getattr(awaited, name), getattr(sync, name)
        assert inspect.iscoroutinefunction(ours)
        assert inspect.signature(ours) == inspect.signature(theirs)
        assert inspect.getdoc(ours) == inspect.getdoc(theirs)


def test_both_clients_are_made_alike() -> None:
    assert inspect.signature(AsyncNodeData) == inspect.signature(NodeData)


def test_calls_can_be_awaited_together(two: NodeData, tmp_path: Path) -> None:
    async def work() -> list[str]:
        async with AsyncNodeData(path=tmp_path / "registry", cache=tmp_path / "cache") as node:
            found = await asyncio.gather(*(node.models.download(MODEL, pin) for pin in ("1.0.0", "1.0.1")))
            return [snapshot.resolved for snapshot in found]

    assert asyncio.run(work()) == ["1.0.0", "1.0.1"]


def test_a_warning_of_an_awaited_call_points_at_the_await(two: NodeData, tmp_path: Path) -> None:
    two.models.yank(MODEL, "1.0.0", "bad")

    async def work() -> None:
        async with AsyncNodeData(path=tmp_path / "registry", cache=tmp_path / "cache") as node:
            await node.models.download(MODEL, "1.0.0")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(work())
    found = [warning for warning in caught if warning.category is YankedRevisionWarning]
    assert [warning.filename for warning in found] == [__file__]
