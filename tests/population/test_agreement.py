import numpy as np
import pytest

from orchestra.errors import BadData
from orchestra.population.agreement import agreement
from orchestra.population.rules import always, never, threshold
from orchestra.population.simulate import simulate
from orchestra.population.table import DecisionTable
from orchestra.worlds.scenario import Scenario

AB = ("a", "b")


def table(*shares: float, choices: tuple[str, ...] = AB) -> DecisionTable:
    return DecisionTable("t", np.arange(len(shares)), np.array([[p, 1 - p] for p in shares], np.float32), choices)


def test_by_hand() -> None:
    ours, right = table(0.9, 0.6, 0.4), table(1.0, 0.0, 0.0)
    decisions = np.array([[9, 1], [30, 20], [0, 0]])
    assert agreement(ours, right, decisions) == (29 / 60, 50 / 60, 2 / 3)
    assert agreement(ours, right, decisions, keys=np.array([1, 2])) == (20 / 50, 1.0, 1 / 2)
    assert agreement(ours, right, decisions, keys=np.array([2])) == (None, None, 1.0)


def test_the_expert_agrees_with_itself_and_constants_are_as_good_as_the_best_constant() -> None:
    for policy in (threshold(), never(), always()):
        outcome = simulate(Scenario(), policy, agents=5_000, steps=40)
        found = agreement(policy, threshold(), outcome.decisions)
        if policy.source == "threshold":
            assert found.decisions == found.keys == 1.0
        else:
            assert found.decisions is not None and found.constant is not None
            assert found.constant in (found.decisions, pytest.approx(1 - found.decisions))


def test_tables_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(BadData, match="different choices"):
        agreement(table(0.5), table(0.5, choices=("x", "y")), np.zeros((1, 2), np.int64))
    with pytest.raises(BadData, match="no row"):
        agreement(table(0.5, 0.5), table(0.5), np.zeros((2, 2), np.int64))
