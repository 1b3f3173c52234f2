from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.card import Card
from nodedata_registry.core.diff import DiffSide, ElementChange, ParametersDiff, diff, file_changes, pairs
from nodedata_registry.core.facts import FileFacts, RevisionFacts
from nodedata_registry.core.layouts import Span, Tensor

CARD = Card("model_card.md", "MIT")
NAMES = st.sampled_from(["w", "v", "u"])
PATHS = st.sampled_from(
    ["a.safetensors", "b.onnx", "m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"]
)


@st.composite
def revisions(draw: st.DrawFn) -> RevisionFacts:
    """A revision with a few weight files of distinct tensors whose content is one of few."""
    files = []
    for path in draw(st.lists(PATHS, unique=True, max_size=4)):
        tensors = []
        for index, name in enumerate(draw(st.lists(NAMES, unique=True, max_size=3))):
            size = draw(st.integers(1, 2))
            spans = (Span(index * 8, size * 4),)
            tensors.append(
                Tensor(f"{path}/{name}", "F32", (size,), spans, digest=draw(st.sampled_from("123")))
            )
        files.append(FileFacts(path, 8, draw(st.sampled_from("xyz")), "f", True, tensors=tuple(tensors)))
    return RevisionFacts(tuple(sorted(files, key=lambda item: item.path)), CARD)


def parameters(a: RevisionFacts, b: RevisionFacts) -> ParametersDiff:
    touched = {pair.key: ElementChange(pair.b.tensor.elements) for pair in pairs(a, b)}
    return diff(DiffSide("1", "", a), DiffSide("2", "", b), touched=touched, transfer_bytes=0).parameters


@given(revisions())
def test_nothing_changes_from_a_revision_to_itself(revision: RevisionFacts) -> None:
    found = parameters(revision, revision)
    assert not found.tensors and found.touched == found.added == found.removed == 0
    assert found.total.a == found.total.b == revision.parameter_count


@given(revisions(), revisions())
def test_what_comes_one_way_goes_the_other_way(a: RevisionFacts, b: RevisionFacts) -> None:
    there, back = parameters(a, b), parameters(b, a)
    assert (there.total.a, there.total.b) == (back.total.b, back.total.a)
    assert (there.added, there.removed) == (back.removed, back.added)


@given(revisions(), revisions())
def test_sums_of_sets_are_the_sums(a: RevisionFacts, b: RevisionFacts) -> None:
    found = parameters(a, b)
    assert found.touched == sum(item.touched for item in found.by_set)
    assert found.touched == sum(row.touched for row in found.tensors)
    assert found.total.b == b.parameter_count
    assert found.touched <= found.total.b


@given(revisions(), revisions())
def test_applying_file_changes_to_one_side_gives_the_other(a: RevisionFacts, b: RevisionFacts) -> None:
    files = {file.path: file.sha256 for file in a.files}
    after = {file.path: file.sha256 for file in b.files}
    for change in file_changes(a, b):
        if change.change == "removed":
            del files[change.path]
        elif change.change == "renamed":
            assert change.old_path is not None
            files[change.path] = files.pop(change.old_path)
        else:
            files[change.path] = after[change.path]
    assert files == after
