from __future__ import annotations

import math
from collections.abc import Iterator

import ml_dtypes
import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nodedata_registry.core.diff_values import ElementChange
from nodedata_registry.core.layouts import DTYPE_BITS, BytesSource, Span, Tensor, byte_count
from nodedata_registry.core.tensor_pairs import Held, TensorPair
from nodedata_registry.errors import InvalidRequest, InvalidWeights
from nodedata_registry.server.tensors.canonical import decode_varints
from nodedata_registry.server.tensors.compare import compare_pairs
from nodedata_registry.server.tensors.count import PIECE_ELEMENTS, count_touched
from nodedata_registry.server.tensors.digests import tensor_digest, tensor_digests
from nodedata_registry.server.tensors.values import SMALL_FLOATS, table

ML_DTYPES = {
    "F4": "float4_e2m1fn",
    "F6_E2M3": "float6_e2m3fn",
    "F6_E3M2": "float6_e3m2fn",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2": "float8_e5m2",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}


def split(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


def numbers(data: bytes, dtype: str, elements: int) -> list[complex | float]:
    """Every scalar's value, one at a time, by other means than the code under test."""
    if dtype in ("I2", "U2", "I4", "U4", "F4", "F6_E2M3", "F6_E3M2"):
        return [small_number(code, dtype) for code in codes(data, dtype, elements)]
    if dtype in ML_DTYPES:
        return [float(x) for x in np.frombuffer(data, dtype=getattr(ml_dtypes, ML_DTYPES[dtype]))]
    if dtype == "BF16":
        return [float(x) for x in np.frombuffer(data, dtype=ml_dtypes.bfloat16)]
    kinds = {"F": "<f", "I": "<i", "U": "<u", "C": "<c"}
    name = "<u1" if dtype == "BOOL" else kinds[dtype[0]] + str(DTYPE_BITS[dtype] // 8)
    return [x.item() for x in np.frombuffer(data, dtype=name)]


def small_number(code: int, dtype: str) -> float:
    if dtype in ML_DTYPES:
        return float(np.array([code], dtype=np.uint8).view(getattr(ml_dtypes, ML_DTYPES[dtype]))[0])
    bits = int(dtype[1:])
    return code - (1 << bits) if dtype[0] == "I" and code >> (bits - 1) else code


def codes(data: bytes, dtype: str, elements: int) -> list[int]:
    bits = DTYPE_BITS[dtype]
    whole = int.from_bytes(data, "little")
    return [(whole >> (bits * index)) & ((1 << bits) - 1) for index in range(elements)]


def by_brute_force(a: bytes, b: bytes, dtype: str, elements: int) -> ElementChange:
    touched = sum(x != y for x, y in zip(codes(a, dtype, elements), codes(b, dtype, elements), strict=True))
    sides = [numbers(data, dtype, elements) for data in (a, b)]
    pairs = [(x, y) for x, y in zip(*sides, strict=True) if finite(x) and finite(y) and finite(y - x)]
    if elements and not pairs:
        return ElementChange(touched)
    changes = [float(abs(y - x)) for x, y in pairs]
    change, norm = math.hypot(*changes), math.hypot(*(float(abs(x)) for x, _ in pairs))
    relative = 0.0 if change == 0 else change / norm if norm else None
    return ElementChange(touched, max(changes, default=0.0), change / math.sqrt(max(len(pairs), 1)), relative)


def finite(number: complex | float) -> bool:
    return math.isfinite(number.real) and math.isfinite(number.imag)


@st.composite
def tensor_pairs(draw: st.DrawFn) -> tuple[str, int, bytes, bytes]:
    """Two tensors of one dtype whose bytes are equal in most places; any bits are possible."""
    dtype = draw(st.sampled_from(sorted(DTYPE_BITS)))
    step = 4 if DTYPE_BITS[dtype] == 6 else 1
    elements = draw(st.integers(0, 9)) * step
    size = byte_count(dtype, elements)
    a = draw(st.binary(min_size=size, max_size=size))
    b = bytearray(a)
    for _ in range(draw(st.integers(0, 3))):
        if size:
            b[draw(st.integers(0, size - 1))] = draw(st.integers(0, 255))
    return dtype, elements, a, bytes(b)


@given(tensor_pairs(), st.lists(st.integers(0, 7), max_size=5), st.lists(st.integers(0, 7), max_size=5))
def test_counts_and_sizes_of_change_equal_brute_force_however_the_bytes_arrive(
    pair: tuple[str, int, bytes, bytes], sizes_a: list[int], sizes_b: list[int]
) -> None:
    dtype, elements, a, b = pair
    expected = by_brute_force(a, b, dtype, elements)
    found = count_touched(split(a, sizes_a), split(b, sizes_b), dtype, elements)
    assert found.touched == expected.touched
    for ours, theirs in (
        (found.max_abs, expected.max_abs),
        (found.rms, expected.rms),
        (found.relative, expected.relative),
    ):
        if theirs is not None and math.isinf(theirs):
            continue  # the brute force overflows where scaled sums do not
        assert (ours is None) == (theirs is None)
        assert ours is None or theirs is None or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-300)


def f32(*values: float) -> list[bytes]:
    return [np.array(values, dtype="<f4").tobytes()]


def test_minus_zero_is_not_zero() -> None:
    assert count_touched(f32(0.0), f32(-0.0), "F32") == ElementChange(1, 0.0, 0.0, 0.0)


def test_the_same_nan_is_untouched_and_another_nan_is_touched() -> None:
    one, other = b"\0\0\xc0\x7f", b"\1\0\xc0\x7f"
    assert count_touched([one], [one], "F32").touched == 0
    assert count_touched([one], [other], "F32") == ElementChange(1, None, None, None)


def test_a_number_that_became_nan_is_touched_and_left_out_of_the_sizes() -> None:
    assert count_touched(f32(1.0, 3.0), f32(math.nan, 4.0), "F32") == ElementChange(1 + 1, 1.0, 1.0, 1 / 3)


def test_denormals_count() -> None:
    tiny = float(np.finfo(np.float32).smallest_subnormal)
    found = count_touched(f32(0.0, tiny), f32(tiny, tiny), "F32")
    assert (found.touched, found.max_abs) == (1, tiny)


def test_an_empty_tensor_has_nothing_touched() -> None:
    assert count_touched([], [], "F32", 0) == ElementChange(0, 0.0, 0.0, 0.0)


def test_a_scalar_is_one_element() -> None:
    assert count_touched(f32(2.0), f32(3.0), "F32", 1) == ElementChange(1, 1.0, 1.0, 0.5)


def test_a_change_from_all_zeros_has_no_relative_size() -> None:
    assert count_touched(f32(0.0, 0.0), f32(3.0, 4.0), "F32").relative is None


def test_differences_of_large_integers_are_exact() -> None:
    a, b = np.array([2**62 + 1], dtype="<i8"), np.array([2**62 + 3], dtype="<i8")
    assert count_touched([a.tobytes()], [b.tobytes()], "I64").max_abs == 2.0
    ends = np.array([-(2**63)], dtype="<i8"), np.array([2**63 - 1], dtype="<i8")
    assert count_touched([ends[0].tobytes()], [ends[1].tobytes()], "I64").max_abs == float(2**64 - 1)


def test_padding_of_the_last_byte_is_no_scalar() -> None:
    assert count_touched([b"\x21\x03"], [b"\x21\xf3"], "I4", 3).touched == 0


def test_sums_do_not_overflow_where_squares_would() -> None:
    a, b = np.array([1e200, 2e200], dtype="<f8"), np.array([2e200, 2e200], dtype="<f8")
    found = count_touched([a.tobytes()], [b.tobytes()], "F64")
    assert found.rms is not None and math.isclose(found.rms, 1e200 / math.sqrt(2))
    assert found.relative is not None and math.isclose(found.relative, 1 / math.sqrt(5))


def test_many_pieces_count_like_one() -> None:
    generator = np.random.default_rng(7)
    a = generator.standard_normal(3 * PIECE_ELEMENTS + 5).astype(np.float32)
    b = a.copy()
    b[generator.choice(len(a), 1234, replace=False)] += 1.0
    found = count_touched(split(a.tobytes(), [1, 999_999, 3]), split(b.tobytes(), [5_000_001]), "F32")
    assert found.touched == int(np.count_nonzero(a.view(np.uint32) != b.view(np.uint32)))
    assert found.rms is not None
    assert math.isclose(found.rms, math.sqrt(np.mean((b.astype(np.float64) - a.astype(np.float64)) ** 2)))


def test_tensors_of_unequal_length_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        count_touched(f32(1.0), f32(1.0, 2.0), "F32")


def test_a_tensor_that_ends_before_its_shape_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        count_touched(f32(1.0), f32(1.0), "F32", 2)


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        count_touched([], [], "Q4_K")


@pytest.mark.parametrize("dtype", sorted(ML_DTYPES))
def test_small_floats_are_worth_what_ml_dtypes_says(dtype: str) -> None:
    values = table(dtype)
    expected: NDArray[np.float64] = (
        np.arange(len(values), dtype=np.uint8).view(getattr(ml_dtypes, ML_DTYPES[dtype])).astype(np.float64)
    )
    np.testing.assert_array_equal(values, expected)
    assert dtype == "F8_E8M0" or dtype in SMALL_FLOATS


def varint(value: int) -> bytes:
    out = bytearray()
    value &= 2**64 - 1
    while True:
        low, value = value & 0x7F, value >> 7
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


@given(
    st.lists(st.integers(-(2**63), 2**64 - 1), max_size=20),
    st.sampled_from([1, 2, 4, 8]),
    st.lists(st.integers(1, 9), max_size=20),
)
def test_varints_give_their_low_bytes_however_the_stream_is_cut(
    values: list[int], width: int, sizes: list[int]
) -> None:
    stream = b"".join(map(varint, values))
    found = b"".join(decode_varints(split(stream, sizes), width))
    assert found == b"".join((value & (2 ** (8 * width) - 1)).to_bytes(width, "little") for value in values)


@pytest.mark.parametrize("stream", [b"\x80", b"\x01\xff\xff", b"\x80" * 10 + b"\x01", b"\xff" * 50])
def test_a_varint_that_is_cut_off_or_too_long_is_refused(stream: bytes) -> None:
    with pytest.raises(InvalidWeights):
        list(decode_varints([stream], 8))


@pytest.mark.parametrize("stream", [b"\x01\x80\x80\x01", b"\x01\x02\x03\x04", b"\x01\x01\x01\x80"])
def test_varints_that_do_not_fit_the_shape_are_refused_naming_file_and_tensor(stream: bytes) -> None:
    tensor = Tensor("bias", "I64", (3,), (Span(0, 4),), "varint:8")
    with pytest.raises(InvalidWeights) as caught:
        tensor_digests([tensor], BytesSource(stream), path="m.onnx")
    assert caught.value.details == {"file": "m.onnx", "tensor": "bias"}


def test_equal_scalars_have_equal_digests_in_every_encoding() -> None:
    values = [1, -2, 300]
    raw = np.array(values, dtype="<i8").tobytes()
    stream = b"".join(map(varint, values))
    as_raw = Tensor("t", "I64", (3,), (Span(0, 24),))
    as_varints = Tensor("t", "I64", (3,), (Span(1, 10), Span(11, len(stream) - 10)), "varint:8")
    expected = blake3(raw).hexdigest()
    assert tensor_digest(as_raw, BytesSource(raw)) == expected
    assert tensor_digest(as_varints, BytesSource(b"x" + stream)) == expected


def test_digests_leave_out_tensors_of_other_files() -> None:
    inside = Tensor("a", "U8", (1,), (Span(0, 1),))
    outside = Tensor("b", "U8", (1,), (Span(0, 1),), "external", "m.data")
    assert tensor_digests([inside, outside], BytesSource(b"x")) == {"a": blake3(b"x").hexdigest()}


def test_an_empty_tensor_has_the_digest_of_nothing() -> None:
    assert tensor_digest(Tensor("e", "F32", (0,), ()), BytesSource(b"")) == blake3(b"").hexdigest()


def test_pairs_of_a_diff_are_counted_through_every_encoding() -> None:
    raw = np.array([1, 2, 3], dtype="<i8").tobytes()
    stream = b"".join(map(varint, [1, 5, 3]))
    a = Held(Tensor("t", "I64", (3,), (Span(0, 24),)), "a.safetensors", "1", "s")
    b = Held(Tensor("t", "I64", (3,), (Span(0, 3),), "varint:8"), "b.onnx", "2", "s")
    opened: list[str] = []
    read: list[int] = []

    def source(path: str) -> BytesSource:
        opened.append(path)
        return BytesSource(raw if path == "a.safetensors" else stream)

    pair = TensorPair("b.onnx", "t", a, b)
    found = compare_pairs([pair, TensorPair("b.onnx", "u", a, b)], source, source, read.append)
    assert found[pair.key].touched == 1 and found[pair.key].max_abs == 3.0
    assert (opened, read) == (["a.safetensors", "b.onnx"], [27, 27])
