"""Laws of schemas, benchmarks and bumps."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from nodedata_registry.core.benchmarks import Benchmark, compare_benchmarks
from nodedata_registry.core.bump import asked_bump, judge, verdict
from nodedata_registry.core.facts import RevisionFacts
from nodedata_registry.core.findings import FINDINGS, finding
from nodedata_registry.core.schema import Axis, Schema, TensorSpec, join
from nodedata_registry.core.schema_findings import compare
from nodedata_registry.core.statistics import incomplete_beta, student_p, two_proportion_p
from nodedata_registry.core.versions import Bump, Version
from tests.core.revision_builder import revision, safetensors

AXES: st.SearchStrategy[Axis] = st.one_of(st.integers(-1, 3), st.sampled_from(["N", "M", "T"]))
SPECS = st.builds(
    TensorSpec,
    name=st.sampled_from("abcd"),
    shape=st.lists(AXES, max_size=3).map(tuple),
    dtype=st.sampled_from([None, "F32", "F16"]),
    optional=st.booleans(),
    names=st.sampled_from([None, ("x",), ("y",)]),
)
SIDES = st.none() | st.lists(SPECS, max_size=3, unique_by=lambda spec: spec.name).map(tuple)
SCHEMAS = st.builds(Schema, SIDES, SIDES)
VALUES = st.floats(-1e6, 1e6, allow_subnormal=False)
BENCHMARKS = st.builds(
    Benchmark,
    name=st.just("a"),
    metric=st.sampled_from(["success_rate", "loss", "gait"]),
    value=VALUES | st.floats(0, 1),
    higher_is_better=st.sampled_from([None, True, False]),
    unit=st.sampled_from([None, "ms"]),
    n=st.none() | st.integers(1, 10_000),
    stderr=st.none() | st.floats(0, 100),
)
CARDS = st.builds(
    (
        "license: {}\ntask: {}\ntraining_data: {}\nbenchmarks: [{{name: a, metric: accuracy, value: {}}}]\n{}"
    ).format,
    st.sampled_from(["mit", "MIT", "isc"]),
    st.sampled_from(["walk", "Walk", "run", ""]),
    st.sampled_from(["x", "y", ""]),
    st.sampled_from([0.5, 0.9]),
    st.sampled_from(["", "inputs: {x: [3]}", "inputs: {x: [N, 3]}", "tags: [a]"]),
)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "model.safetensors": st.sampled_from(
            [safetensors(fill=0), safetensors(fill=1), safetensors({"w": ("F16", (2,))})]
        ),
        "model-00001-of-00001.safetensors": st.just(safetensors()),
        "train.yaml": st.sampled_from([b"a", b"b"]),
        "LICENSE": st.sampled_from([b"a", b"b"]),
    },
)
REVISIONS = st.builds(
    lambda card, files, path: revision(card, files, card_path=path),
    CARDS,
    FILES,
    st.sampled_from(["README.md", "model_card.md"]),
)
CODES = st.lists(st.sampled_from(sorted(FINDINGS)), max_size=6)


def renamed(schema: Schema) -> Schema:
    """Return the schema with every axis symbol consistently renamed."""

    def side(specs: tuple[TensorSpec, ...] | None) -> tuple[TensorSpec, ...] | None:
        if specs is None:
            return None
        return tuple(
            replace(spec, shape=tuple(f"{axis}_" if isinstance(axis, str) else axis for axis in spec.shape))
            for spec in specs
        )

    return Schema(side(schema.inputs), side(schema.outputs))


@given(SCHEMAS)
def test_a_schema_differs_from_itself_in_nothing(schema: Schema) -> None:
    assert compare(schema, schema) == []


@given(SCHEMAS)
def test_renaming_every_symbol_changes_nothing(schema: Schema) -> None:
    assert compare(schema, renamed(schema)) == []


@given(SCHEMAS, SCHEMAS)
def test_the_names_of_symbols_never_matter(before: Schema, after: Schema) -> None:
    plain = [(item.code, item.subject) for item in compare(before, after)]
    assert [(item.code, item.subject) for item in compare(renamed(before), renamed(after))] == plain


@given(SCHEMAS, SCHEMAS)
def test_what_is_found_one_way_is_not_nothing_the_other_way(before: Schema, after: Schema) -> None:
    assert bool(compare(before, after)) == bool(compare(after, before))


@given(SCHEMAS, SCHEMAS)
def test_every_change_of_stated_outputs_is_major(before: Schema, after: Schema) -> None:
    for item in compare(replace(before, inputs=None), replace(after, inputs=None)):
        assert item.asks == Bump.MAJOR or item.code == "schema_stated"


@given(SCHEMAS)
def test_a_file_agrees_with_a_card_that_says_the_same(schema: Schema) -> None:
    assume(schema.inputs is not None or schema.outputs is not None)
    wide = all(
        spec.names is None or (spec.shape and spec.shape[-1] in (1, -1, "N", "M", "T"))
        for side in (schema.inputs, schema.outputs)
        for spec in side or ()
    )
    assume(wide)
    assert join(schema, schema) == schema


@given(BENCHMARKS, BENCHMARKS)
def test_a_benchmark_that_does_not_move_is_unchanged(a: Benchmark, b: Benchmark) -> None:
    same = replace(b, value=a.value, unit=a.unit, metric=a.metric)
    assert [change.verdict for change in compare_benchmarks([a], [same])] == ["unchanged"]


@given(BENCHMARKS, BENCHMARKS)
def test_improvement_backwards_is_no_improvement(a: Benchmark, b: Benchmark) -> None:
    b = replace(b, metric=a.metric)
    forwards = compare_benchmarks([a], [b])[0].verdict
    backwards = compare_benchmarks([b], [a])[0].verdict
    assert (forwards, backwards) not in {("improved", "improved"), ("regressed", "regressed")}
    assert (forwards == "changed") == (backwards == "changed")


@given(st.floats(0, 1), st.integers(1, 10**9), st.floats(0, 1), st.integers(1, 10**9))
def test_a_p_value_lies_between_nought_and_one(a: float, n_a: int, b: float, n_b: int) -> None:
    p = two_proportion_p(a, n_a, b, n_b)
    assert 0 <= p <= 1
    assert p == two_proportion_p(b, n_b, a, n_a) or abs(p - two_proportion_p(b, n_b, a, n_a)) < 1e-9


@given(st.floats(0, 1e300), st.floats(1, 1e12))
def test_the_tail_of_t_is_a_probability(t: float, degrees: float) -> None:
    assert 0 <= student_p(t, degrees) <= 1 + 1e-12


@given(st.floats(0.5, 500), st.floats(0.5, 500), st.floats(0.001, 0.999))
def test_the_beta_function_mirrors(a: float, b: float, x: float) -> None:
    assert abs(incomplete_beta(a, b, x, 1 - x) + incomplete_beta(b, a, 1 - x, x) - 1) < 1e-9


@given(REVISIONS, REVISIONS)
def test_findings_are_empty_exactly_for_the_same_files(before: RevisionFacts, after: RevisionFacts) -> None:
    same = [(file.path, file.sha256) for file in before.files] == [(f.path, f.sha256) for f in after.files]
    assert (judge(before, after) == ()) == same


@given(REVISIONS, REVISIONS)
def test_every_finding_is_of_the_table_and_says_something(
    before: RevisionFacts, after: RevisionFacts
) -> None:
    for item in judge(before, after):
        assert FINDINGS[item.code] == item.asks
        assert item.message
        assert "\n" not in item.message


@given(REVISIONS, REVISIONS)
def test_without_a_changed_model_only_licence_and_schema_ask_for_more_than_a_patch(
    before: RevisionFacts, after: RevisionFacts
) -> None:
    after = replace(before, card=after.card, schema=before.schema, schemas=before.schemas)
    for item in judge(before, after):
        assert item.asks <= Bump.PATCH or item.code == "license_changed"


@given(CODES, CODES)
def test_more_findings_never_ask_for_less(some: list[str], more: list[str]) -> None:
    few = [finding(code, "x") for code in some]
    many = few + [finding(code, "x") for code in more]
    assert asked_bump(few, {}) <= asked_bump(many, {})


@given(CODES, st.sets(st.sampled_from(sorted(FINDINGS))))
def test_accepting_never_asks_for_more(codes: list[str], accepted: set[str]) -> None:
    findings = [finding(code, "x") for code in codes]
    accept = dict.fromkeys(accepted, "agreed")
    assert asked_bump(findings, accept) <= asked_bump(findings, {})
    assert asked_bump(findings, dict.fromkeys(codes, "agreed")) == Bump.NONE


@given(REVISIONS, REVISIONS)
def test_a_major_bump_always_suffices(before: RevisionFacts, after: RevisionFacts) -> None:
    assert verdict(Version(2, 0, 0), [(Version(1, 0, 0), before)], after, {}).ok
