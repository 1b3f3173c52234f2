"""Every rule of a publish: their order, retries, parents, bases and what owners may accept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import pytest

from nodedata_registry.core.access import ANONYMOUS, Caller
from nodedata_registry.core.bump import Bump
from nodedata_registry.errors import (
    CardRequired,
    InvalidCard,
    InvalidParent,
    InvalidPath,
    InvalidReason,
    InvalidRequest,
    InvalidVersion,
    InvalidWeights,
    ModelNotFound,
    NodeDataError,
    NotAuthenticated,
    NothingChanged,
    RevisionNotFound,
    SchemaMismatch,
    ScopeMissing,
    TooLarge,
    VersionExists,
    VersionGap,
    VersionNotSuccessor,
    VersionTooLow,
)
from nodedata_registry.server.service import marks, models, publish, yank
from nodedata_registry.server.service.identify import identify
from nodedata_registry.server.service.publish import Checked
from nodedata_registry.server.service.views import RevisionView
from tests.service.conftest import closed, opened
from tests.service.worlds import CARD, World, card, order_file, safetensors

REF = "acme/grasp"
ONES = safetensors({"w": [1.0] * 8})
TWOS = safetensors({"w": [2.0] * 8})
CONFIG = json.dumps(
    {
        "type": "act",
        "input_features": {"observation.state": {"type": "STATE", "shape": [8]}},
        "output_features": {"action": {"type": "ACTION", "shape": [4]}},
    }
).encode()
FIRST: Mapping[str, bytes] = {"model_card.md": CARD, "model.safetensors": ONES, "config.json": CONFIG}
BAD_CARD = b"---\nname: no licence\n---\n"
CONTRADICTING = card(
    license="apache-2.0",
    inputs="{observation.state: [9]}",
    outputs="{action: [4]}",
)


# --- the order of checks ------------------------------------------------------------------------


@dataclass
class Attempt:
    """A publish of 1.0.1 over 1.0.0 that would pass, until faults are put into it."""

    world: World
    caller: Caller
    version: str = "1.0.1"
    parent: str | None = None
    require_key: bool = False
    files: dict[str, bytes] = field(default_factory=lambda: {"model.safetensors": TWOS})

    def open(self) -> object:
        order = publish.PublishOrder(
            version=self.version,
            files=tuple(order_file(path, data) for path, data in self.files.items()),
            changelog="another try",
            parent=self.parent,
        )
        registry = replace(self.world.registry, require_key=self.require_key)
        return publish.open_upload(registry, self.caller, REF, order)


@dataclass(frozen=True)
class Fault:
    """What one rule refuses; two faults can be put into one publish unless they touch the same part."""

    rule: str
    touches: frozenset[str]
    put: Callable[[Attempt], None]
    error: type[NodeDataError]


def _anonymous(attempt: Attempt) -> None:
    attempt.caller, attempt.require_key = ANONYMOUS, True


def _stranger(attempt: Attempt) -> None:
    attempt.caller = attempt.world.account("stranger")


def _reader(attempt: Attempt) -> None:
    attempt.caller = attempt.world.account("reader", "reader")


def _version(text: str) -> Callable[[Attempt], None]:
    return lambda attempt: setattr(attempt, "version", text)


def _parent(attempt: Attempt) -> None:
    attempt.parent = "0.9.9"


def _file(path: str, data: bytes) -> Callable[[Attempt], None]:
    return lambda attempt: attempt.files.__setitem__(path, data)


def _nothing(attempt: Attempt) -> None:
    attempt.files = dict(FIRST)


FAULTS = (
    Fault("key", frozenset({"caller"}), _anonymous, NotAuthenticated),
    Fault("visibility", frozenset({"caller"}), _stranger, ModelNotFound),
    Fault("scope", frozenset({"caller"}), _reader, ScopeMissing),
    Fault("version syntax", frozenset({"version"}), _version("1.0"), InvalidVersion),
    Fault("version exists", frozenset({"version"}), _version("1.0.0"), VersionExists),
    Fault("parent", frozenset({"parent"}), _parent, RevisionNotFound),
    Fault("paths", frozenset({"path"}), _file("../model.bin", b"x"), InvalidPath),
    Fault("card", frozenset({"card"}), _file("model_card.md", BAD_CARD), InvalidCard),
    Fault("weights", frozenset({"weights"}), _file("model.safetensors", ONES + b"trailing"), InvalidWeights),
    Fault("schema", frozenset({"card"}), _file("model_card.md", CONTRADICTING), SchemaMismatch),
    Fault("nothing changed", frozenset({"path", "card", "weights"}), _nothing, NothingChanged),
    Fault("successor", frozenset({"version"}), _version("1.7.0"), VersionGap),
    Fault("bump", frozenset({"card"}), _file("model_card.md", card(license="mit")), VersionTooLow),
)
PAIRS = [(a, b) for a, b in combinations(FAULTS, 2) if not a.touches & b.touches]


@pytest.fixture(scope="module")
def published(started: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with 1.0.0 that no refused publish can change."""
    folder = tmp_path_factory.mktemp("published") / "data"
    shutil.copytree(started[0], folder)
    registry, clock = opened(folder)
    world = World(registry, clock, identify(registry, started[1]), started[1])
    world.publish("1.0.0", FIRST)
    yield world
    closed(registry)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.rule)
