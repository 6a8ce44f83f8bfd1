"""Intervals of one system against SciPy, and their exact coverage."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import mean_interval, normal_quantile, wilson


@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.8, 0.95, 0.99])
)
def test_wilson_is_that_of_scipy_and_holds_the_mean(counts: tuple[int, int], level: float) -> None:
    ours, theirs = wilson(*counts, level), stats.binomtest(*counts).proportion_ci(level, method="wilson")
    assert ours[1:] == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0.0 <= ours.ci_low <= ours.mean <= ours.ci_high <= 1.0
    assert ours.ci_low < ours.ci_high


@pytest.mark.parametrize(
    ("n", "p", "covered"), [(20, 0.05, 0.93), (50, 0.9, 0.97), (100, 0.05, 0.96), (300, 0.3, 0.95)]
)
def test_wilson_covers_at_small_n_where_the_normal_interval_does_not(n: int, p: float, covered: float) -> None:
    """Exact coverage, summed over all outcomes."""
    mass = stats.binom.pmf(range(n + 1), n, p)
    inside = [wilson(k, n).ci_low <= p <= wilson(k, n).ci_high for k in range(n + 1)]
    assert sum(mass[inside]) == pytest.approx(covered, abs=0.011)
    z = normal_quantile(0.975)
    normal = [abs(k / n - p) <= z * math.sqrt(k / n * (1 - k / n) / n) for k in range(n + 1)]
    assert sum(mass[normal]) < sum(mass[inside])


def test_the_interval_of_a_mean_is_that_of_scipy_and_covers() -> None:
    rng = random.Random(2)
    samples = [[rng.gauss(100.0, 15.0) for _ in range(5)] for _ in range(1500)]
    for sample in samples[:50]:
        theirs = stats.t.interval(0.9, 4, loc=sum(sample) / 5, scale=stats.sem(sample))
        assert mean_interval(sample, 0.9)[1:] == pytest.approx(theirs)
    covered = sum(interval.ci_low <= 100.0 <= interval.ci_high for interval in map(mean_interval, samples))
    assert covered / 1500 == pytest.approx(0.95, abs=0.02)


def test_one_value_bounds_nothing_and_equal_values_leave_no_doubt() -> None:
    assert mean_interval([3.0]) == (3.0, -math.inf, math.inf)
    assert mean_interval([3.0, 3.0, 3.0]) == (3.0, 3.0, 3.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(1, 0),
        lambda: wilson(3, 2),
        lambda: wilson(-1, 2),
        lambda: wilson(1, 2, level=1.0),
        lambda: mean_interval([]),
        lambda: mean_interval([1.0, math.nan]),
    ],
)
def test_what_has_no_meaning_is_refused(call: object) -> None:
    with pytest.raises(BadInput, match="expected"):
        call()  # type: ignore[operator]
