"""What selectors mean, and what a yank does and leaves alone."""

from __future__ import annotations

import pytest

from nodedata_registry.core.access import ANONYMOUS
from nodedata_registry.errors import (
    InvalidReason,
    InvalidSelector,
    ModelNotFound,
    NodeDataError,
    NotAuthenticated,
    RevisionNotFound,
    RevisionQuarantined,
    RevisionRetired,
    RevisionYanked,
    ScopeMissing,
)
from nodedata_registry.server.service import fetch, marks, models, resolve, yank
from tests.service.worlds import CARD, World, safetensors

REF = "acme/grasp"
FIRST = {"model_card.md": CARD, "model.safetensors": safetensors({"w": [1.0] * 8})}


@pytest.fixture
def line(world: World) -> World:
    """1.0.0, 1.0.1, 1.1.0 and 2.0.0."""
    world.publish("1.0.0", FIRST)
    for version in ("1.0.1", "1.1.0", "2.0.0"):
        world.publish(version, {"n.txt": version.encode()})
    return world


def meant(world: World, selector: str, **rest: bool) -> str:
    return str(resolve.resolve(world.registry, world.owner, REF, selector, **rest).view.row.version)


def mark(world: World, selector: str, reason: str = "bad") -> yank.YankOutcome:
    return yank.yank(world.registry, world.owner, REF, selector, reason)


# --- resolution ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "version"),
    [
        ("latest", "2.0.0"),
        ("^1", "1.1.0"),
        ("~1.0", "1.0.1"),
        ("1.0.0", "1.0.0"),
        (" v1.0.0 ", "1.0.0"),
        ("*", "2.0.0"),
    ],
)
def test_a_selector_means_the_highest_match(line: World, selector: str, version: str) -> None:
    assert meant(line, selector) == version


def test_latest_is_the_highest_version_and_not_the_last_uploaded(line: World) -> None:
    line.publish("1.0.2", {"n.txt": b"back-port"})
    assert meant(line, "latest") == "2.0.0"


def test_ranges_and_latest_pass_over_yanked_revisions_and_pins_do_not(line: World) -> None:
    mark(line, "1.1.0")
    mark(line, "2.0.0")
    assert (meant(line, "^1"), meant(line, "latest"), meant(line, "1.1.0")) == ("1.0.1", "1.0.1", "1.1.0")


def test_a_digest_means_the_highest_unyanked_version_that_has_it(world: World) -> None:
    world.publish("1.0.0", FIRST)
    world.publish("1.0.1", {"n.txt": b"1"})
    back = world.publish("1.0.2", FIRST, whole=True)
    digest = f"sha256:{back.row.manifest_digest}"
    assert meant(world, digest) == "1.0.2"
    mark(world, "1.0.2")
    assert meant(world, digest) == "1.0.0"


def test_if_every_match_is_yanked_the_highest_is_served_with_its_reason(line: World) -> None:
    mark(line, "^1", "wrong scale")
    found = resolve.resolve(line.registry, line.owner, REF, "^1").view
    assert str(found.row.version) == "1.1.0"
    assert found.row.yank is not None and found.row.yank.reason == "wrong scale"
    assert found.suggested is None


def test_deny_yanked_refuses_ranges_pins_and_digests_with_every_reason(line: World) -> None:
    mark(line, "1.0.0", "first reason")
    mark(line, "~1.0", "second reason")
    digest = resolve.resolve(line.registry, line.owner, REF, "1.0.0").view.row.manifest_digest
    for selector in ("~1.0", "1.0.0", f"sha256:{digest}"):
        with pytest.raises(RevisionYanked) as caught:
            meant(line, selector, deny_yanked=True)
        assert "first reason" in {one["reason"] for one in caught.value.details["reasons"]}
    with pytest.raises(RevisionYanked) as caught:
        meant(line, "~1.0", deny_yanked=True)
    assert [one["version"] for one in caught.value.details["reasons"]] == ["1.0.1", "1.0.0"]
    assert meant(line, "^1", deny_yanked=True) == "1.1.0"