def test_each_rule_refuses_what_breaks_it_alone(published: World, fault: Fault) -> None:
    attempt = Attempt(published, published.owner)
    fault.put(attempt)
    with pytest.raises(fault.error):
        attempt.open()


@pytest.mark.parametrize(("earlier", "later"), PAIRS, ids=lambda fault: fault.rule)
def test_an_earlier_rule_wins_over_a_later_one(published: World, earlier: Fault, later: Fault) -> None:
    attempt = Attempt(published, published.owner)
    later.put(attempt)
    earlier.put(attempt)
    with pytest.raises(earlier.error):
        attempt.open()


def test_a_dry_run_tells_a_bump_that_is_too_low_and_opens_nothing(world: World) -> None:
    world.publish("1.0.0", FIRST)
    order = world.order("1.0.1", {"model_card.md": card(license="mit")})
    checked = publish.check(world.registry, world.owner, REF, order)
    assert isinstance(checked, Checked)
    assert not checked.examined.verdict.ok
    assert checked.examined.verdict.asked is Bump.MAJOR
    assert [change.path for change in checked.changes] == ["model_card.md"]


def test_a_dry_run_refuses_by_every_earlier_rule(world: World) -> None:
    world.publish("1.0.0", FIRST)
    order = world.order("1.9.0", {"model.safetensors": TWOS})
    with pytest.raises(VersionGap):
        publish.check(world.registry, world.owner, REF, order)


def test_a_dry_run_of_what_is_published_gives_the_revision(world: World) -> None:
    published = world.publish("1.0.0", FIRST, "log")
    found = publish.check(world.registry, world.owner, REF, world.order("1.0.0", FIRST, "log"))
    assert isinstance(found, RevisionView)
    assert found.row.id == published.row.id


def test_a_revision_without_a_card_is_refused_naming_the_command_that_makes_one(world: World) -> None:
    with pytest.raises(CardRequired, match="node-data model init"):
        world.publish("1.0.0", {"model.safetensors": ONES})


def test_a_card_of_five_megabytes_is_refused_whatever_was_opened(world: World) -> None:
    files = {"model_card.md": CARD, "model.safetensors": ONES}
    huge = {"model_card.md": CARD + b"x" * 5_000_000, "model.safetensors": ONES}
    opened = world.open(world.order("1.0.0", files))
    assert opened.upload is not None
    world.send_all(opened.upload.id, huge)
    with pytest.raises(InvalidCard):
        publish.commit(world.registry, world.owner, REF, world.order("1.0.0", huge), opened.upload.id)


