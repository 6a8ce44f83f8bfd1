"""Quantiles and tails against SciPy and by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import normal_quantile, t_quantile, t_tails


@given(st.floats(0.001, 0.999), st.integers(1, 300))
def test_quantiles_are_those_of_scipy(p: float, df: int) -> None:
    assert normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-9, abs=1e-12)
    assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-9, abs=1e-12)


@given(st.floats(-40, 40), st.integers(1, 300))
def test_tails_are_those_of_scipy(t: float, df: int) -> None:
    assert t_tails(t, df) == pytest.approx(2 * stats.t.sf(abs(t), df), rel=1e-6, abs=1e-13)


def test_t_of_one_and_two_degrees_of_freedom_by_hand() -> None:
    assert t_quantile(0.975, 1) == pytest.approx(math.tan(math.pi * 0.475))
    assert t_quantile(0.975, 2) == pytest.approx(0.95 / math.sqrt(2 * 0.975 * 0.025))


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, math.nan])
def test_what_is_no_probability_is_refused(p: float) -> None:
    with pytest.raises(BadInput, match="expected a probability"):
        normal_quantile(p)
