"""Imported revisions: the gate's findings are recorded and not enforced; every other rule holds."""

from __future__ import annotations

import pytest

from nodedata_registry.core.imported import Imported
from nodedata_registry.errors import (
    InvalidCard,
    InvalidRequest,
    NothingChanged,
    ScopeMissing,
    VersionNotSuccessor,
    VersionTooLow,
)
from nodedata_registry.server import render
from nodedata_registry.server.service import publish, resolve
from nodedata_registry.server.service.publish import Checked
from tests.service.worlds import World, card, safetensors

FROM_GIT = Imported("git", "https://git.example/acme/grasp.git@v1.0.1")
FIRST = {"model_card.md": card(license="mit"), "a.safetensors": safetensors({"w": [1.0]})}
RELICENSED = {"model_card.md": card(license="apache-2.0"), "a.safetensors": safetensors({"w": [2.0]})}


@pytest.fixture
def begun(world: World) -> World:
    world.publish("1.0.0", FIRST)
    return world


def test_a_bump_that_is_too_low_is_recorded_and_not_refused(begun: World) -> None:
    with pytest.raises(VersionTooLow):
        begun.publish("1.0.1", RELICENSED)
    view = begun.publish("1.0.1", RELICENSED, imported=FROM_GIT)
    assert view.verdict.imported == FROM_GIT
    assert not view.verdict.ok
    assert "license_changed" in {one.code for base in view.verdict.bases for one in base.findings}


def test_what_was_imported_is_told_for_ever(begun: World) -> None:
    begun.publish("1.0.1", RELICENSED, imported=FROM_GIT)
    found = resolve.resolve(begun.registry, begun.owner, begun.ref, "1.0.1")
    shown = render.revision(found.view).verdict.imported
    assert shown is not None
    assert (shown.source, shown.reference) == ("git", FROM_GIT.reference)
    assert begun.body(begun.events()[-1])["imported"] == {"source": "git", "reference": FROM_GIT.reference}


def test_a_revision_of_ones_own_says_nothing_of_an_import(begun: World) -> None:
    assert "imported" not in begun.body(begun.events()[-1])
    view = resolve.resolve(begun.registry, begun.owner, begun.ref, "1.0.0").view
    assert render.revision(view).verdict.imported is None


def test_a_dry_run_tells_the_findings_of_an_import(begun: World) -> None:
    order = begun.order("1.0.1", RELICENSED, imported=FROM_GIT)
    checked = publish.check(begun.registry, begun.owner, begun.ref, order)
    assert isinstance(checked, Checked)
    assert checked.examined.verdict.imported == FROM_GIT
    assert not checked.examined.verdict.ok


def test_an_import_follows_the_order_of_versions_all_the_same(begun: World) -> None:
    begun.publish("1.2.0", RELICENSED, imported=FROM_GIT, allow_gap=True)
    late = {"a.safetensors": safetensors({"w": [3.0]})}
    with pytest.raises(VersionNotSuccessor):
        begun.publish("1.1.0", late, imported=FROM_GIT, allow_gap=True)


def test_an_import_needs_a_card_that_passes_and_something_new(begun: World) -> None:
    with pytest.raises(InvalidCard):
        begun.publish("1.0.1", {"model_card.md": card(license="no-such")}, imported=FROM_GIT)
    with pytest.raises(NothingChanged):
        begun.publish("1.0.1", FIRST, imported=FROM_GIT)


def test_an_import_takes_an_owner_as_accepting_findings_does(begun: World) -> None:
    publisher, owner = begun.account("p", "publisher"), begun.account("o", "owner")
    with pytest.raises(ScopeMissing):
        begun.publish("1.0.1", RELICENSED, caller=publisher, imported=FROM_GIT)
    assert begun.publish("1.0.1", RELICENSED, caller=owner, imported=FROM_GIT).verdict.imported


@pytest.mark.parametrize(
    "imported",
    [
        Imported("", "x"),
        Imported("Git", "x"),
        Imported("g" * 21, "x"),
        Imported("git", " "),
        Imported("git", "a\nb"),
        Imported("git", "x" * 501),
    ],
)
def test_a_record_that_is_no_line_is_refused(begun: World, imported: Imported) -> None:
    with pytest.raises(InvalidRequest) as caught:
        begun.publish("1.0.1", RELICENSED, imported=imported)
    assert caught.value.field == "imported"


def test_the_same_import_again_gives_the_revision_that_is_there(begun: World) -> None:
    first = begun.publish("1.0.1", RELICENSED, imported=FROM_GIT)
    assert begun.publish("1.0.1", RELICENSED, imported=FROM_GIT).row.id == first.row.id
