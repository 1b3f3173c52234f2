from __future__ import annotations

import pytest
from scipy import stats

from nodedata_registry.core.benchmarks import Benchmark, BenchmarkChange, compare_benchmarks
from nodedata_registry.core.metric_directions import direction
from nodedata_registry.core.statistics import student_p, two_proportion_p, welch_p


def changed(a: Benchmark, b: Benchmark) -> BenchmarkChange:
    (change,) = compare_benchmarks([a], [b])
    return change


def rate(value: float, n: int | None = None, *, unit: str | None = None) -> Benchmark:
    return Benchmark("pick", "success_rate", value, n=n, unit=unit)


def timed(value: float, stderr: float | None = None, n: int | None = None) -> Benchmark:
    return Benchmark("step", "latency", value, unit="ms", n=n, stderr=stderr)


@pytest.mark.parametrize(
    "metric",
    ["success_rate", "accuracy", "mAP", "IoU", "reward", "mAP@50-95", "top-1 accuracy", "mean_reward",
     "val/F1", "R2", "grasp_success_rate", "meanAveragePrecision", "recall@10"],
)  # fmt: skip
def test_more_is_better_for(metric: str) -> None:
    assert direction(metric) is True


@pytest.mark.parametrize(
    "metric",
    ["loss", "error", "latency", "WER", "collisions", "val_loss", "tracking_error", "latency_p99_ms", "RMSE",
     "collision rate", "inference_time_ms", "accuracy_loss"],
)  # fmt: skip
def test_less_is_better_for(metric: str) -> None:
    assert direction(metric) is False


@pytest.mark.parametrize(
    "metric", ["gait", "", "mean action change", "time_to_failure", "collision_free_rate", "成功率"]
)
def test_no_direction_is_known_for(metric: str) -> None:
    assert direction(metric) is None


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (rate(0.80, 400), rate(0.86, 400), "improved"),
        (rate(0.86, 400), rate(0.80, 400), "regressed"),
        (rate(0.80, 40), rate(0.86, 40), "within_noise"),
        (rate(0.80), rate(0.86), "improved"),
        (rate(0.80, 400), rate(0.86), "improved"),
        (rate(0.80), rate(0.80, 10), "unchanged"),
        (rate(80, unit="%"), rate(80.3, unit="%"), "within_noise"),
        (rate(80, 40, unit="%"), rate(86, 40, unit="%"), "improved"),
        (timed(10.0), timed(9.0), "improved"),
        (timed(10.0, 0.5, 30), timed(10.8, 0.5, 30), "within_noise"),
        (timed(10.0, 0.5, 30), timed(12.0, 0.5, 30), "regressed"),
        (timed(10.0, 0.0, 30), timed(10.001, 0.0, 30), "regressed"),
        (timed(10.0, 5.0, 1), timed(12.0, 5.0, 1), "regressed"),
        (timed(0.0), timed(0.001), "regressed"),
    ],
)
def test_the_verdict_on(a: Benchmark, b: Benchmark, verdict: str) -> None:
    assert changed(a, b).verdict == verdict


def test_half_a_percent_counts_and_a_hair_less_does_not() -> None:
    assert changed(timed(1.0), timed(1.005)).verdict == "regressed"
    assert changed(timed(1.0), timed(1.00499)).verdict == "within_noise"


def test_without_a_direction_a_value_only_changed() -> None:
    assert (
        changed(Benchmark("walk", "drift of gait", 1.0), Benchmark("walk", "drift of gait", 2.0)).verdict
        == "changed"
    )


def test_a_stated_direction_wins_over_the_table() -> None:
    down = Benchmark("pick", "success_rate", 0.9, higher_is_better=False)
    assert changed(rate(0.5), down).verdict == "regressed"


def test_cards_that_contradict_each_other_give_no_direction() -> None:
    up, down = (Benchmark("a", "x", float(value), higher_is_better=value > 1) for value in (2, 1))
    assert changed(up, down).verdict == "changed"


def test_unlike_units_are_not_comparable() -> None:
    change = changed(timed(4.0), Benchmark("step", "latency", 0.004, unit="s"))
    assert (change.verdict, change.delta, change.relative_delta) == ("not_comparable", None, None)


def test_benchmarks_are_matched_by_name_and_metric() -> None:
    changes = compare_benchmarks([rate(0.5), timed(1.0)], [timed(1.0), Benchmark("pick", "falls", 2.0)])
    assert [(change.metric, change.verdict) for change in changes] == [
        ("success_rate", "removed"),
        ("latency", "unchanged"),
        ("falls", "added"),
    ]


def test_a_delta_is_the_decimal_difference() -> None:
    change = changed(rate(0.3), rate(0.31))
    assert change.delta == 0.01
    assert change.relative_delta == pytest.approx(1 / 30)


def test_from_zero_there_is_no_relative_delta() -> None:
    assert changed(rate(0.0), rate(0.5)).relative_delta is None


def test_a_delta_beyond_floats_is_the_largest_float() -> None:
    change = changed(timed(-1.7e308), timed(1.7e308))
    assert change.delta == pytest.approx(1.7976931348623157e308)


@pytest.mark.parametrize("degrees", [1, 1.5, 2, 7.3, 30, 999.5, 5e4, 1.1e5, 1e7])
@pytest.mark.parametrize("t", [0, 1e-9, 1e-3, 0.5, 1.96, 4, 30, 1e4, 1e160])
def test_the_t_distribution_agrees_with_scipy(t: float, degrees: float) -> None:
    assert student_p(t, degrees) == pytest.approx(2 * stats.t.sf(t, degrees), abs=1e-9)


@pytest.mark.parametrize("a", [(10.0, 0.5, 30), (0.0, 1e-3, 2), (1e6, 3e4, 500)])
@pytest.mark.parametrize("b", [(12.0, 0.7, 25), (0.001, 2e-3, 9), (1.05e6, 1e4, 20_000)])
def test_the_welch_test_agrees_with_scipy(a: tuple[float, float, int], b: tuple[float, float, int]) -> None:
    (mean_a, stderr_a, n_a), (mean_b, stderr_b, n_b) = a, b
    expected = stats.ttest_ind_from_stats(
        mean_a, stderr_a * n_a**0.5, n_a, mean_b, stderr_b * n_b**0.5, n_b, equal_var=False
    ).pvalue
    assert welch_p(*a, *b) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("a", "b"), [((80, 100), (90, 100)), ((5, 1000), (9, 2000)), ((1, 2), (2, 2))])
def test_the_two_proportion_test_agrees_with_the_chi_square_test(
    a: tuple[int, int], b: tuple[int, int]
) -> None:
    table = [[a[0], a[1] - a[0]], [b[0], b[1] - b[0]]]
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert two_proportion_p(a[0] / a[1], a[1], b[0] / b[1], b[1]) == pytest.approx(expected, abs=1e-9)
