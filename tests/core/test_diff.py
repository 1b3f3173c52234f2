from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
import pytest

from nodedata_registry.core.benchmarks import Benchmark
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.bump import Accepted
from nodedata_registry.core.card import Card
from nodedata_registry.core.diff import (
    BumpSummary,
    CardChange,
    Changelog,
    DiffSide,
    ElementChange,
    FileChange,
    RevisionDiff,
    SetDiff,
    TensorDiff,
    Total,
    bump_summary,
    diff,
    file_changes,
    pairs,
    transfer_bytes,
)
from nodedata_registry.core.facts import FileFacts, RevisionFacts
from nodedata_registry.core.findings import finding
from nodedata_registry.core.layouts import Span, Tensor
from nodedata_registry.core.schema import Schema, TensorSpec
from nodedata_registry.core.versions import Bump

CARD = Card("model_card.md", "MIT")


def tensor(
    name: str, content: str, shape: tuple[int, ...] = (4,), dtype: str = "F32", at: int = -1
) -> Tensor:
    """A tensor whose digest is `content`; tensors with the same `at` share their bytes."""
    offset = at if at >= 0 else 1000 + sum(name.encode()) * 1000
    return Tensor(name, dtype, shape, (Span(offset, 16),), digest=content)


def file(path: str, *tensors: Tensor, sha: str | None = None, size: int = 100) -> FileFacts:
    digest = sha if sha is not None else "+".join(f"{t.name}={t.digest}" for t in tensors) or path
    return FileFacts(path, size, digest, "safetensors", weights=bool(tensors), tensors=tensors)


def facts(*files: FileFacts, card: Card = CARD) -> RevisionFacts:
    return RevisionFacts(tuple(sorted(files, key=lambda item: item.path)), card)


def compared(
    a: RevisionFacts, b: RevisionFacts, touched: Mapping[tuple[str, str], ElementChange] | None = None
) -> RevisionDiff:
    return diff(
        DiffSide("1.0.0", "a" * 64, a),
        DiffSide("1.1.0", "b" * 64, b),
        touched=touched or {},
        transfer_bytes=7,
    )


def rows(found: RevisionDiff) -> list[tuple[str, str, str, int]]:
    return [(row.set, row.name, row.change, row.touched) for row in found.parameters.tensors]


M = "model.safetensors"


# --- files -------------------------------------------------------------------------------------


def test_files_are_added_removed_modified_and_renamed() -> None:
    a = facts(
        file("gone", sha="1", size=1),
        file("same", sha="2"),
        file("old/name", sha="3", size=3),
        file("x", sha="4"),
    )
    b = facts(
        file("new", sha="5", size=5),
        file("same", sha="2"),
        file("new/name", sha="3", size=3),
        file("x", sha="6"),
    )
    assert file_changes(a, b) == (
        FileChange("gone", "removed", None, 1, None),
        FileChange("new", "added", None, None, 5),
        FileChange("new/name", "renamed", "old/name", 3, 3),
        FileChange("x", "modified", None, 100, 100),
    )


def test_without_a_parent_every_file_is_added() -> None:
    assert [change.change for change in file_changes(None, facts(file("a"), file("b")))] == ["added", "added"]


def test_of_several_files_with_equal_content_the_one_with_the_same_name_was_renamed() -> None:
    a = facts(file("a/empty", sha="0"), file("b/keep.me", sha="0"))
    b = facts(file("c/keep.me", sha="0"), file("d/other", sha="0"))
    assert [(c.path, c.change, c.old_path) for c in file_changes(a, b)] == [
        ("c/keep.me", "renamed", "b/keep.me"),
        ("d/other", "renamed", "a/empty"),
    ]


def test_a_copy_is_an_added_file() -> None:
    a, b = facts(file("x", sha="1")), facts(file("x", sha="1"), file("y", sha="1"))
    assert [(c.path, c.change) for c in file_changes(a, b)] == [("y", "added")]


def test_transfer_counts_each_lacking_block_once() -> None:
    held, new = Block("h", 10), Block("n", 7)
    assert transfer_bytes([held], [held, new, new, held]) == 7


