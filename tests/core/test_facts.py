from __future__ import annotations

import hashlib
import json
import struct

import pytest

from nodedata_registry.core.facts import (
    FileFacts,
    RecordingSource,
    ReplaySource,
    format_of,
    needs_header,
    read_file_facts,
    revision_facts,
)
from nodedata_registry.core.layouts import BytesSource, Span, Tensor, merge_ranges
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.core.schema import Schema, TensorSpec
from nodedata_registry.errors import (
    CardRequired,
    InvalidCard,
    InvalidRequest,
    InvalidWeights,
    SchemaMismatch,
)

CARD = b"---\nlicense: apache-2.0\n---\n# A policy\n"


def facts(path: str, data: bytes) -> FileFacts:
    return read_file_facts(FileEntry(path, len(data), hashlib.sha256(data).hexdigest()), BytesSource(data))


def weights(*names: str) -> bytes:
    header = {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
        for i, name in enumerate(names)
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * 4 * len(names)


def policy(path: str, size: int) -> FileFacts:
    schema = Schema((TensorSpec("obs", (1, 4)),), (TensorSpec("action", (1, size)),))
    return FileFacts(path, 10, "a" * 64, "onnx", weights=True, schema=schema)


CARD_FACTS = facts("model_card.md", CARD)


# --- sources -----------------------------------------------------------------------------------


def test_recorded_ranges_are_merged_and_sorted() -> None:
    source = RecordingSource(BytesSource(bytes(range(100))))
    for offset, length in ((50, 10), (0, 8), (8, 4), (55, 10), (3, 2), (90, 0)):
        source.read(offset, length)
    assert source.recorded == ((0, bytes(range(12))), (50, bytes(range(50, 65))))


def test_ranges_inside_others_disappear() -> None:
    assert merge_ranges([(0, b"abcdef"), (2, b"cd")]) == ((0, b"abcdef"),)


def test_a_replay_gives_what_was_recorded() -> None:
    source = ReplaySource(100, [(50, b"xyz"), (0, b"abc")])
    assert (source.read(1, 2), source.read(50, 3), source.read(99, 0)) == (b"bc", b"xyz", b"")


@pytest.mark.parametrize(("offset", "length"), [(2, 2), (10, 1), (49, 2), (52, 2)])
def test_a_replay_refuses_what_was_not_recorded(offset: int, length: int) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ReplaySource(100, [(0, b"abc"), (50, b"xyz")]).read(offset, length)
    assert caught.value.field == "headers"


@pytest.mark.parametrize("ranges", [[(0, b"abc"), (2, b"x")], [(99, b"ab")], [(-1, b"a")], [(101, b"")]])
def test_ranges_that_overlap_or_leave_the_file_are_refused(ranges: list[tuple[int, bytes]]) -> None:
    with pytest.raises(InvalidRequest):
        ReplaySource(100, ranges)


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (0, 101), (100, 1), (2**70, 1), (0, -1)])
def test_reading_outside_the_file_says_that_it_is_truncated(offset: int, length: int) -> None:
    with pytest.raises(InvalidWeights):
        BytesSource(bytes(100)).read(offset, length)


# --- one file ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "format_name"),
    [
        ("a/model.safetensors", "safetensors"),
        ("MODEL.SAFETENSORS", "safetensors"),
        ("policy.onnx", "onnx"),
        ("policy.onnx.data", "onnx_data"),
        ("sub/config.json", "config"),
        ("tokenizer.json", "text"),
        ("model_card.md", "card"),
        ("pytorch_model.bin", "bin"),
        ("best.pt", "pickle"),
        ("m.gguf", "gguf"),
        ("LICENSE", "other"),
    ],
)
def test_the_format_is_a_matter_of_the_path(path: str, format_name: str) -> None:
    assert format_of(path) == format_name


def test_facts_survive_json() -> None:
    found = facts("m.safetensors", weights("a", "b")).with_digests({"a": "d" * 64})
    assert FileFacts.from_json(found.to_json()) == found
    assert [tensor.digest for tensor in found.tensors] == ["d" * 64, None]
    assert FileFacts.from_json(policy("p.onnx", 2).to_json()) == policy("p.onnx", 2)


def test_the_same_content_elsewhere_has_the_same_facts() -> None:
    data = weights("a")
    assert facts("x.safetensors", data).at("y/z.safetensors") == facts("y/z.safetensors", data)


