"""Figures beside their expectation: means by hand, and what differs is named."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.contracts.figures import Figures, Mean, check_figures, measure
from orchestra.models.noisy import Noisy, problems, solver
from orchestra.roles import generator
from orchestra.topologies import solo

EXACT = Figures(Mean(1.0), Mean(1), Mean(4))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_mean_and_standard_error(values):
    mean = Mean.of(values)
    assert mean.value == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert mean.stderr == pytest.approx(statistics.stdev(values) / len(values) ** 0.5, abs=1e-9)


def test_a_figure_without_spread_is_met_exactly_or_not_at_all():
    assert Mean.of([3, 3]).meets(Mean(3)) and not Mean.of([3, 3]).meets(Mean(3.001))
    assert Mean(3.0, 0.1).meets(Mean(3.29)) and not Mean(3.0, 0.1).meets(Mean(3.31))
    assert Mean(3.0, 0.3).meets(Mean(4.4, 0.4)) and not Mean(3.0, 0.3).meets(Mean(4.6, 0.4))


def test_each_figure_that_differs_is_named():
    answers = problems(20)
    team = solo(generator(Noisy(answers, solver(1.0))))
    assert measure(team, answers) == EXACT
    check_figures(team, answers, EXACT)
    for name in Figures._fields:
        with pytest.raises(AssertionError, match=f"solo, 20 tasks: {name}: expected 7.000, got"):
            check_figures(team, answers, EXACT._replace(**{name: Mean(7)}))
