"""What locking keeps and asks for, which age a range respects, and what an audit says of a pin."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from nodedata_registry.core.audit import AuditFinding, Level, Seen, audit_pin
from nodedata_registry.core.lockfile import Lock, LockedYank, Pin
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.project import AgeRule, Wish
from nodedata_registry.core.relock import Offer, changes, choose, passed_over, plan_lock
from nodedata_registry.core.selectors import Candidate, parse_selector
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import RevisionNotFound, TooYoung

NOW = datetime(2031, 5, 20, 12, tzinfo=timezone.utc)
WEEK = AgeRule(timedelta(days=7))
YANK = LockedYank(NOW, "drops the cup", "1.0.2")


def pin(model: str = "acme/x", version: str = "1.0.0", requested: str = "^1") -> Pin:
    manifest = Manifest.of([FileEntry("a", 1, "0" * 64)])
    number = sum(model.encode())
    return Pin(
        model, requested, Version.parse(version), manifest, "c" * 40, f"mdl_01HF7YAT{number:018d}", "r"
    )


def offers(*rows: tuple[str, int] | tuple[str, int, bool]) -> list[Offer]:
    """Return offers from (version, age in days, yanked)."""
    return [
        Offer(
            Candidate(Version.parse(row[0]), row[0], yanked=row[2:] == (True,)),
            NOW - timedelta(days=row[1]),
        )
        for row in rows
    ]


def chosen(given: list[Offer], selector: str, age: AgeRule = WEEK) -> str:
    return str(choose(given, parse_selector(selector), age, NOW).version)


def planned(lock: Lock, *wishes: tuple[str, str], upgrade: str = "") -> tuple[list[str], list[str]]:
    plan = plan_lock(
        lock, [Wish.of(model, revision) for model, revision in wishes], lambda wish: wish.model == upgrade
    )
    return [f"{one.model} {one.requested}" for one in plan.kept], [wish.model for wish in plan.asked]


# --- keeping ---


def test_a_pin_stays_while_the_request_admits_it() -> None:
    lock = Lock.of([pin(version="1.0.0")])
    for revision in ("^1", "~1.0", "1.0.0", "*", "latest", f"sha256:{pin().digest}"):
        assert planned(lock, ("acme/x", revision)) == ([f"acme/x {revision}"], [])


def test_a_pin_goes_when_the_request_no_longer_admits_it() -> None:
    lock = Lock.of([pin(version="1.0.0")])
    for revision in ("^2", "1.0.1", ">1.0.0", "sha256:" + "1" * 64):
        assert planned(lock, ("acme/x", revision)) == ([], ["acme/x"])


def test_only_what_is_to_be_upgraded_is_asked_for() -> None:
    lock = Lock.of([pin("acme/x"), pin("acme/y")])
    wishes = (("acme/x", "^1"), ("acme/y", "^1"))
    assert planned(lock, *wishes, upgrade="acme/y") == (["acme/x ^1"], ["acme/y"])


def test_what_nobody_wants_any_more_is_dropped() -> None:
    assert planned(Lock.of([pin("acme/x"), pin("acme/y")]), ("acme/y", "^1")) == (["acme/y ^1"], [])


def test_changes_name_what_was_added_removed_upgraded_and_otherwise_changed() -> None:
    old = Lock.of([pin("acme/a"), pin("acme/b"), pin("acme/c"), pin("acme/d"), pin("acme/e", "1.2.0")])
    new = Lock.of(
        [
            pin("acme/a"),
            pin("acme/b", "1.1.0"),
            pin("acme/c", requested="~1"),
            pin("acme/e"),
            pin("acme/f"),
        ]
    )
    assert [(one.model, one.change) for one in changes(old, new)] == [
        ("acme/b", "upgraded"),
        ("acme/c", "changed"),
        ("acme/d", "removed"),
        ("acme/e", "downgraded"),
        ("acme/f", "added"),
    ]


# --- ages ---


def test_a_range_ignores_what_is_too_young() -> None:
    assert chosen(offers(("1.0.0", 30), ("1.1.0", 8), ("1.2.0", 6)), "^1") == "1.1.0"


def test_the_age_is_reached_on_the_dot() -> None:
    assert chosen(offers(("1.0.0", 30), ("1.1.0", 7)), "latest") == "1.1.0"


def test_a_pin_is_never_too_young() -> None:
    assert chosen(offers(("1.0.0", 30), ("1.1.0", 1)), "1.1.0") == "1.1.0"


def test_a_version_that_is_allowed_by_name_may_be_young() -> None:
    given = offers(("1.0.0", 30), ("1.1.0", 2), ("1.2.0", 1))
    assert chosen(given, "^1", replace(WEEK, exempt=frozenset([Version(1, 1, 0)]))) == "1.1.0"
    assert chosen(given, "^1", replace(WEEK, all_exempt=True)) == "1.2.0"


def test_a_young_fix_of_a_yanked_revision_is_not_taken_unasked() -> None:
    given = offers(("1.0.0", 30, True), ("1.0.1", 1))
    with pytest.raises(TooYoung, match=r"1\.0\.1.*the older 1\.0\.0 is yanked.*allow_young") as caught:
        chosen(given, "^1")
    assert caught.value.details["version"] == "1.0.1"
    assert chosen(given, "^1", replace(WEEK, exempt=frozenset([Version(1, 0, 1)]))) == "1.0.1"


def test_where_everything_is_too_young_nothing_is_taken() -> None:
    with pytest.raises(TooYoung, match="nothing older matches"):
        chosen(offers(("1.0.0", 3)), "^1")


def test_where_everything_is_yanked_the_highest_that_is_old_enough_is_taken() -> None:
    assert chosen(offers(("1.0.0", 30, True), ("1.0.1", 1, True)), "^1") == "1.0.0"


def test_what_nothing_matches_is_not_found_whatever_its_age() -> None:
    with pytest.raises(RevisionNotFound):
        chosen(offers(("1.0.0", 1)), "^2")


def test_what_only_its_age_keeps_out_is_known() -> None:
    given = offers(("1.0.0", 30), ("1.1.0", 2), ("1.2.0", 1, True), ("2.0.0", 1))
    selector = parse_selector("^1")
    over = passed_over(given, choose(given, selector, WEEK, NOW), selector, WEEK, NOW)
    assert [str(offer.candidate.version) for offer in over] == ["1.1.0"]


# --- audits ---


def seen(version: str, days: int = 30, **marks: object) -> Seen:
    return Seen(
        Version.parse(version),
        pin().digest,
        "c" * 40,
        NOW - timedelta(days=days),
        changelog=f"\nwhat {version} brings\nand more",
        **marks,  # type: ignore[arg-type]
    )


def audited(*revisions: Seen, requested: str = "^1", age: AgeRule | None = None) -> list[AuditFinding]:
    return list(audit_pin(pin(requested=requested), revisions, age or AgeRule(), NOW))


def codes(findings: list[AuditFinding]) -> list[str]:
    return [finding.code for finding in findings]


def test_a_good_pin_has_no_finding() -> None:
    assert audited(seen("1.0.0"), seen("0.9.0"), seen("2.0.0")) == []


def test_a_yanked_pin_says_why_and_where_to_go() -> None:
    (found,) = audited(seen("1.0.0", yanked=YANK))
    assert (found.code, found.level, found.suggested) == ("pin_yanked", Level.YANKED, "1.0.2")
    assert "drops the cup (use 1.0.2)" in found.message


def test_marks_come_with_their_reasons_the_worst_first() -> None:
    found = audited(seen("1.0.0", yanked=YANK, retired="policy", quarantined="leaked"))
    assert codes(found) == ["pin_quarantined", "pin_retired", "pin_yanked"]
    assert "leaked" in found[0].message
    assert "policy" in found[1].message


@pytest.mark.parametrize("change", [{"digest": "1" * 64}, {"commit": "d" * 40}])
def test_a_version_with_other_content_is_loud_and_nothing_else_is_said(change: dict[str, str]) -> None:
    changed = replace(seen("1.0.0", yanked=YANK), **change)  # type: ignore[arg-type]
    (found,) = audited(changed, seen("1.1.0"))
    assert (found.code, found.level) == ("pin_changed", Level.CHANGED)
    assert "never changes" in found.message


def test_a_version_that_is_gone_is_as_loud() -> None:
    assert codes(audited(seen("1.1.0"))) == ["pin_changed"]


def test_a_newer_version_is_told_with_what_it_brings() -> None:
    (found,) = audited(seen("1.0.0"), seen("1.1.0"), seen("1.2.0", yanked=YANK), seen("2.0.0"))
    assert (found.code, found.suggested) == ("newer_version", "1.1.0")
    assert "(what 1.1.0 brings)" in found.message


def test_a_pin_looks_through_its_own_major() -> None:
    (found,) = audited(seen("1.0.0"), seen("1.3.0"), seen("2.0.0"), requested="1.0.0")
    assert found.suggested == "1.3.0"


def test_a_newer_version_that_is_too_young_says_when_it_is_admitted() -> None:
    found = audited(seen("1.0.0"), seen("1.1.0", 8), seen("1.2.0", 2), age=WEEK)
    assert [(one.code, one.suggested) for one in found] == [
        ("newer_version", "1.1.0"),
        ("younger_version", "1.2.0"),
    ]
    assert "2031-05-25" in found[1].message


def test_a_young_fix_of_a_yanked_pin_is_told() -> None:
    found = audited(seen("1.0.0", yanked=YANK), seen("1.0.1", 1), age=WEEK)
    assert codes(found) == ["pin_yanked", "younger_version"]