# --- the version exists -------------------------------------------------------------------------


def test_the_same_publish_again_gives_the_very_revision(world: World) -> None:
    first = world.publish("1.0.0", FIRST, "log")
    order = world.order("1.0.0", FIRST, "log")
    opened = world.open(order)
    assert opened.upload is None
    assert opened.existing is not None and opened.existing.row.id == first.row.id
    done = publish.commit(world.registry, world.owner, REF, order, "upl_gone")
    assert not done.created
    assert done.view.row == first.row


def test_other_content_under_a_used_version_names_the_files_that_differ(world: World) -> None:
    world.publish("1.0.0", FIRST)
    with pytest.raises(VersionExists, match=r"model\.safetensors") as caught:
        world.publish("1.0.0", {**FIRST, "model.safetensors": TWOS})
    assert caught.value.details["version"] == "1.0.0"


def test_another_changelog_under_a_used_version_is_named(world: World) -> None:
    world.publish("1.0.0", FIRST, "one")
    with pytest.raises(VersionExists, match="changelog") as caught:
        world.publish("1.0.0", FIRST, "two")
    assert caught.value.details["differs"] == ["changelog"]


def test_another_parent_under_a_used_version_is_named(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model.safetensors": TWOS})
    with pytest.raises(VersionExists, match="parent"):
        world.publish("1.0.1", {"model.safetensors": TWOS}, parent="0.1.0")


def test_a_used_version_is_told_before_a_bad_path_or_parent_of_the_retry(world: World) -> None:
    world.publish("1.0.0", FIRST)
    with pytest.raises(VersionExists, match="files"):
        world.publish("1.0.0", {**FIRST, "../x": b"x"})
    with pytest.raises(VersionExists, match="parent"):
        world.publish("1.0.0", FIRST, parent="no version")


def test_an_omitted_parent_means_the_stored_one_on_a_retry(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model.safetensors": TWOS})
    third = world.publish("1.0.2", {"notes.txt": b"n"}, parent="1.0.0")
    yank.yank(world.registry, world.owner, REF, "1.0.0", "bad")
    again = world.publish("1.0.2", {"notes.txt": b"n"})
    assert again.row.id == third.row.id
    assert world.publish("1.0.2", {"notes.txt": b"n"}, parent="1.0.0").row.id == third.row.id


def test_a_retry_after_a_yank_gives_the_yanked_revision(world: World) -> None:
    first = world.publish("1.0.0", FIRST)
    yank.yank(world.registry, world.owner, REF, "1.0.0", "bad")
    again = world.publish("1.0.0", FIRST)
    assert again.row.id == first.row.id
    assert again.row.yank is not None


def test_a_retry_after_retirement_gives_the_retired_revision(world: World) -> None:
    first = world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model.safetensors": TWOS})
    marks.retire(world.registry, world.owner, REF, "1.0.0", "leak")
    again = world.publish("1.0.0", FIRST)
    assert again.row.id == first.row.id
    with pytest.raises(VersionExists):
        world.publish("1.0.0", {**FIRST, "model.safetensors": TWOS})


def test_a_retry_with_remove_gives_the_same_revision(world: World) -> None:
    world.publish("1.0.0", {**FIRST, "notes.txt": b"n"})
    second = world.publish("1.0.1", {}, remove=("notes.txt",))
    assert world.publish("1.0.1", {}, remove=("notes.txt",)).row.id == second.row.id


def test_removing_what_the_parent_lacks_is_an_error(world: World) -> None:
    world.publish("1.0.0", FIRST)
    with pytest.raises(InvalidPath) as caught:
        world.publish("1.0.1", {"model.safetensors": TWOS}, remove=("absent.txt",))
    assert caught.value.field == "remove"


def test_a_folder_is_the_whole_revision_and_the_dry_run_lists_what_it_removes(world: World) -> None:
    world.publish("1.0.0", FIRST)
    order = world.order("1.0.1", {"model_card.md": CARD, "model.safetensors": TWOS}, whole=True)
    checked = publish.check(world.registry, world.owner, REF, order)
    assert isinstance(checked, Checked)
    assert {(change.change, change.path) for change in checked.changes} == {
        ("removed", "config.json"),
        ("modified", "model.safetensors"),
    }


# --- parents ------------------------------------------------------------------------------------


def test_the_default_parent_is_the_highest_lower_version_that_is_served(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("2.0.0", {"model.safetensors": TWOS})
    assert world.publish("1.0.1", {"notes.txt": b"a"}).row.parent == world.version("1.0.0")
    assert world.publish("2.0.1", {"notes.txt": b"b"}).row.parent == world.version("2.0.0")


def test_the_default_parent_skips_yanked_retired_and_quarantined_revisions(world: World) -> None:
    for patch in range(5):
        world.publish(f"1.0.{patch}", {**FIRST, "n.txt": b"%d" % patch})
    yank.yank(world.registry, world.owner, REF, "1.0.4", "bad")
    marks.quarantine(world.registry, world.owner, REF, "1.0.3", "malware")
    marks.retire(world.registry, world.owner, REF, "1.0.2", "leak")
    assert world.publish("1.0.5", {"n.txt": b"5"}).row.parent == world.version("1.0.1")


def test_with_only_yanked_ones_left_the_highest_of_these_is_parent_with_a_warning(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"n.txt": b"1"})
    yank.yank(world.registry, world.owner, REF, "*", "all bad")
    found = world.publish("1.0.2", {"n.txt": b"2"})
    assert found.row.parent == world.version("1.0.1")
    assert "parent_yanked" in {one.code for one in found.warnings}


def test_without_a_lower_version_a_revision_has_no_parent(world: World) -> None:
    world.publish("2.0.0", FIRST)
    with pytest.raises(CardRequired):
        world.publish("1.0.0", {"model.safetensors": ONES}, allow_gap=True)
    assert world.publish("3.0.0", {"n.txt": b"1"}).row.parent == world.version("2.0.0")


@pytest.mark.parametrize("parent", ["1.0.2", "2.0.0"])
def test_a_stated_parent_must_be_lower(world: World, parent: str) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("2.0.0", {"n.txt": b"2"})
    with pytest.raises((InvalidParent, RevisionNotFound)) as caught:
        world.publish("1.0.1", {"n.txt": b"1"}, parent=parent)
    assert caught.value.field == "parent"


def test_a_stated_parent_that_is_no_version_is_named_as_the_parent(world: World) -> None:
    world.publish("1.0.0", FIRST)
    with pytest.raises(InvalidVersion) as caught:
        world.publish("1.0.1", {"n.txt": b"1"}, parent="latest")
    assert caught.value.field == "parent"


def test_a_stated_parent_may_be_neither_retired_nor_quarantined(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"n.txt": b"1"})
    marks.retire(world.registry, world.owner, REF, "1.0.0", "leak")
    marks.quarantine(world.registry, world.owner, REF, "1.0.1", "malware")
    for parent, state in (("1.0.0", "retired"), ("1.0.1", "quarantined")):
        with pytest.raises(InvalidParent, match=state):
            world.publish("1.0.2", {**FIRST, "n.txt": b"2"}, parent=parent)


def test_a_stated_parent_that_is_yanked_warns(world: World) -> None:
    world.publish("1.0.0", FIRST)
    yank.yank(world.registry, world.owner, REF, "1.0.0", "bad scale")
    found = world.publish("1.0.1", {"n.txt": b"1"}, parent="1.0.0")
    assert any(one.code == "parent_yanked" and "bad scale" in one.message for one in found.warnings)


def test_a_stated_parent_that_is_not_the_newest_of_its_line_warns(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"n.txt": b"1"})
    found = world.publish("1.0.2", {"n.txt": b"2"}, parent="1.0.0")
    assert any(one.code == "parent_not_newest" and "1.0.1" in one.message for one in found.warnings)
    newest = world.publish("1.0.3", {"n.txt": b"3"}, parent="1.0.2")
    assert "parent_not_newest" not in {one.code for one in newest.warnings}


