"""Laws of the lock file: any lock reads back equal, from text that any TOML reader takes."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.digests import sha256_hex
from nodedata_registry.core.ids import make_id
from nodedata_registry.core.lockfile import Lock, LockedYank, Pin, parse_lock, render_lock
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.toml import toml_pair
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidLock

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
TIMES = st.integers(0, 2**52).map(lambda us: EPOCH + timedelta(microseconds=us))
PATHS = st.sampled_from(["a", "b c.bin", "c/d", "c/e", "f'.bin", "\u00e9.json", "\U0001f600", "x#y"])
ENTRIES = st.builds(FileEntry, PATHS, st.integers(0, 2**53 - 1), st.binary(max_size=2).map(sha256_hex))
MANIFESTS = st.lists(ENTRIES, max_size=6, unique_by=lambda entry: entry.path).map(Manifest.of)
VERSIONS = st.builds(Version, *[st.integers(0, 2**53 - 1)] * 3)
YANKS = st.none() | st.builds(LockedYank, TIMES, TEXTS, st.none() | VERSIONS.map(str))
NAMES = st.lists(st.integers(0, 99), max_size=4, unique=True)


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    return Lock.of(
        Pin(
            model=f"acme/m{number}",
            requested=draw(st.sampled_from(["*", "latest", ">=0"])),
            version=draw(VERSIONS),
            manifest=draw(MANIFESTS),
            commit=sha256_hex(bytes([number]))[:40],
            model_id=make_id("mdl_", number, bytes(10)),
            registry=draw(TEXTS),
            yanked=draw(YANKS),
        )
        for number in draw(NAMES)
    )


@given(locks())
def test_a_lock_reads_back_equal(lock: Lock) -> None:
    assert parse_lock(render_lock(lock).encode()) == lock


@given(locks())
def test_reading_and_writing_again_changes_no_byte(lock: Lock) -> None:
    text = render_lock(lock)
    assert render_lock(parse_lock(text.encode())) == text


@given(TEXTS, TEXTS)
def test_any_text_is_written_as_any_toml_reader_reads_it(key: str, value: str) -> None:
    assert tomllib.loads(toml_pair(key, value)) == {key: value}


@given(TEXTS)
def test_what_is_written_stays_on_one_line(value: str) -> None:
    assert len(toml_pair("reason", value).splitlines()) == 1


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_a_lock_or_refused_by_name(data: bytes) -> None:
    try:
        parse_lock(data)
    except InvalidLock:
        return
