from __future__ import annotations

import json
import struct

import safetensors
from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.facts import FileFacts, RecordingSource, ReplaySource, read_file_facts
from nodedata_registry.core.layouts import BytesSource
from nodedata_registry.core.layouts import safetensors as layout
from nodedata_registry.core.layouts.dtypes import DTYPE_BITS
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.errors import InvalidWeights

NAMES = st.text(st.characters(codec="utf-8"), max_size=8)
BYTE_DTYPES = st.sampled_from(sorted(name for name in layout.DTYPES if DTYPE_BITS[name] % 8 == 0))
SHAPES = st.lists(st.integers(0, 4), max_size=4)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A well-formed file, unless a name is one that only we refuse."""
    header: dict[str, object] = {}
    offset = 0
    for name in draw(st.lists(NAMES, unique=True, max_size=5)):
        dtype, shape = draw(BYTE_DTYPES), draw(SHAPES)
        count = 1
        for axis in shape:
            count *= axis
        size = count * DTYPE_BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    if draw(st.booleans()):
        header["__metadata__"] = draw(st.dictionaries(NAMES, NAMES, max_size=3))
    text = json.dumps(
        dict(draw(st.permutations(list(header.items())))), ensure_ascii=draw(st.booleans())
    ).encode()
    return struct.pack("<Q", len(text)) + text + draw(st.binary(min_size=offset, max_size=offset))


def accepted_by_reference(data: bytes) -> bool:
    try:
        safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError:
        return False
    return True


def read(data: bytes) -> FileFacts | None:
    try:
        return read_file_facts(FileEntry("m.safetensors", len(data), "0" * 64), BytesSource(data))
    except InvalidWeights:
        return None


@given(files())
def test_what_we_accept_the_reference_reads_with_the_same_bytes(data: bytes) -> None:
    facts = read(data)
    if facts is None:
        return
    reference = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    assert {tensor.name for tensor in facts.tensors} == reference.keys()
    for tensor in facts.tensors:
        theirs = reference[tensor.name]
        assert (tensor.dtype, list(tensor.shape)) == (theirs["dtype"], theirs["shape"])
        assert b"".join(data[span.offset : span.end] for span in tensor.spans) == bytes(theirs["data"])


@given(files(), st.data())
def test_a_damaged_file_that_we_accept_is_one_that_the_reference_accepts(
    data: bytes, draw: st.DataObject
) -> None:
    at = draw.draw(st.integers(0, len(data)))
    cut = draw.draw(st.integers(0, 3))
    damaged = data[:at] + draw.draw(st.binary(max_size=3)) + data[at + cut :]
    if read(damaged) is not None:
        assert accepted_by_reference(damaged)


@given(
    st.lists(
        st.sampled_from(
            [
                '"a"',
                '"__metadata__"',
                ":",
                ",",
                "{",
                "}",
                "[",
                "]",
                "0",
                "4",
                " ",
                '"F32"',
                '"dtype"',
                '"shape"',
                '"data_offsets"',
                "-1",
                "1.0",
                "null",
                "\\",
            ]
        ),
        max_size=40,
    )
)
def test_a_header_made_of_scraps_is_never_accepted_alone(parts: list[str]) -> None:
    text = "".join(parts).encode()
    data = struct.pack("<Q", len(text)) + text
    if read(data) is not None:
        assert accepted_by_reference(data)


@given(st.binary(max_size=64))
def test_any_bytes_give_a_table_or_a_refusal(data: bytes) -> None:
    read(data)


@given(files())
def test_the_recorded_ranges_give_the_same_facts(data: bytes) -> None:
    facts = read(data)
    if facts is None:
        return
    entry = FileEntry("m.safetensors", len(data), "0" * 64)
    recording = RecordingSource(BytesSource(data))
    read_file_facts(entry, recording)
    assert read_file_facts(entry, ReplaySource(len(data), recording.recorded)) == facts
    assert FileFacts.from_json(facts.to_json()) == facts
