"""The paired t test against SciPy, what it could detect, and non-inferiority."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import minimum_detectable, non_inferior, paired_t

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=30)


@given(PAIRS.filter(lambda pairs: len({x - y for x, y in pairs}) > 1), st.sampled_from([0.9, 0.95]))
def test_the_paired_t_is_that_of_scipy(pairs: list[tuple[int, int]], level: float) -> None:
    a, b = [x / 4 for x, _ in pairs], [y / 4 for _, y in pairs]
    ours, theirs = paired_t(a, b, level), stats.ttest_rel(a, b)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)
    assert ours[1:3] == pytest.approx(tuple(theirs.confidence_interval(level)))
    assert paired_t(b, a, level).delta == pytest.approx(-ours.delta)


def test_equal_differences_leave_no_doubt() -> None:
    assert paired_t([1, 2], [1, 2])[:4] == (0.0, 0.0, 0.0, 1.0)
    assert paired_t([2, 3], [1, 2])[:4] == (1.0, 1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("accuracy", "n", "points"),
    [(0.2, 50, 15.8), (0.2, 100, 11.2), (0.2, 500, 5.0), (0.2, 1319, 3.1), (0.5, 50, 19.8), (0.5, 1319, 3.9)],
)
def test_minimum_detectable_effects_at_correlation_one_half(accuracy: float, n: int, points: float) -> None:
    """var(d) = 2 var (1 - correlation), so that here sd(d) is the standard deviation of one system."""
    assert 100 * minimum_detectable(math.sqrt(accuracy * (1 - accuracy)), n) == pytest.approx(points, abs=0.06)


def test_not_significant_is_not_no_worse() -> None:
    few = paired_t([1, 0, 1, 0], [0, 1, 1, 0])
    assert few.p > 0.5
    assert not non_inferior(few.ci_low, 0.1)
    many = paired_t([1, 0, 1, 0] * 500, [0, 1, 1, 0] * 500)
    assert non_inferior(many.ci_low, 0.1)
    assert not non_inferior(many.ci_low, 0.01)


@pytest.mark.parametrize(
    "call",
    [
        lambda: paired_t([1.0], [0.0]),
        lambda: paired_t([1.0, 2.0], [0.0]),
        lambda: paired_t([1.0, math.inf], [0.0, 0.0]),
        lambda: non_inferior(0.0, 0.0),
        lambda: non_inferior(0.0, math.nan),
    ],
)
def test_what_has_no_meaning_is_refused(call: object) -> None:
    with pytest.raises(BadInput, match="expected"):
        call()  # type: ignore[operator]