# --- tensors -----------------------------------------------------------------------------------


def test_only_tensors_with_other_content_must_be_read() -> None:
    a = facts(file(M, tensor("same", "1"), tensor("changed", "2"), tensor("wider", "3"), tensor("gone", "4")))
    b = facts(
        file(M, tensor("same", "1"), tensor("changed", "5"), tensor("wider", "6", (5,)), tensor("came", "7"))
    )
    (pair,) = pairs(a, b)
    assert (pair.key, pair.a.path, pair.b.tensor.digest) == ((M, "changed"), M, "5")


def test_a_tensor_of_unknown_content_must_be_read_unless_its_file_is_the_same() -> None:
    def unknown(sha: str, data: str) -> RevisionFacts:
        weight = Tensor("w", "F32", (4,), (Span(0, 16),), "external", "p.data")
        return facts(file("p.onnx", weight, sha=sha), file("p.data", sha=data))

    assert len(pairs(unknown("1", "d"), unknown("1", "e"))) == 1
    assert pairs(unknown("1", "d"), unknown("2", "d")) == ()


def test_counts_go_into_rows_sets_and_sums() -> None:
    a = facts(file(M, tensor("w", "1"), tensor("gone", "2", (3,))))
    b = facts(file(M, tensor("w", "3"), tensor("came", "4", (5,))))
    found = compared(a, b, {(M, "w"): ElementChange(2, 0.5, 0.25, 0.125)}).parameters
    assert (found.total, found.touched, found.added, found.removed) == (Total(7, 9), 2, 5, 3)
    assert found.by_set == (SetDiff(M, Total(7, 9), 2, 5, 3),)
    assert found.tensors == (
        TensorDiff(M, "w", "modified", "F32", (4,), 2, 0.5, 0.25, 0.125),
        TensorDiff(M, "came", "added", "F32", (5,), 0, None, None, None),
        TensorDiff(M, "gone", "removed", "F32", (3,), 0, None, None, None),
    )


def test_a_missing_count_is_an_error_and_never_a_silent_zero() -> None:
    with pytest.raises(KeyError):
        compared(facts(file(M, tensor("w", "1"))), facts(file(M, tensor("w", "2"))))


def test_a_retyped_or_reshaped_tensor_counts_whole_as_it_is_in_b() -> None:
    a = facts(file(M, tensor("t", "1", (4,)), tensor("s", "2", (4,)), tensor("both", "3", (4,))))
    b = facts(
        file(M, tensor("t", "4", (4,), "F16"), tensor("s", "5", (2, 3)), tensor("both", "6", (7,), "F16"))
    )
    found = compared(a, b)
    assert rows(found) == [(M, "t", "retyped", 4), (M, "s", "reshaped", 6), (M, "both", "reshaped", 7)]
    assert found.parameters.touched == 17


def test_a_renamed_tensor_is_neither_touched_nor_added_nor_removed() -> None:
    found = compared(facts(file(M, tensor("old", "1"))), facts(file(M, tensor("new", "1"))))
    assert rows(found) == [(M, "new", "renamed", 0)]
    assert (found.parameters.touched, found.parameters.added, found.parameters.removed) == (0, 0, 0)


def test_equal_content_of_another_shape_is_not_a_renamed_tensor() -> None:
    found = compared(facts(file(M, tensor("old", "1", (4,)))), facts(file(M, tensor("new", "1", (2, 2)))))
    assert [row.change for row in found.parameters.tensors] == ["added", "removed"]


def test_re_sharding_touches_nothing() -> None:
    a = facts(
        file("m-00001-of-00002.safetensors", tensor("a", "1")),
        file("m-00002-of-00002.safetensors", tensor("b", "2")),
    )
    b = facts(file("m.safetensors", tensor("a", "1"), tensor("b", "2")))
    found = compared(a, b)
    assert rows(found) == [] and found.parameters.by_set == (SetDiff("m.safetensors", Total(8, 8), 0, 0, 0),)


