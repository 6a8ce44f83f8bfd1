"""Intervals and tests against published values, SciPy, and exact enumeration of what can happen."""

from __future__ import annotations

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import (
    Paired,
    mcnemar,
    mean_interval,
    minimum_detectable,
    normal_quantile,
    t_quantile,
    wilson,
)


def paired(b: int, c: int, n: int, level: float = 0.95) -> Paired:
    """McNemar of n tasks, b right for the first system alone and c for the second alone."""
    both = [True] * (n - b - c)
    return mcnemar([True] * b + [False] * c + both, [False] * b + [True] * c + both, level)


@given(st.floats(0.001, 0.999), st.integers(1, 300))
def test_quantiles_are_those_of_scipy(p: float, df: int) -> None:
    assert normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-9, abs=1e-12)
    assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-9, abs=1e-12)


def test_t_of_one_and_two_degrees_of_freedom_by_hand() -> None:
    assert t_quantile(0.975, 1) == pytest.approx(math.tan(math.pi * 0.475))
    assert t_quantile(0.975, 2) == pytest.approx(0.95 / math.sqrt(2 * 0.975 * 0.025))


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


def test_mcnemar_on_the_published_example() -> None:
    """Airway hyper-responsiveness of 21 children before and after a transplantation, 1 against 7 discordant (Bentur et
    al. 2009), as tested in Fagerland et al. (2013): exact 0.070, mid-p 0.039."""
    result = paired(1, 7, 21)
    assert result.discordant == (1, 7)
    assert (result.delta, result.n) == (-6 / 21, 21)
    assert result.p == 2 * (1 + 8) / 2**8
    assert result.mid_p == pytest.approx(0.0390625)


def test_the_interval_is_that_of_bonett_and_price() -> None:
    """The worked example of `ci.prop.ps` in the R package statpsych, whose author is Bonett: 26 against 4 of 48."""
    result = paired(26, 4, 48)
    assert result[1:3] == pytest.approx((0.2548067, 0.6251933), abs=5e-8)
    assert result.delta == 22 / 48


@given(st.integers(0, 60), st.integers(0, 60))
def test_p_is_the_two_sided_binomial_test(b: int, c: int) -> None:
    result, other = paired(b, c, b + c + 5), paired(c, b, b + c + 5)
    assert result.p == pytest.approx(stats.binomtest(b, b + c).pvalue if b + c else 1.0, rel=1e-9)
    upper = stats.binom.sf(max(b, c), b + c, 0.5) + stats.binom.pmf(max(b, c), b + c, 0.5) / 2
    assert result.mid_p == pytest.approx(min(1.0, 2 * upper), rel=1e-9)
    assert (other.p, other.mid_p, other.delta) == (result.p, result.mid_p, -result.delta)
    assert (other.ci_low, other.ci_high) == pytest.approx((-result.ci_high, -result.ci_low))


def test_two_systems_alike_and_two_systems_apart() -> None:
    alike, apart = paired(0, 0, 50), paired(50, 0, 50)
    assert (alike.delta, alike.p, alike.mid_p, alike.discordant) == (0.0, 1.0, 1.0, (0, 0))
    assert alike.ci_low < 0 < alike.ci_high
    assert alike.mde > 0  # no discordant pair in 50 is no proof that none can be
    assert apart.p == 2 / 2**50
    assert 0.85 < apart.ci_low < apart.ci_high <= 1.0


OUTCOMES = [(b, c) for b, c in product(range(41), repeat=2) if b + c <= 40]


@pytest.mark.parametrize(("p12", "p21"), [(0.15, 0.15), (0.3, 0.1), (0.05, 0.05), (0.4, 0.4), (0.25, 0.02)])
def test_coverage_and_level_by_enumeration(p12: float, p21: float) -> None:
    """Every outcome of 40 pairs with its probability: the interval covers, and the exact test rejects a true null in at
    most 5 % of cases."""
    covered = rejected = 0.0
    for b, c in OUTCOMES:
        mass = stats.multinomial.pmf([b, c, 40 - b - c], 40, [p12, p21, 1 - p12 - p21])
        result = paired(b, c, 40)
        covered += mass * (result.ci_low <= p12 - p21 <= result.ci_high)
        rejected += mass * (result.p < 0.05)
    assert 0.93 < covered < 0.99
    assert p12 != p21 or rejected <= 0.05
    assert p12 == p21 or rejected > 0.3


@pytest.mark.parametrize(
    ("accuracy", "n", "points"),
    [(0.2, 50, 15.8), (0.2, 100, 11.2), (0.2, 500, 5.0), (0.2, 1319, 3.1), (0.5, 50, 19.8), (0.5, 1319, 3.9)],
)
def test_minimum_detectable_effects_at_correlation_one_half(accuracy: float, n: int, points: float) -> None:
    """var(d) = 2 var (1 - correlation), so that here sd(d) is the standard deviation of one system."""
    assert 100 * minimum_detectable(math.sqrt(accuracy * (1 - accuracy)), n) == pytest.approx(points, abs=0.06)


def test_an_effect_of_the_detectable_size_is_found_in_four_of_five_studies() -> None:
    n, discordant = 200, 0.3
    mde = minimum_detectable(math.sqrt(discordant), n)  # for a delta that is small beside the discordance
    p12 = (discordant + mde) / 2
    rng = random.Random(1)
    kinds = [rng.choices("bc=", [p12, p12 - mde, 1 - discordant], k=n) for _ in range(600)]
    found = sum(paired(k.count("b"), k.count("c"), n).mid_p < 0.05 for k in kinds) / 600
    assert 0.74 < found < 0.88
    assert paired(round(p12 * n), round((p12 - mde) * n), n).mde == pytest.approx(mde, abs=0.01)


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
        lambda: mcnemar([], []),
        lambda: mcnemar([True], [True, False]),
        lambda: mcnemar([True, 0.5], [True, False]),
        lambda: mcnemar([True, None], [True, False]),  # type: ignore[list-item]
        lambda: mcnemar([math.nan], [1.0]),
        lambda: mean_interval([]),
        lambda: mean_interval([1.0, math.nan]),
    ],
)
def test_what_has_no_meaning_is_refused(call: object) -> None:
    with pytest.raises(BadInput, match="expected"):
        call()  # type: ignore[operator]
