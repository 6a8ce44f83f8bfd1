"""Sizes at equal cost: the nearest there is, task by task and on average, against going through all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.evaluation.equal_budget.matching import SIZINGS, Forecast, Sizing, nearest, sizes

SIZING = Sizing("n", 1, 50)
FORECASTS = st.tuples(st.integers(0, 90), st.integers(0, 90), st.integers(1, 90)).map(
    lambda steps: Forecast(steps[0], steps[0] + steps[1], sum(steps))
)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(0, 120))
def test_the_nearest_by_going_through_all(steps: list[int], target: int) -> None:
    costs = [sum(steps[: i + 1]) for i in range(len(steps))]
    found = nearest(lambda size: costs[size], target, len(costs) - 1)
    assert abs(costs[found] - target) == min(abs(cost - target) for cost in costs)


@given(st.lists(st.tuples(st.integers(0, 5000), FORECASTS), min_size=1, max_size=5))
def test_every_task_and_all_together_by_going_through_all(tasks: list[tuple[int, Forecast]]) -> None:
    targets, forecasts = [float(target) for target, _ in tasks], [forecast for _, forecast in tasks]
    for size, target, forecast in zip(sizes(SIZING, targets, forecasts, "question"), targets, forecasts, strict=True):
        missed = [abs(forecast.at(n) - target) for n in range(50)]
        assert missed[size - 1] == min(missed)
    (one,) = set(sizes(SIZING, targets, forecasts, "average"))
    missed = [abs(sum(f.at(n) for f in forecasts) - sum(targets)) for n in range(50)]
    assert missed[one - 1] == min(missed)


def test_one_size_on_average() -> None:
    """Three tasks of 10 tokens a sample, for 10, 20 and 90 tokens: 40 on average, whatever each would buy."""
    forecasts, targets = [Forecast(10, 20, 30)] * 3, [10.0, 20.0, 90.0]
    assert sizes(SIZINGS["self_consistency"], targets, forecasts, "question") == [1, 2, 9]
    assert sizes(SIZINGS["self_consistency"], targets, forecasts, "average") == [4, 4, 4]


def test_what_costs_the_same_at_every_size_cannot_be_matched() -> None:
    with pytest.raises(BadInput, match="does not grow with max_tokens"):
        sizes(SIZINGS["long"], [3.0], [Forecast(1.0, 1.0, 1.0)], "question")
