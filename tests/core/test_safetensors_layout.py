from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from nodedata_registry.core.facts import read_file_facts
from nodedata_registry.core.layouts import DTYPE_BITS, BytesSource, Layout, Span
from nodedata_registry.core.layouts import safetensors as layout
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.errors import InvalidWeights


def framed(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def made(header: object, data: bytes = b"") -> bytes:
    return framed(json.dumps(header).encode(), data)


def entry(dtype: object = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def read(data: bytes) -> Layout:
    return layout.read(BytesSource(data))


def reference_refuses(data: bytes) -> bool:
    try:
        safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError:
        return True
    return False


FOUR = b"\0" * 4
ONE = '"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'

REFUSED_BY_BOTH = {
    "an empty file": b"",
    "seven bytes": b"\0" * 7,
    "a header longer than the file": struct.pack("<Q", 100) + b"{}",
    "a header of 2**64 - 1 bytes": struct.pack("<Q", 2**64 - 1) + b"{}",
    "a header over 100 MB": struct.pack("<Q", 100_000_001) + b"{}",
    "a header that is not UTF-8": framed(b'{"\xff": 1}'),
    "a header that is not JSON": framed(b"hello"),
    "a header that is a list": framed(b"[]"),
    "an empty header": framed(b""),
    "a header padded with NUL": framed(b"{" + ONE.encode() + b"}\0\0", FOUR),
    "a header followed by another value": framed(b"{" + ONE.encode() + b"} {}", FOUR),
    "lists nested deeply": framed(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "objects nested deeply": framed(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "metadata twice": framed(b'{"__metadata__": {}, "__metadata__": {}, ' + ONE.encode() + b"}", FOUR),
    "metadata with a number": made({"__metadata__": {"epoch": 1}, "a": entry()}, FOUR),
    "metadata that is a list": made({"__metadata__": [], "a": entry()}, FOUR),
    "no dtype": made({"a": {"shape": [1], "data_offsets": [0, 4]}}, FOUR),
    "no shape": made({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, FOUR),
    "no offsets": made({"a": {"dtype": "F32", "shape": [1]}}, FOUR),
    "an unknown dtype": made({"a": entry("F33")}, FOUR),
    "a dtype in lower case": made({"a": entry("f32")}, FOUR),
    "a negative axis": made({"a": entry(shape=[-1])}, FOUR),
    "a float axis": framed(b'{"a": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}}', FOUR),
    "an axis with an exponent": framed(
        b'{"a": {"dtype": "F32", "shape": [1e0], "data_offsets": [0, 4]}}', FOUR
    ),
    "an axis over 64 bits": made({"a": entry(shape=[2**64])}, FOUR),
    "an axis of 5,000 digits": framed(
        b'{"a": {"dtype": "F32", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 4]}}', FOUR
    ),
    "a shape that overflows": made({"a": entry(shape=[2**32, 2**32, 2**32])}, FOUR),
    "a size in bits that overflows": made({"a": entry("F64", [2**60], [0, 4])}, FOUR),
    "six-bit scalars that fill no byte": made({"a": entry("F6_E2M3", [1], [0, 1])}, b"\0"),
    "half a byte": made({"a": entry("F4", [1], [0, 1])}, b"\0"),
    "offsets that do not fit the shape": made({"a": entry(shape=[2])}, FOUR),
    "an end before the begin": made({"a": entry(offsets=[4, 0])}, FOUR),
    "three offsets": made({"a": entry(offsets=[0, 4, 4])}, FOUR),
    "a hole at the start": made({"a": entry(offsets=[4, 8])}, FOUR * 2),
    "a hole between tensors": made({"a": entry(), "b": entry(offsets=[8, 12])}, FOUR * 3),
    "tensors that overlap": made(
        {"a": entry(shape=[2], offsets=[0, 8]), "b": entry(offsets=[4, 8])}, FOUR * 2
    ),
    "tensors over the same bytes": made({"a": entry(), "b": entry()}, FOUR),
    "trailing bytes": made({"a": entry()}, FOUR + b"x"),
    "missing bytes": made({"a": entry()}, b"\0\0\0"),
    "a tensor that is a string": made({"a": "F32"}),
    "a number with a leading zero": framed(
        b'{"a": {"dtype": "F32", "shape": [01], "data_offsets": [0, 4]}}', FOUR
    ),
    "minus zero": framed(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [-0, 4]}}', FOUR),
    "a lone surrogate in a name": framed(
        b'{"\\ud800": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', FOUR
    ),
    "a trailing comma": framed(b"{" + ONE.encode() + b",}", FOUR),
    "dtype twice": framed(
        b'{"a": {"dtype": "F32", "dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', FOUR
    ),
}

REFUSED_BY_US = {
    "a tensor twice": framed(("{" + ONE + ", " + ONE + "}").encode(), FOUR),
    "a tensor twice under an escape": framed(
        ("{" + ONE + ", " + ONE.replace('"a"', '"\\u0061"') + "}").encode(), FOUR
    ),
    "whitespace before the header": framed(b" {" + ONE.encode() + b"}", FOUR),
    "an unknown field": made({"a": entry() | {"strides": [1]}}, FOUR),
    "no tensor at all": made({}),
    "metadata and no tensor": made({"__metadata__": {"format": "pt"}}),
    "a name with NUL": made({"a\0b": entry()}, FOUR),
    "a name with a line break": made({"a\nb": entry()}, FOUR),
    "a name with an element ..": made({"../a": entry()}, FOUR),
    "metadata with a key twice": framed(
        b'{"__metadata__": {"k": "1", "k": "2"}, ' + ONE.encode() + b"}", FOUR
    ),
    "metadata that is null": framed(b'{"__metadata__": null, ' + ONE.encode() + b"}", FOUR),
    "65 axes": made({"a": entry(shape=[1] * 65)}, FOUR),
    "a header over 25 MB": framed(b"{" + ONE.encode() + b"}" + b" " * 25_000_000, FOUR),
}


@pytest.mark.parametrize("name", REFUSED_BY_BOTH)
def test_what_the_reference_parser_refuses_is_refused(name: str) -> None:
    data = REFUSED_BY_BOTH[name]
    assert reference_refuses(data)
    with pytest.raises(InvalidWeights):
        read(data)


@pytest.mark.parametrize("name", REFUSED_BY_US)
def test_what_a_registry_should_refuse_is_refused_though_the_reference_takes_it(name: str) -> None:
    data = REFUSED_BY_US[name]
    assert not reference_refuses(data) or "twice" in name
    with pytest.raises(InvalidWeights):
        read(data)


def test_a_file_that_the_reference_writes_is_read_with_every_tensor_in_place(tmp_path: Path) -> None:
    tensors: dict[str, NDArray[np.generic]] = {
        "layer.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
        "layer.bias": np.array([1, 2, 3], dtype=np.int64),
        "scale": np.array(0.5, dtype=np.float16),
        "empty": np.zeros((0, 4), dtype=np.float32),
    }
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file(tensors, path, metadata={"format": "np"})
    data = path.read_bytes()
    found = read(data)
    assert found.metadata == {"format": "np"}
    assert {tensor.name: tensor.shape for tensor in found.tensors} == {k: v.shape for k, v in tensors.items()}
    for tensor in found.tensors:
        payload = b"".join(data[span.offset : span.end] for span in tensor.spans)
        assert payload == tensors[tensor.name].tobytes()


def test_tensors_come_sorted_by_where_they_lie() -> None:
    found = read(made({"b": entry(offsets=[4, 8]), "a": entry()}, FOUR * 2))
    assert [tensor.name for tensor in found.tensors] == ["a", "b"]
    assert found.tensors[0].spans == (Span(found.header_bytes, 4),)


def test_spaces_after_the_header_are_padding() -> None:
    assert len(read(framed(b"{" + ONE.encode() + b"}     ", FOUR)).tensors) == 1


def test_a_header_that_is_not_aligned_is_accepted_as_old_writers_made_it() -> None:
    data = framed(b"{" + ONE.encode() + b"}", FOUR)
    assert (struct.unpack("<Q", data[:8])[0] + 8) % 8 != 0
    assert len(read(data).tensors) == 1


@pytest.mark.parametrize("dtype", sorted(layout.DTYPES))
def test_every_dtype_of_the_reference_is_known(dtype: str) -> None:
    bits = DTYPE_BITS[dtype]
    data = made({"a": entry(dtype, [8], [0, bits])}, b"\0" * bits)
    assert not reference_refuses(data)
    assert read(data).tensors[0].dtype == dtype


def test_a_refusal_names_the_file_and_the_tensor() -> None:
    data = made({"good": entry(), "bad": entry(offsets=[8, 12])}, FOUR * 3)
    with pytest.raises(InvalidWeights) as caught:
        read_file_facts(FileEntry("weights/m.safetensors", len(data), "0" * 64), BytesSource(data))
    assert caught.value.details == {"file": "weights/m.safetensors", "tensor": "bad"}
    assert caught.value.message.startswith("weights/m.safetensors: ")


def test_a_message_does_not_repeat_a_name_of_a_megabyte() -> None:
    with pytest.raises(InvalidWeights) as caught:
        read(made({"n" * 1_000_000: entry(offsets=[4, 8])}, FOUR))
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(
    "filler",
    [
        b'"a":' + b"[" * 2_000_000,
        b'"a": {"dtype": "F32", "shape": [' + b"1," * 1_000_000,
        b'"a": "' + b"\\u0041" * 400_000,
        b'"a": {"dtype": ' + b"9" * 2_000_000,
        b" " * 2_000_000,
        b"\\" * 2_000_000,
    ],
)
def test_a_hostile_header_takes_linear_time(filler: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidWeights):
        read(framed(b"{" + filler))
    assert time.monotonic() - started < 2.0


def test_a_table_of_20_000_tensors_is_read_at_once() -> None:
    header = {f"model.layers.{i}.weight": entry(offsets=[4 * i, 4 * i + 4]) for i in range(20_000)}
    started = time.monotonic()
    found = read(made(header, FOUR * 20_000))
    assert len(found.tensors) == 20_000
    assert time.monotonic() - started < 5.0


def test_the_payload_is_never_read() -> None:
    data = made({"a": entry(shape=[1000], offsets=[0, 4000])}, b"\0" * 4000)

    class HeaderOnly(BytesSource):
        def read(self, offset: int, length: int) -> bytes:
            assert offset + length <= len(data) - 4000
            return super().read(offset, length)

    assert layout.read(HeaderOnly(data)).tensors[0].elements == 1000


def test_more_tensors_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_TENSORS", 1)
    with pytest.raises(InvalidWeights, match="more than 1 "):
        read(made({"a": entry(), "b": entry(offsets=[4, 8])}, FOUR * 2))
