"""`node-data.lock` and `node-data.toml`: what is written, what is read, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from nodedata_registry.core.lockfile import Lock, LockedYank, Pin, parse_lock, render_lock
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.project import AgeRule, Wish, parse_age, parse_project
from nodedata_registry.core.selectors import parse_selector
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidLock, InvalidRequest

CARD = "662466c1ede9cdee5daedc2fb2ae2e1908dc0b416da79154766016b9940a7c5d"
WEIGHTS = "9bbcbf73561f6bc5d0a17ea6a2081feed2d1304e87602d8c502d9a5c4bd85576"
STATE = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

FORMAT_PAGE_EXAMPLE = (
    """\
# Written by `node-data lock`; commit it, and do not edit it. `node-data sync` restores exactly this.
lock = 1

[[model]]
name = "acme/grasp"
requested = "^1"
version = "1.4.2"
digest = "sha256:1751f48901435c9bc4916f4808a0844467f3b7dbb5833a3d371e0ffbff71a149"
commit = "1082b2344e35b615353cd33c05134fad5c9c76c2"
id = "mdl_01HF7YAT000000000000000000"
registry = "https://registry.example"
yanked = { at = 2031-01-02T03:04:05Z, reason = "memory leak on Jetson", suggested = "1.4.3" }
files = [
    { path = "model_card.md", size = 43, sha256 = "CARD" },
    { path = "weights/model.safetensors", size = 16, sha256 = "WEIGHTS" },
    { path = "état.json", size = 2, sha256 = "STATE" },
]
""".replace("CARD", CARD)
    .replace("WEIGHTS", WEIGHTS)
    .replace("STATE", STATE)
)


def pin(model: str = "acme/grasp", number: int = 0, **parts: object) -> Pin:
    """Return a pin; `number` makes its model id."""
    given: dict[str, object] = {
        "requested": "^1",
        "version": Version(1, 4, 2),
        "manifest": Manifest.of(
            [
                FileEntry("model_card.md", 43, CARD),
                FileEntry("weights/model.safetensors", 16, WEIGHTS),
                FileEntry("état.json", 2, STATE),
            ]
        ),
        "commit": "1082b2344e35b615353cd33c05134fad5c9c76c2",
        "registry": "https://registry.example",
        **parts,
    }
    return Pin(model=model, model_id=f"mdl_01HF7YAT{number:018d}", **given)  # type: ignore[arg-type]


def text_of(*pins: Pin) -> str:
    return render_lock(Lock.of(pins))


def refused(text: str) -> str:
    with pytest.raises(InvalidLock) as caught:
        parse_lock(text.encode())
    return caught.value.message


# --- the lock ---


def test_a_lock_is_written_as_the_format_page_shows() -> None:
    yank = LockedYank(datetime(2031, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "memory leak on Jetson", "1.4.3")
    assert text_of(pin(yanked=yank)) == FORMAT_PAGE_EXAMPLE


def test_what_is_written_reads_back_equal() -> None:
    lock = Lock.of([pin("acme/b"), pin("acme/a", 1)])
    assert parse_lock(render_lock(lock).encode()) == lock


def test_models_are_sorted_whatever_the_order_they_came_in() -> None:
    a, b = pin("acme/a"), pin("acme/b", 1)
    assert text_of(b, a) == text_of(a, b)
    assert text_of(a, b).index("acme/a") < text_of(a, b).index("acme/b")


def test_another_version_of_one_model_touches_only_its_lines() -> None:
    a, b = pin("acme/a"), pin("acme/b", 1)
    newer = pin("acme/a", version=Version(1, 5, 0))
    before, after = text_of(a, b).splitlines(), text_of(newer, b).splitlines()
    assert [line for line in after if line not in before] == ['version = "1.5.0"']


def test_line_ends_of_windows_and_a_byte_order_mark_are_read() -> None:
    text = text_of(pin())
    assert parse_lock(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()) == Lock.of([pin()])


def test_an_empty_lock_reads_back() -> None:
    assert parse_lock(render_lock(Lock()).encode()) == Lock()


def test_a_model_is_found_by_name_and_by_id() -> None:
    lock = Lock.of([pin()])
    assert lock.get("acme/grasp") is lock.get("mdl_01HF7YAT000000000000000000") is lock.pins[0]
    assert lock.get("acme/other") is None


def test_files_lie_under_the_name_of_their_model() -> None:
    assert "acme/grasp/weights/model.safetensors" in Lock.of([pin()]).files()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"1.4.2"', '"1.4"', "not a version"),
        ('"1.4.2"', '"2.0.0"', "does not admit"),
        ('"^1"', '"~1.5"', "does not admit"),
        ('"^1"', '""', "empty"),
        ("size = 16", "size = 17", "the digest of its files is"),
        (STATE, STATE.replace("4", "5"), "the digest of its files is"),
        ("weights/model.safetensors", "../model.safetensors", "path"),
        ('"acme/grasp"', '"mdl_01HF7YAT000000000000000000"', "workspace/name"),
        ('"mdl_01', '"mdl_', "model id"),
        ('"1082b', '"X082b', "commit"),
        ("requested", "reqested", "reqested"),
        ("size = 16", 'size = "16"', "int"),
        ("lock = 1", "lock = 0", "unknown format"),
        ("lock = 1", "", "lock"),
        ("]\n", "\n", "no TOML"),
    ],
)
def test_a_slip_of_the_hand_is_found_before_anything_is_touched(old: str, new: str, says: str) -> None:
    text = text_of(pin())
    assert old in text
    message = refused(text.replace(old, new))
    assert says in message
    assert "`node-data lock`" in message


def test_a_digest_that_is_requested_must_be_the_locked_one() -> None:
    own = f"sha256:{pin().digest}"
    assert parse_lock(text_of(pin(requested=own)).encode()).pins[0].requested == own
    assert "does not admit" in refused(text_of(pin(requested="sha256:" + "0" * 64)))


def test_a_model_that_is_locked_twice_is_refused() -> None:
    text = text_of(pin())
    entry = text[text.index("[[model]]") :]
    assert "twice" in refused(text + "\n" + entry)


def test_merge_conflict_markers_are_named_with_their_line() -> None:
    conflict = '<<<<<<< HEAD\nversion = "1.4.2"\n=======\nversion = "1.4.3"\n>>>>>>> topic\n'
    message = refused(text_of(pin()).replace('version = "1.4.2"\n', conflict))
    assert "merge conflict markers (line 7" in message
    assert "git checkout" in message


def test_a_lock_of_a_newer_program_says_to_update() -> None:
    future = text_of(pin()).replace("lock = 1", 'lock = 2\nsigned_by = "somebody"')
    message = refused(future)
    assert "newer program" in message
    assert "update" in message


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidLock, match="UTF-8"):
        parse_lock(b"lock = 1\n\xff")


def test_nesting_bombs_are_refused() -> None:
    assert "no TOML" in refused("lock = 1\nx = " + "[" * 100_000)


def test_the_format_page_shows_this_very_lock() -> None:
    page = (Path(__file__).parents[2] / "docs" / "FORMAT.md").read_text("utf-8")
    shown = "".join(f"    {line}\n" if line else "\n" for line in FORMAT_PAGE_EXAMPLE.splitlines())
    assert shown in page


# --- the project ---


def test_a_project_names_models_selectors_and_ages() -> None:
    text = """
