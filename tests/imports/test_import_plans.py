"""Which version each release becomes, and what is left with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.versions import Version, check_successor
from nodedata_registry.sdk.imports.plan import plan
from nodedata_registry.sdk.imports.release import Release

Published = dict[Version, str | None]


def release(name: str, revision: str = "") -> Release:
    return Release(name, name, revision or f"commit of {name}", f"here@{name}")


def planned(*names: str, published: Published | None = None) -> list[str]:
    return [str(step.version) for step in plan([release(name) for name in names], published or {}).steps]


def left(*releases: Release, published: Published | None = None) -> dict[str, str]:
    return {one.name: one.why for one in plan(releases, published or {}).left}


def test_tags_become_versions_in_the_order_of_versions() -> None:
    assert planned("v2.0.0", "1.10.0", "V1.9.0") == ["1.9.0", "1.10.0", "2.0.0"]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("v1.0.0-rc1", "pre-release"),
        ("1.0.0+cu12", "build"),
        ("v1.2", "patch number is missing"),
        ("01.0.0", "leading zero"),
        ("latest", "major"),
        ("vv1.0.0", "major"),
        ("", "missing"),
    ],
)
def test_what_is_no_version_is_left_with_the_part_that_is_wrong(name: str, part: str) -> None:
    assert planned(name) == []
    assert part in left(release(name))[name]


def test_two_tags_of_one_version_and_content_are_imported_once() -> None:
    found = plan([release("1.0.0", "abc"), release("v1.0.0", "abc")], {})
    assert [step.release.name for step in found.steps] == ["1.0.0"]
    assert found.left[0].why == "the same as 1.0.0"


def test_two_tags_of_one_version_that_differ_are_both_left() -> None:
    found = plan([release("1.0.0", "abc"), release("v1.0.0", "def")], {})
    assert found.steps == ()
    assert {one.name for one in found.left} == {"1.0.0", "v1.0.0"}


def test_what_was_imported_from_here_is_done() -> None:
    found = plan([release("1.0.0"), release("1.1.0")], {Version(1, 0, 0): "here@1.0.0"})
    assert [str(step.version) for step in found.done] == ["1.0.0"]
    assert [str(step.version) for step in found.steps] == ["1.1.0"]


@pytest.mark.parametrize(("reference", "why"), [(None, "not by an import"), ("there@1.0.0", "there@1.0.0")])
def test_what_was_published_from_elsewhere_is_left_alone(reference: str | None, why: str) -> None:
    published = {Version(1, 0, 0): reference}
    assert planned("1.0.0", published=published) == []
    assert why in left(release("1.0.0"), published=published)["1.0.0"]


def test_a_history_may_have_gaps() -> None:
    assert planned("0.3.0", "0.9.1", "4.2.0") == ["0.3.0", "0.9.1", "4.2.0"]


def test_a_version_below_what_its_line_holds_is_left() -> None:
    published: Published = {Version(1, 2, 0): "elsewhere"}
    assert planned("1.1.0", "1.2.1", published=published) == ["1.2.1"]
    assert "only grow" in left(release("1.1.0"), published=published)["1.1.0"]


def test_a_tag_of_the_same_content_as_the_one_before_is_left() -> None:
    found = plan([release("1.0.0", "abc"), release("1.0.1", "abc"), release("1.0.2", "def")], {})
    assert [str(step.version) for step in found.steps] == ["1.0.0", "1.0.2"]
    assert "nothing changed" in found.left[0].why


numbers = st.integers(0, 3)
names = st.lists(
    st.one_of(
        st.builds("{}{}.{}.{}".format, st.sampled_from(["", "v"]), numbers, numbers, numbers),
        st.sampled_from(["latest", "1.0", "v1.0.0-rc1"]),
    ),
    max_size=12,
    unique=True,
)
versions = st.builds(Version, numbers, numbers, numbers)


@given(names, st.dictionaries(versions, st.none(), max_size=3))
def test_every_release_is_planned_done_or_left_and_every_step_may_be_published(
    tags: list[str], published: Published
) -> None:
    found = plan([release(tag) for tag in tags], published)
    told = [step.release.name for step in (*found.steps, *found.done)] + [one.name for one in found.left]
    assert sorted(told) == sorted(tags)
    existing = list(published)
    for step in found.steps:
        check_successor(step.version, existing, allow_gap=True)
        existing.append(step.version)