def test_shipping_only_the_weights_carries_the_card_along(world: World) -> None:
    world.publish("1.0.0", FIRST)
    found = world.publish("1.0.1", {"model.safetensors": TWOS})
    assert found.card.title == "Grasp policy"
    assert found.row.file_count == len(FIRST)


def test_a_readme_becomes_the_card_when_the_card_goes(world: World) -> None:
    readme = card(license="apache-2.0", name="From the readme", task="grasping")
    world.publish("1.0.0", {**FIRST, "README.md": readme})
    found = world.publish("1.0.1", {}, remove=("model_card.md",))
    assert found.card.title == "From the readme"


def test_a_readme_that_is_no_card_is_refused_when_the_card_goes(world: World) -> None:
    world.publish("1.0.0", {**FIRST, "README.md": b"# No front matter\n"})
    with pytest.raises(InvalidCard):
        world.publish("1.0.1", {}, remove=("model_card.md",))


# --- nothing changed, successor, bump -----------------------------------------------------------


def test_equal_files_are_refused_whatever_the_changelog_says(world: World) -> None:
    world.publish("1.0.0", FIRST, "one")
    with pytest.raises(NothingChanged):
        world.publish("1.0.1", FIRST, "two")


def test_a_number_below_what_its_line_holds_is_refused(world: World) -> None:
    world.publish("1.4.3", FIRST)
    with pytest.raises(VersionNotSuccessor):
        world.publish("1.4.2", {**FIRST, "n.txt": b"1"})


