from __future__ import annotations

from nodedata_registry.core.blocks import BLOCK_BYTES, GROUP_BYTES, cut
from nodedata_registry.core.layouts import Span, Tensor

MIB = 1024 * 1024


def tensor(offset: int, length: int) -> Tensor:
    return Tensor(f"t{offset}", "U8", (length,), (Span(offset, length),) if length else ())


def lengths(size_bytes: int, *tensors: Tensor) -> list[int]:
    return [span.length for span in cut(size_bytes, tensors)]


def test_an_empty_file_has_no_blocks() -> None:
    assert cut(0) == ()


def test_a_file_without_tensors_is_cut_every_four_mebibytes() -> None:
    assert lengths(9 * MIB) == [4 * MIB, 4 * MIB, MIB]


def test_the_header_is_a_block_of_its_own() -> None:
    assert lengths(100 + MIB, tensor(100, MIB)) == [100, MIB]


def test_a_large_header_is_cut_every_four_mebibytes() -> None:
    assert lengths(6 * MIB, tensor(5 * MIB, MIB)) == [4 * MIB, MIB, MIB]


def test_a_large_tensor_is_cut_every_four_mebibytes_from_its_start() -> None:
    assert cut(100 + 5 * MIB, [tensor(100, 5 * MIB)]) == (
        Span(0, 100),
        Span(100, 4 * MIB),
        Span(100 + 4 * MIB, MIB),
    )


def test_small_tensors_are_grouped_until_the_next_would_pass_256_kib() -> None:
    small = [tensor(100 + i * 100_000, 100_000) for i in range(5)]
    assert lengths(500_100, *small) == [100, 200_000, 200_000, 100_000]


def test_a_tensor_of_exactly_256_kib_starts_a_block() -> None:
    assert lengths(110 + GROUP_BYTES, tensor(100, 10), tensor(110, GROUP_BYTES)) == [100, 10, GROUP_BYTES]


def test_a_group_may_fill_256_kib_exactly() -> None:
    half = GROUP_BYTES // 2
    assert lengths(GROUP_BYTES + 1, tensor(0, half), tensor(half, half), tensor(2 * half, 1)) == [
        GROUP_BYTES,
        1,
    ]


def test_a_gap_after_a_large_tensor_goes_with_the_small_ones_that_follow() -> None:
    assert lengths(MIB + 70, tensor(0, MIB), tensor(MIB + 20, 50)) == [MIB, 70]


def test_a_large_gap_is_cut_like_a_tensor() -> None:
    assert lengths(7 * MIB, tensor(0, 10), tensor(6 * MIB, MIB)) == [10, 4 * MIB, 2 * MIB - 10, MIB]


def test_tensors_in_another_file_cut_nothing() -> None:
    outside = Tensor("t", "U8", (MIB,), (Span(7, MIB),), "external", "model.data")
    assert lengths(2 * MIB, outside) == [2 * MIB]


def test_empty_tensors_cut_nothing() -> None:
    assert lengths(100 + MIB, tensor(50, 0), tensor(100, MIB)) == [100, MIB]


def test_no_block_is_larger_than_the_limit() -> None:
    assert max(lengths(50 * MIB, tensor(3, 20 * MIB), tensor(30 * MIB, 7))) == BLOCK_BYTES