def test_nothing_matching_is_not_found_and_tells_the_highest(line: World) -> None:
    with pytest.raises(RevisionNotFound, match=r"2\.0\.0"):
        meant(line, "^7")


def test_retired_matches_are_gone_with_the_reason(line: World) -> None:
    marks.retire(line.registry, line.owner, REF, "2.0.0", "space needed")
    assert meant(line, "latest") == "1.1.0"
    for selector in ("2.0.0", "^2"):
        with pytest.raises(RevisionRetired, match="space needed") as caught:
            meant(line, selector)
        assert caught.value.details["version"] == "2.0.0"


def test_a_quarantined_revision_is_refused_with_the_operators_reason(line: World) -> None:
    marks.quarantine(line.registry, line.owner, REF, "2.0.0", "leaked key inside")
    assert meant(line, "latest") == "1.1.0"
    for read in (fetch.plan, fetch.list_files, resolve.resolve):
        with pytest.raises(RevisionQuarantined, match="leaked key inside") as caught:
            read(line.registry, line.owner, REF, "2.0.0")
        assert caught.value.details["reason"] == "leaked key inside"
    marks.release(line.registry, line.owner, REF, "2.0.0")
    assert meant(line, "latest") == "2.0.0"


@pytest.mark.parametrize("selector", ["", "  ", "garbage", "1.0.0-rc1", "^1 ||", "x" * 10_000, "sha256:zz"])
def test_what_is_no_selector_is_refused_as_such(line: World, selector: str) -> None:
    with pytest.raises(InvalidSelector):
        meant(line, selector)


@pytest.mark.parametrize("ref", ["acme/absent", "no-slash", "mdl_00000000000000000000000000", "../x", ""])
def test_a_model_that_is_not_there_and_a_malformed_reference_are_not_found(line: World, ref: str) -> None:
    with pytest.raises(ModelNotFound):
        resolve.resolve(line.registry, line.owner, ref, "*")


def test_the_list_is_newest_published_first_and_continues_without_repeats(line: World) -> None:
    line.publish("1.0.2", {"n.txt": b"back-port"})
    first = resolve.list_revisions(line.registry, line.owner, REF, limit=2)
    rest = resolve.list_revisions(line.registry, line.owner, REF, cursor=first.next_cursor, limit=10)
    versions = [str(view.row.version) for view in (*first.items, *rest.items)]
    assert versions == ["1.0.2", "2.0.0", "1.1.0", "1.0.1", "1.0.0"]
    assert (first.has_more, rest.has_more, rest.next_cursor) == (True, False, None)


# --- yank ---------------------------------------------------------------------------------------


def test_a_yank_removes_nothing(line: World) -> None:
    mark(line, "2.0.0")
    assert line.read_file("2.0.0", "n.txt") == b"2.0.0"


def test_a_range_marks_its_present_matches_in_one_go_and_later_ones_not(line: World) -> None:
    done = mark(line, "^1")
    assert [str(one) for one in done.changed] == ["1.0.0", "1.0.1", "1.1.0"]
    line.publish("1.1.1", {"n.txt": b"new"})
    assert meant(line, "^1") == "1.1.1"


def test_repeating_a_yank_changes_nothing_and_leaves_no_event(line: World) -> None:
    mark(line, "^1", "why")
    events, summary = len(line.events()), models.get_model(line.registry, line.owner, REF)
    line.clock.pass_hours(1)
    again = mark(line, "^1", "another reason")
    assert (again.changed, len(again.unchanged)) == ((), 3)
    assert len(line.events()) == events
    assert models.get_model(line.registry, line.owner, REF) == summary
    view = resolve.resolve(line.registry, line.owner, REF, "1.0.0").view
    assert view.row.yank is not None and view.row.yank.reason == "why"


def test_a_range_leaves_the_reason_of_what_is_yanked_already(line: World) -> None:
    mark(line, "1.0.0", "special")
    done = mark(line, "*", "all")
    assert [str(one) for one in done.unchanged] == ["1.0.0"]
    view = resolve.resolve(line.registry, line.owner, REF, "1.0.0").view
    assert view.row.yank is not None and view.row.yank.reason == "special"


