"""Search finds what a caller may see; and no text or number of a caller upsets the catalog."""

from __future__ import annotations

from typing import TypedDict, Unpack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidRequest
from nodedata_registry.server.ports import Catalog
from nodedata_registry.server.rows import ContentRow, ModelRow
from tests.contracts.catalog_world import World

HEX = "ab" * 32


class Filters(TypedDict, total=False):
    """What else a search may ask for."""

    task: str
    framework: str
    license: str
    workspace_id: str
    after: str


def found(world: World, query: str = "", **more: Unpack[Filters]) -> list[str]:
    """Return the names that an operator finds."""
    with world.catalog.read() as tx:
        rows = tx.models.search(
            visible_workspaces=None, visible_models=(), include_public=True, query=query, **more
        )
    return [row.model.name for row in rows]


@pytest.fixture
def zoo(world: World) -> dict[str, ModelRow]:
    """Three models, `walk` changed last."""
    acme = world.workspace("acme")
    models = {name: world.model(name, acme) for name in ("grasp-policy-v2", "run", "walk")}
    said = {
        "grasp-policy-v2": ({"title": "Grasping for Ünïtree", "license": "MIT"}, "Opens drawers."),
        "run": ({"title": "Running", "task": "Locomotion", "framework": "ONNX"}, "Falls seldom; no grasp."),
        "walk": ({"title": "Walking", "task": "locomotion", "license": "Apache-2.0"}, "Falls often."),
    }
    with world.catalog.write() as tx:
        for name, (fields, card) in said.items():
            tx.models.put_summary(world.summary(models[name], **fields), card)
    return models


def test_a_new_model_is_listed_before_anything_is_said_of_it(world: World) -> None:
    walk = world.model("walk", world.workspace())
    with world.catalog.read() as tx:
        summary = tx.models.summary(walk.id)
        assert summary is not None and (summary.latest, summary.revision_count) == (None, 0)
        assert tx.models.summary("mdl_none") is None
    assert found(world, "walk") == ["walk"]


def test_a_summary_comes_back_as_it_was_put(world: World) -> None:
    walk = world.model("walk", world.workspace())
    summary = world.summary(walk, title="Walking", license="MIT", task="Locomotion", framework="ONNX")
    with world.catalog.write() as tx:
        tx.models.put_summary(summary, "text")
        assert tx.models.summary(walk.id) == summary


@pytest.mark.usefixtures("zoo")
def test_without_a_query_the_newest_change_comes_first(world: World) -> None:
    assert found(world) == found(world, "  ") == ["walk", "run", "grasp-policy-v2"]


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("grasp", ["grasp-policy-v2", "run"]),
        ("gra pol", ["grasp-policy-v2"]),
        ("grasp-policy", ["grasp-policy-v2"]),
        ("unitree", ["grasp-policy-v2"]),
        ("ACME walk", ["walk"]),
        ("falls", ["walk", "run"]),
        ("falls AND often", []),
        ("!?*", []),
        ("\0grasp\0drawers", ["grasp-policy-v2"]),
    ],
)
def test_every_word_of_a_query_must_begin_some_word(world: World, query: str, names: list[str]) -> None:
    assert sorted(found(world, query)) == sorted(names)


@pytest.mark.usefixtures("zoo")
def test_a_name_ranks_above_a_mention(world: World) -> None:
    assert found(world, "grasp")[0] == "grasp-policy-v2"


@pytest.mark.usefixtures("zoo")
def test_filters_compare_case_folded(world: World) -> None:
    assert found(world, task="LOCOMOTION") == ["walk", "run"]
    assert found(world, "falls", framework="onnx") == ["run"]
    assert found(world, license="apache-2.0") == ["walk"]
    assert found(world, workspace_id="ws_none") == []


