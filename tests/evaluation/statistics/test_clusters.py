"""Cluster-robust errors against statsmodels, and what they reduce to."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import cluster_interval, clustered_t, mean_interval, paired_t, t_quantile, t_tails

GROUPED = st.lists(st.tuples(st.floats(-3, 3), st.integers(0, 6)), min_size=4, max_size=60).filter(
    lambda rows: len({group for _, group in rows}) > 1
)


@pytest.fixture(scope="module")
def ols():
    """Of statsmodels, which takes a second to import."""
    return pytest.importorskip("statsmodels.regression.linear_model", reason="statsmodels is of the extra dev").OLS


@pytest.mark.slow
@given(rows=GROUPED)
def test_the_error_is_that_of_statsmodels(rows: list[tuple[float, int]], ols) -> None:
    values, groups = [value for value, _ in rows], [group for _, group in rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a covariance that is 0
        fit = ols(values, np.ones(len(values))).fit(
            cov_type="cluster", cov_kwds={"groups": np.array(groups)}, use_t=True
        )
    ours = cluster_interval(values, groups)
    assert ours.mean == pytest.approx(fit.params[0], abs=1e-12)
    low, high = fit.conf_int()[0]
    assert ours[1:] == pytest.approx((low, high), rel=1e-6, abs=1e-7)


def test_three_clusters_by_hand() -> None:
    """Values 1 1, 0 0, 1 1: mean 2/3, sums of deviations 2/3, -4/3, 2/3, variance 3/2 (4 + 16 + 4)/9 / 36 = 1/9."""
    found = clustered_t([1, 1, 0, 0, 1, 1], [0] * 6, "aabbcc")
    assert found.delta == pytest.approx(2 / 3)
    assert (found.ci_high - found.delta) == pytest.approx(t_quantile(0.975, 2) / 3)
    assert found.p == pytest.approx(t_tails(2.0, 2))


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=40))
def test_one_value_a_cluster_is_the_t_interval(values: list[float]) -> None:
    assert cluster_interval(values, range(len(values))) == pytest.approx(mean_interval(values), abs=1e-9)
    zeros = [0.0] * len(values)
    assert clustered_t(values, zeros, range(len(values)))[:4] == pytest.approx(paired_t(values, zeros)[:4], abs=1e-9)


def test_values_written_down_twice_tell_nothing_new() -> None:
    """Every value three times, a cluster each: the same interval, where the t interval would be much too narrow."""
    rng = random.Random(0)
    values = [rng.gauss(0, 1) for _ in range(20)]
    thrice, groups = values * 3, list(range(20)) * 3
    assert cluster_interval(thrice, groups) == pytest.approx(mean_interval(values))
    naive = mean_interval(thrice)
    assert naive.ci_high - naive.ci_low < 0.6 * (mean_interval(values).ci_high - mean_interval(values).ci_low)


@pytest.mark.parametrize(("values", "groups"), [([1.0, 2.0], "aa"), ([1.0, 2.0], "a"), ([], "")])
def test_what_has_no_meaning_is_refused(values: list[float], groups: str) -> None:
    with pytest.raises(BadInput, match="expected"):
        cluster_interval(values, groups)