def test_an_exact_version_takes_a_new_reason_and_keeps_its_date(line: World) -> None:
    mark(line, "1.0.0", "typo")
    before = resolve.resolve(line.registry, line.owner, REF, "1.0.0").view.row.yank
    line.clock.pass_hours(1)
    mark(line, "1.0.0", "corrected")
    after = resolve.resolve(line.registry, line.owner, REF, "1.0.0").view.row.yank
    assert before is not None and after is not None
    assert (after.reason, after.at) == ("corrected", before.at)


def test_unyank_takes_the_marks_off_a_range_and_repeats(line: World) -> None:
    mark(line, "^1")
    assert len(yank.unyank(line.registry, line.owner, REF, "^1").changed) == 3
    assert yank.unyank(line.registry, line.owner, REF, "^1").changed == ()
    assert meant(line, "^1") == "1.1.0"


@pytest.mark.parametrize("selector", ["latest", "sha256:" + "0" * 64, "", "nonsense"])
def test_what_moves_or_names_content_cannot_be_yanked(line: World, selector: str) -> None:
    with pytest.raises(InvalidSelector):
        mark(line, selector)
    with pytest.raises(InvalidSelector):
        yank.unyank(line.registry, line.owner, REF, selector)


def test_yanking_what_is_not_there_is_not_found(line: World) -> None:
    for selector in ("7.0.0", "^7"):
        with pytest.raises(RevisionNotFound):
            mark(line, selector)


@pytest.mark.parametrize("reason", ["", "   ", "two\nlines", "x" * 501, "bell\a"])
def test_a_reason_is_one_printable_line_of_at_most_500_characters(line: World, reason: str) -> None:
    with pytest.raises(InvalidReason):
        mark(line, "1.0.0", reason)


def test_publishers_and_owners_may_yank_and_readers_and_strangers_may_not(line: World) -> None:
    expected: tuple[tuple[str | None, type[NodeDataError] | None], ...] = (
        ("publisher", None),
        ("reader", ScopeMissing),
        (None, ModelNotFound),
    )
    for role, error in expected:
        caller = line.account(f"a {role}", role)
        if error is None:
            assert yank.yank(line.registry, caller, REF, "1.0.0", "bad").changed
            continue
        with pytest.raises(error):
            yank.yank(line.registry, caller, REF, "1.0.0", "worse")
    models.create_model(line.registry, line.owner, "acme/open", "public")
    with pytest.raises(NotAuthenticated):
        yank.yank(line.registry, ANONYMOUS, "acme/open", "1.0.0", "bad")


def test_each_yank_and_unyank_is_an_event_with_its_reason(line: World) -> None:
    mark(line, "~1.0", "bad scale")
    yank.unyank(line.registry, line.owner, REF, "1.0.0")
    said = [(event.kind, line.body(event)) for event in line.events()[-3:]]
    assert said == [
        ("revision.yanked", {"version": "1.0.0", "reason": "bad scale"}),
        ("revision.yanked", {"version": "1.0.1", "reason": "bad scale"}),
        ("revision.unyanked", {"version": "1.0.0"}),
    ]


@pytest.mark.parametrize(
    ("yanked", "version", "suggested"),
    [
        (["1.0.0"], "1.0.0", "1.0.1"),
        (["1.0.1"], "1.0.1", "1.1.0"),
        (["~1.0"], "1.0.0", "1.1.0"),
        (["^1"], "1.0.0", None),
        (["2.0.0"], "2.0.0", None),
        ([], "1.0.0", None),
    ],
)
def test_a_yanked_revision_says_where_to_go(
    line: World, yanked: list[str], version: str, suggested: str | None
) -> None:
    for selector in yanked:
        mark(line, selector)
    found = resolve.resolve(line.registry, line.owner, REF, version).view.suggested
    assert (None if found is None else str(found)) == suggested