def test_the_only_set_left_on_each_side_is_one_set_across_names_and_formats() -> None:
    a = facts(
        file("policy.onnx", tensor("w", "1"), tensor("v", "2")), file("same.safetensors", tensor("x", "9"))
    )
    b = facts(
        file("new.safetensors", tensor("w", "1"), tensor("v", "3")),
        file("same.safetensors", tensor("x", "9")),
    )
    assert [pair.key for pair in pairs(a, b)] == [("new.safetensors", "v")]
    assert rows(compared(a, b, {("new.safetensors", "v"): ElementChange(1)})) == [
        ("new.safetensors", "v", "modified", 1)
    ]


def test_two_sets_left_on_a_side_do_not_pair_unless_their_content_is_the_same() -> None:
    a = facts(
        file("a.safetensors", tensor("w", "1")),
        file("b.safetensors", tensor("w", "2")),
        file("c.safetensors", tensor("w", "3")),
    )
    b = facts(
        file("x.safetensors", tensor("w", "2")),
        file("y.safetensors", tensor("w", "8")),
        file("z.safetensors", tensor("w", "9")),
    )
    assert pairs(a, b) == ()
    assert rows(compared(a, b)) == [
        ("y.safetensors", "w", "added", 0),
        ("z.safetensors", "w", "added", 0),
        ("a.safetensors", "w", "removed", 0),
        ("c.safetensors", "w", "removed", 0),
    ]


def test_a_tensor_that_moved_to_another_set_was_renamed() -> None:
    a = facts(
        file("a.safetensors", tensor("w", "1"), tensor("v", "2")), file("b.safetensors", tensor("u", "3"))
    )
    b = facts(
        file("a.safetensors", tensor("w", "1")), file("b.safetensors", tensor("u", "3"), tensor("v", "2"))
    )
    assert rows(compared(a, b)) == [("b.safetensors", "v", "renamed", 0)]


def test_tensors_that_share_their_bytes_count_once_in_a_set() -> None:
    a = facts(file(M, tensor("embed", "1", at=0), tensor("head", "1", at=0)))
    b = facts(file(M, tensor("embed", "2", at=0), tensor("head", "2", at=0)))
    touched = {(M, "embed"): ElementChange(3), (M, "head"): ElementChange(3)}
    found = compared(a, b, touched)
    assert rows(found) == [(M, "embed", "modified", 3), (M, "head", "modified", 3)]
    assert (found.parameters.total, found.parameters.touched) == (Total(4, 4), 3)


def test_a_tied_tensor_that_comes_or_goes_adds_and_removes_no_scalar() -> None:
    one = facts(file(M, tensor("embed", "1", at=0), sha="x"))
    two = facts(file(M, tensor("embed", "1", at=0), tensor("head", "1", at=0), sha="y"))
    assert (compared(one, two).parameters.added, compared(two, one).parameters.removed) == (0, 0)


def test_shards_that_name_one_tensor_twice_keep_both() -> None:
    a = facts(
        file("m-00001-of-00002.safetensors", tensor("w", "1")),
        file("m-00002-of-00002.safetensors", tensor("w", "2")),
    )
    assert compared(a, a).parameters.total == Total(8, 8)


def test_a_read_that_finds_nothing_touched_gives_no_row() -> None:
    a, b = facts(file(M, tensor("w", "1"))), facts(file(M, tensor("w", "2")))
    assert rows(compared(a, b, {(M, "w"): ElementChange(0, 0.0, 0.0, 0.0)})) == []


def test_a_table_of_5_000_tensors_is_compared_in_milliseconds() -> None:
    a = facts(file(M, *(tensor(f"layers.{i}.weight", str(i), at=i * 16) for i in range(5000))))
    b = facts(file(M, *(tensor(f"layers.{i}.weight", str(i + i % 2), at=i * 16) for i in range(5000))))
    started = time.perf_counter()
    changed = pairs(a, b)
    found = compared(a, b, {pair.key: ElementChange(1) for pair in changed})
    assert time.perf_counter() - started < 1.0
    assert (len(changed), found.parameters.touched) == (2500, 2500)