def test_a_gap_needs_allow_gap(world: World) -> None:
    world.publish("1.5.0", FIRST)
    with pytest.raises(VersionGap):
        world.publish("1.50.0", {"n.txt": b"1"})
    assert str(world.publish("1.50.0", {"n.txt": b"1"}, allow_gap=True).row.version) == "1.50.0"


def test_a_back_port_can_follow_a_higher_major(world: World) -> None:
    world.publish("1.4.2", FIRST)
    world.publish("2.0.0", {"model_card.md": card(license="mit")})
    back = world.publish("1.4.3", {"model.safetensors": TWOS})
    assert back.row.parent == world.version("1.4.2")


def test_a_number_is_never_used_twice_even_after_retirement(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"n.txt": b"1"})
    marks.retire(world.registry, world.owner, REF, "1.0.1", "leak")
    with pytest.raises(VersionExists):
        world.publish("1.0.1", {"n.txt": b"2"})


def test_declaring_less_than_the_evidence_asks_lists_every_finding(world: World) -> None:
    world.publish("1.0.0", FIRST)
    with pytest.raises(VersionTooLow) as caught:
        world.publish("1.0.1", {"model_card.md": card(license="mit"), "model.safetensors": TWOS})
    codes = {one["code"] for one in caught.value.details["findings"]}
    assert {"license_changed", "weights_changed"} <= codes
    assert (caught.value.details["asked"], caught.value.details["declared"]) == ("major", "patch")


def test_declaring_more_than_the_evidence_asks_is_always_allowed(world: World) -> None:
    world.publish("1.0.0", FIRST)
    assert world.publish("2.0.0", {"model.safetensors": TWOS}).verdict.ok