@pytest.mark.parametrize(
    ("path", "data", "pickled"),
    [
        ("m.pt", b"PK\x03\x04zip", True),
        ("m.pkl", b"(lp0\n.", True),
        ("pytorch_model.bin", b"\x80\x02}q\x00.", True),
        ("pytorch_model.bin", b"PK\x03\x04zip", True),
        ("weights.bin", b"\0\0\x80\x3f", False),
        ("m.npy", b"\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", True),
        ("m.npy", b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", False),
        ("m.ckpt", b"", True),
        ("notes.txt", b"\x80\x04", False),
    ],
)
def test_files_that_may_run_code_when_loaded_are_flagged_and_never_loaded(
    path: str, data: bytes, pickled: bool
) -> None:
    assert facts(path, data).pickled is pickled


def test_a_pickle_under_the_name_of_safetensors_is_refused() -> None:
    with pytest.raises(InvalidWeights):
        facts("m.safetensors", b"\x80\x04\x95\x05\0\0\0\0\0\0\0K\x01.")


def test_a_metadata_key_named_pickled_flags_nothing() -> None:
    text = b'{"__metadata__": {"pickled": "1"}, "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}'
    found = facts("m.safetensors", struct.pack("<Q", len(text)) + text + b"\0")
    assert not found.pickled and found.metadata == {"pickled": "1"}


def test_a_file_that_no_check_reads_needs_no_header_and_is_not_read() -> None:
    assert not needs_header("LICENSE")
    found = read_file_facts(FileEntry("LICENSE", 5, "0" * 64), ReplaySource(5, []))
    assert (found.format, found.weights, found.tensors) == ("other", False, ())


def test_tensors_that_share_their_bytes_count_once() -> None:
    shared = (Span(0, 16),)
    tensors = (
        Tensor("embed", "F32", (4,), shared),
        Tensor("head", "F32", (2, 2), shared),
        Tensor("e", "F32", (0,), ()),
    )
    assert FileFacts("m.pt", 16, "0" * 64, "pickle", tensors=tensors).parameter_count == 4


# --- a revision --------------------------------------------------------------------------------


def test_files_are_sorted_and_the_card_is_parsed() -> None:
    found = revision_facts([facts("z.safetensors", weights("a")), CARD_FACTS], CARD)
    assert [file.path for file in found.files] == ["model_card.md", "z.safetensors"]
    assert found.card.license == "Apache-2.0"
    assert found.schema is None and found.parameter_count == 1


def test_a_revision_without_a_card_is_refused() -> None:
    with pytest.raises(CardRequired):
        revision_facts([facts("m.safetensors", weights("a"))], CARD)


def test_the_only_file_with_a_schema_states_the_schema_of_the_revision() -> None:
    found = revision_facts([policy("p.onnx", 29), CARD_FACTS], CARD)
    assert found.schema is not None and found.schema.outputs == (TensorSpec("action", (1, 29)),)
    assert found.schemas.keys() == {"p.onnx"}


def test_a_card_that_says_otherwise_is_refused() -> None:
    card = b"---\nlicense: mit\noutputs:\n  action: [23]\n---\n"
    with pytest.raises(SchemaMismatch):
        revision_facts([policy("p.onnx", 29), facts("model_card.md", card)], card)


def test_with_several_files_the_entry_decides_which_one_the_card_describes() -> None:
    files = [policy("a.onnx", 2), policy("b.onnx", 3), CARD_FACTS]
    assert revision_facts(files, CARD).schema is None
    found = revision_facts(files, b"---\nlicense: mit\nentry: b.onnx\n---\n")
    assert found.schema is not None and found.schema.outputs == (TensorSpec("action", (1, 3)),)
    with pytest.raises(InvalidCard):
        revision_facts(files, b"---\nlicense: mit\nentry: c.onnx\n---\n")


def outside(length: int, location: str = "w.data") -> FileFacts:
    tensor = Tensor("w", "U8", (length,), (Span(0, length),), "external", location)
    return FileFacts("sub/p.onnx", 10, "a" * 64, "onnx", weights=True, tensors=(tensor,))


def test_a_file_with_tensors_of_another_counts_as_weights() -> None:
    data = FileFacts("sub/w.data", 100, "b" * 64, "other")
    found = revision_facts([outside(100), data, CARD_FACTS], CARD).get("sub/w.data")
    assert found is not None and found.weights


@pytest.mark.parametrize(("length", "location"), [(101, "w.data"), (1, "absent.data")])
def test_external_data_that_is_not_there_is_refused(length: int, location: str) -> None:
    data = FileFacts("sub/w.data", 100, "b" * 64, "other")
    with pytest.raises(InvalidWeights) as caught:
        revision_facts([outside(length, location), data, CARD_FACTS], CARD)
    assert caught.value.details == {"file": "sub/p.onnx", "tensor": "w"}