# --- the rest ----------------------------------------------------------------------------------


def test_a_revision_against_itself_has_totals_and_no_change() -> None:
    revision = facts(file(M, tensor("w", "1")))
    found = compared(revision, revision)
    changes = (found.files.items, found.parameters.tensors, found.benchmarks, found.schema, found.card)
    assert not any(changes)
    assert found.parameters.total == Total(4, 4)


def test_the_card_s_fields_are_compared_one_by_one() -> None:
    a = Card("c", "MIT", "old", title="A", task="walk", training_data=["x"], extra={"k": 1, "gone": True})
    b = Card(
        "c",
        "Apache-2.0",
        "new",
        title="A",
        task="run",
        training_data=["x"],
        extra={"k": 1, "came": None, "n": [2]},
    )
    found = compared(facts(card=a), facts(card=b))
    assert (found.license.a, found.license.b) == ("MIT", "Apache-2.0")
    assert found.card == (
        CardChange("task", "walk", "run"),
        CardChange("gone", True, None),
        CardChange("n", None, [2]),
        CardChange("text", None, None),
    )


def test_benchmarks_and_schema_changes_are_shown() -> None:
    def revision(value: float, size: int) -> RevisionFacts:
        card = Card("c", "MIT", benchmarks=(Benchmark("pick", "success_rate", value),))
        schema = Schema((TensorSpec("obs", (size,)),), (TensorSpec("action", (1,)),))
        return RevisionFacts((), card, schema)

    found = compared(revision(0.5, 4), revision(0.9, 5))
    assert [change.verdict for change in found.benchmarks] == ["improved"]
    assert [(change.code, change.asks) for change in found.schema] == [("input_shape_changed", "major")]


def test_the_json_has_the_names_of_the_contract_and_survives_a_round_trip() -> None:
    a, b = facts(file(M, tensor("w", "1"))), facts(file(M, tensor("w", "2")))
    bump = bump_summary(
        Bump.PATCH,
        Bump.PATCH,
        [finding("weights_changed", "they changed", M)],
        [Accepted("task_changed", "why")],
    )
    found = diff(
        DiffSide("1.0.0", "a", a),
        DiffSide("1.0.1", "b", b),
        touched={(M, "w"): ElementChange(1, 0.5, 0.25, None)},
        transfer_bytes=16,
        changelogs=[Changelog("1.0.1", "fix")],
        bump=bump,
    )
    assert RevisionDiff.from_json(found.to_json()) == found
    assert isinstance(found.bump, BumpSummary)
    assert (
        msgspec.json.decode(found.to_json())
        == found.to_dict()
        == {
            "a": {"version": "1.0.0", "digest": "a"},
            "b": {"version": "1.0.1", "digest": "b"},
            "rules": 1,
            "files": {
                "transfer_bytes": 16,
                "items": [
                    {
                        "path": M,
                        "change": "modified",
                        "old_path": None,
                        "size_a_bytes": 100,
                        "size_b_bytes": 100,
                    }
                ],
            },
            "parameters": {
                "total": {"a": 4, "b": 4},
                "touched": 1,
                "added": 0,
                "removed": 0,
                "by_set": [{"set": M, "total": {"a": 4, "b": 4}, "touched": 1, "added": 0, "removed": 0}],
                "tensors": [
                    {
                        "set": M,
                        "name": "w",
                        "change": "modified",
                        "dtype": "F32",
                        "shape": [4],
                        "touched": 1,
                        "max_abs": 0.5,
                        "rms": 0.25,
                        "relative": None,
                    }
                ],
            },
            "benchmarks": [],
            "schema": [],
            "license": {"a": "MIT", "b": "MIT"},
            "card": [],
            "changelogs": [{"version": "1.0.1", "changelog": "fix"}],
            "bump": {
                "declared": "patch",
                "asked": "patch",
                "findings": [
                    {"code": "weights_changed", "asks": "patch", "message": "they changed", "subject": M}
                ],
                "accepted": [{"code": "task_changed", "reason": "why"}],
            },
        }
    )
