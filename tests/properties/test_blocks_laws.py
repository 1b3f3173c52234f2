from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.blocks import BLOCK_BYTES, GROUP_BYTES, cut
from nodedata_registry.core.layouts import Span, Tensor

SIZES = st.one_of(
    st.integers(0, 2000), st.integers(GROUP_BYTES - 2, GROUP_BYTES + 2), st.integers(0, 3 * BLOCK_BYTES)
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, list[Tensor]]:
    """A file's size and disjoint tensors in it, header and gaps between them included, in any order."""
    offset = draw(SIZES)
    tensors = []
    for index, (length, gap) in enumerate(
        draw(st.lists(st.tuples(SIZES, st.sampled_from([0, 0, 7, 300_000])), max_size=12))
    ):
        spans = (Span(offset, length),) if length else ()
        tensors.append(Tensor(str(index), "U8", (length,), spans))
        offset += length + gap
    return offset, draw(st.permutations(tensors))


@given(tables())
def test_blocks_cover_the_file_exactly(table: tuple[int, list[Tensor]]) -> None:
    size, tensors = table
    end = 0
    for span in cut(size, tensors):
        assert span.offset == end and 0 < span.length <= BLOCK_BYTES
        end = span.end
    assert end == size


@given(tables())
def test_every_large_tensor_is_made_of_whole_blocks_that_its_start_decides(
    table: tuple[int, list[Tensor]],
) -> None:
    size, tensors = table
    blocks = set(cut(size, tensors))
    for tensor in tensors:
        if tensor.stored_bytes >= GROUP_BYTES:
            (span,) = tensor.spans
            for offset in range(span.offset, span.end, BLOCK_BYTES):
                assert Span(offset, min(BLOCK_BYTES, span.end - offset)) in blocks


@given(tables(), SIZES)
def test_a_header_that_grows_moves_the_blocks_of_tensors_and_changes_none(
    table: tuple[int, list[Tensor]], growth: int
) -> None:
    size, tensors = table
    first = min((span.offset for tensor in tensors for span in tensor.spans), default=None)
    if first is None:
        return
    moved = [
        Tensor(t.name, t.dtype, t.shape, tuple(Span(s.offset + growth, s.length) for s in t.spans))
        for t in tensors
    ]
    before = [Span(span.offset + growth, span.length) for span in cut(size, tensors) if span.offset >= first]
    after = [span for span in cut(size + growth, moved) if span.offset >= first + growth]
    assert before == after


@given(tables())
def test_the_order_of_the_table_does_not_matter(table: tuple[int, list[Tensor]]) -> None:
    size, tensors = table
    assert cut(size, tensors) == cut(size, tensors[::-1])


@given(
    st.integers(0, 10_000), st.lists(st.tuples(st.integers(-5, 10_000), st.integers(-5, 10_000)), max_size=6)
)
def test_even_a_table_that_lies_gives_blocks_that_cover_the_file(
    size: int, spans: list[tuple[int, int]]
) -> None:
    tensors = [Tensor("t", "U8", (1,), (Span(offset, length),)) for offset, length in spans]
    end = 0
    for span in cut(size, tensors):
        assert span.offset == end
        end = span.end
    assert end == size