min_age = "7d"
[models]
"acme/grasp" = "^1"
"acme/detector" = { revision = "~2.1", min_age = "0d", allow_young = ["2.1.4"] }
"""
    project = parse_project(text.encode())
    assert project.wishes == (
        Wish("acme/grasp", parse_selector("^1"), AgeRule(timedelta(days=7))),
        Wish(
            "acme/detector",
            parse_selector("~2.1"),
            AgeRule(timedelta(0), frozenset([Version(2, 1, 4)])),
        ),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[models]\n"acme" = "^1"', "acme"),
        ('[models]\n"acme/x" = ""', "empty"),
        ('[models]\n"acme/x" = { version = "^1" }', "version"),
        ('[models]\n"acme/x" = 1', "models"),
        ('[model]\n"acme/x" = "^1"', "model"),
        ('min_age = "soon"\n[models]', "age"),
        ('[models]\n"acme/x" = { revision = "1", allow_young = ["^1"] }', "version"),
        ('[models]\n"acme/x" = "1"\n"acme/x" = "2"', "TOML"),
        ("<<<<<<< HEAD\n[models]", "conflict"),
    ],
)
def test_a_project_that_cannot_be_meant_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        parse_project(text.encode())
    assert "node-data.toml" in caught.value.message


def test_ages_are_minutes_hours_days_or_weeks() -> None:
    assert parse_age("2w") == timedelta(days=14)
    assert parse_age(" 90m ") == timedelta(minutes=90)
    for text in ("", "7", "d", "-1d", "1y", "7 d"):
        with pytest.raises(InvalidRequest):
            parse_age(text)