def test_what_was_said_before_is_not_found_any_more(world: World, zoo: dict[str, ModelRow]) -> None:
    with world.catalog.write() as tx:
        tx.models.put_summary(world.summary(zoo["walk"], title="Strolling"), "Falls never.")
    assert found(world, "often") == []
    assert found(world, "stroll") == ["walk"]


def test_callers_find_what_they_may_see(world: World) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    world.model("open", acme, "public")
    secret = world.model("secret", acme)
    world.model("hidden", bolt)
    with world.catalog.read() as tx:

        def names(workspaces: list[str], models: list[str], public: bool) -> set[str]:
            rows = tx.models.search(
                visible_workspaces=workspaces, visible_models=models, include_public=public
            )
            return {row.model.name for row in rows}

        assert names([], [], True) == {"open"}
        assert names([], [], False) == set()
        assert names([bolt.id], [], True) == {"open", "hidden"}
        assert names([], [secret.id], False) == {"secret"}
        assert names([acme.id], [], False) == {"open", "secret"}


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize("query", ["", "acme"])
def test_pages_join_to_the_whole(world: World, query: str) -> None:
    whole, pages, after = found(world, query), [], None
    with world.catalog.read() as tx:
        while True:
            page = tx.models.search(
                visible_workspaces=None,
                visible_models=(),
                include_public=True,
                query=query,
                after=after,
                limit=1,
            )
            if not page:
                break
            pages.append(page[0].model.name)
            after = page[0].model.id
    assert pages == whole
    assert len(whole) == 3


@pytest.mark.parametrize("query", ["", "acme"])
def test_behind_no_model_there_is_nothing(world: World, query: str, zoo: dict[str, ModelRow]) -> None:
    assert len(zoo) == 3
    assert found(world, query, after="mdl_none") == []


AWKWARD = st.text(st.sampled_from('"*()-+^:{}\\\0\n ANDORNEAR\ud800é我🤖a1'), max_size=40)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(AWKWARD | st.text(max_size=40))
def test_any_text_is_a_valid_query(world: World, query: str) -> None:
    found(world, query)


@pytest.mark.parametrize(
    "query", ['"' * 5000, "a " * 5000, "a-" * 5000, "NEAR(a b", "title:walk", "(((", "a*b"]
)
def test_texts_that_mean_something_to_fts_are_mere_words(world: World, query: str) -> None:
    found(world, query)


def test_any_card_can_be_indexed(world: World) -> None:
    walk = world.model("walk", world.workspace())
    with world.catalog.write() as tx:
        tx.models.put_summary(world.summary(walk), "a\0b \ud800 drawers " + "x" * 1_000_000)
    assert found(world, "drawers") == ["walk"]


def test_positions_beyond_64_bits_are_positions_too(world: World) -> None:
    walk = world.model("walk", world.workspace())
    world.publish(walk, "1.0.0")
    with world.catalog.write() as tx:
        tx.events.append(world.event())
        assert tx.events.after(10**30, 10) == []
        assert len(tx.events.after(-(10**30), 10**30)) == 1
        assert len(tx.revisions.list(walk.id, before=10**30, limit=10**30)) == 1
        assert tx.revisions.list(walk.id, before=-(10**30)) == []


def test_a_number_beyond_64_bits_is_refused_before_the_database(world: World) -> None:
    with pytest.raises(InvalidRequest, match="too large"), world.catalog.write() as tx:
        tx.contents.add(ContentRow(HEX, 2**64, 1, ()))
    with pytest.raises(InvalidRequest), world.catalog.read() as tx:
        tx.revisions.get("mdl_0", Version(2**70, 0, 0))


def test_ids_of_any_text_are_merely_unknown(catalog: Catalog) -> None:
    with catalog.read() as tx:
        for text in ("", "' OR 1=1 --", "\0", "mdl_\0", "x" * 100_000, "\U0001f916"):
            assert tx.models.get(text) is None
            assert tx.models.by_ref(text, text) is None
            assert tx.accounts.key_by_secret(text) is None