def test_the_predecessor_is_a_base_beside_the_parent(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("2.0.0", {"model_card.md": card(license="mit")})
    world.publish("3.0.0", {"n.txt": b"3"}, parent="2.0.0")
    with pytest.raises(VersionTooLow) as caught:
        world.publish("2.0.1", {"n.txt": b"2"}, parent="1.0.0")
    assert caught.value.details["base"] == "2.0.0"


def test_a_yanked_parent_gives_files_but_is_no_base_beside_another(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.1.0", {"model_card.md": card(license="mit")}, accept={"license_changed": "ours"})
    yank.yank(world.registry, world.owner, REF, "1.1.0", "licence was wrong")
    back = world.publish("1.1.1", {"model_card.md": CARD, "n.txt": b"1"}, parent="1.1.0")
    assert [str(base.version) for base in back.verdict.bases] == ["1.0.0"]


def test_a_yanked_parent_is_a_base_if_it_is_the_only_one(world: World) -> None:
    world.publish("1.0.0", FIRST)
    yank.yank(world.registry, world.owner, REF, "1.0.0", "bad")
    with pytest.raises(VersionTooLow):
        world.publish("1.0.1", {"model_card.md": card(license="mit")})


def test_a_quarantined_revision_is_never_a_base(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.1.0", {"model_card.md": card(license="mit")}, accept={"license_changed": "ours"})
    marks.quarantine(world.registry, world.owner, REF, "1.1.0", "leak")
    found = world.publish("1.1.1", {"n.txt": b"1"})
    assert [str(base.version) for base in found.verdict.bases] == ["1.0.0"]


def test_a_retired_predecessor_is_still_judged_from(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"model_card.md": card(license="mit")}, accept={"license_changed": "ours"})
    marks.retire(world.registry, world.owner, REF, "1.0.1", "leak")
    with pytest.raises(VersionTooLow) as caught:
        world.publish("1.0.2", {"n.txt": b"1"})
    assert caught.value.details["base"] == "1.0.1"


# --- accepting findings -------------------------------------------------------------------------


def test_only_an_owner_may_accept_findings(world: World) -> None:
    world.publish("1.0.0", FIRST)
    publisher = world.account("pia", "publisher")
    with pytest.raises(ScopeMissing):
        world.publish(
            "1.0.1",
            {"model_card.md": card(license="mit")},
            caller=publisher,
            accept={"license_changed": "ours"},
        )


def test_accepted_findings_are_recorded_in_the_verdict_and_the_event(world: World) -> None:
    world.publish("1.0.0", FIRST)
    found = world.publish(
        "1.0.1", {"model_card.md": card(license="mit")}, accept={"license_changed": "all authors agreed"}
    )
    assert [(one.code, one.reason) for one in found.verdict.accepted] == [
        ("license_changed", "all authors agreed")
    ]
    event = world.events()[-1]
    assert event.kind == "revision.published"
    assert world.body(event)["accepted"] == [{"code": "license_changed", "reason": "all authors agreed"}]


def test_accepting_needs_a_known_finding_and_a_reason(world: World) -> None:
    world.publish("1.0.0", FIRST)
    files = {"model_card.md": card(license="mit")}
    with pytest.raises(InvalidReason):
        world.publish("1.0.1", files, accept={"license_changed": "  "})
    with pytest.raises(InvalidRequest):
        world.publish("1.0.1", files, accept={"licence_chnged": "typo"})


# --- limits -------------------------------------------------------------------------------------


def test_limits_of_an_order_are_told_only_to_those_who_may_publish(world: World) -> None:
    order = world.order("1.0.0", FIRST, "x" * 70_000)
    with pytest.raises(ModelNotFound):
        world.open(order, world.account("stranger"))
    with pytest.raises(TooLarge) as caught:
        world.open(order)
    assert caught.value.field == "changelog"


def test_publishing_to_a_public_model_without_a_key_is_refused_as_such(world: World) -> None:
    models.create_model(world.registry, world.owner, "acme/open", "public")
    with pytest.raises(NotAuthenticated):
        publish.open_upload(world.registry, ANONYMOUS, "acme/open", world.order("1.0.0", FIRST))
