import tracemalloc

import numpy as np
import pytest

from orchestra.errors import BadData, BadInput
from orchestra.population.rules import always, mixed, never, threshold
from orchestra.population.simulate import Outcome, simulate
from orchestra.population.table import DecisionTable
from orchestra.worlds.epidemic import ACTIONS, BINS, CONTINUE, ISOLATE
from orchestra.worlds.scenario import Scenario


def curves(outcome: Outcome) -> tuple[object, ...]:
    arrays = (outcome.exposed, outcome.infectious, outcome.deaths, outcome.isolating, outcome.decisions)
    return (*(array.tolist() for array in arrays), outcome.sentinels.tolist(), outcome.metrics())


def test_isolation_works_as_it_must() -> None:
    """Unchecked it infects most, the expert's care keeps it small, isolation of all ends it."""
    free, careful, shut = (simulate(Scenario(), t(), agents=30_000, steps=60) for t in (never, threshold, always))
    assert free.attack_rate > 0.5 and free.isolating.max() == 0.0
    assert 0.01 < careful.attack_rate < 0.2 and 0.1 < careful.isolating.mean() < 0.5
    assert shut.attack_rate < 0.01 and shut.isolating[7:].min() > 0.98
    assert shut.exposed[30:].sum() == 0


def test_equal_arguments_give_equal_runs_and_dense_changes_nothing() -> None:
    one = curves(simulate(Scenario(), mixed(0.2), agents=4_000, steps=30, seed=3))
    assert curves(simulate(Scenario(), mixed(0.2), agents=4_000, steps=30, seed=3)) == one
    assert curves(simulate(Scenario(), mixed(0.2), agents=4_000, steps=30, seed=3, dense=True)) == one
    assert curves(simulate(Scenario(), mixed(0.2), agents=4_000, steps=30, seed=4)) != one


def test_counts_add_up() -> None:
    outcome = simulate(Scenario(initial=0.01), mixed(0.25), agents=7_000, steps=21, seed=1)
    assert outcome.attack_rate * 7_000 == pytest.approx(70 + outcome.exposed.sum())
    assert 20_000 < outcome.decisions.sum() <= 21_000  # once a week; the dead do not decide
    assert outcome.decisions[:, ISOLATE].sum() / outcome.decisions.sum() == pytest.approx(0.25, abs=0.02)
    assert outcome.exposed.shape == outcome.deaths.shape == (21,)


def test_sentinels_are_agents_of_the_run_and_decide_in_their_turn() -> None:
    outcome = simulate(Scenario(), threshold(), agents=5_000, steps=28, seed=2, sentinels=100)
    kept = outcome.sentinels
    assert len(np.unique(kept["agent"])) == 100 and 380 < len(kept) <= 400
    assert ((kept["step"] + kept["agent"]) % 7 == 0).all()
    expected = threshold().draw(kept["key"], kept["agent"], 0, 0)
    assert (kept["choice"] == expected).all()
    assert (outcome.decisions[kept["key"], kept["choice"]] > 0).all()


def test_more_sentinels_than_agents_are_all_of_them() -> None:
    outcome = simulate(Scenario(), never(), agents=50, steps=7, sentinels=256)
    assert len(np.unique(outcome.sentinels["agent"])) == 50


def test_unseen_keys_stop_the_run_or_are_counted() -> None:
    only_first_day = DecisionTable("narrow", np.array([2, 50, 98]), np.full((3, 2), 0.5, np.float32), ACTIONS)
    with pytest.raises(BadData, match="narrow"):
        simulate(Scenario(), only_first_day, agents=1_000, steps=14)
    outcome = simulate(Scenario(), only_first_day, agents=1_000, steps=14, default=(0.0, 1.0))
    unseen = np.delete(outcome.decisions, [2, 50, 98], axis=0)
    assert unseen[:, ISOLATE].sum() == 0 and outcome.unseen == unseen[:, CONTINUE].sum() / outcome.decisions.sum() > 0.3
    assert simulate(Scenario(), never(), agents=1_000, steps=14).unseen == 0.0


def test_progress_is_told_each_day() -> None:
    told: list[tuple[int, int]] = []
    simulate(Scenario(), never(), agents=100, steps=3, progress=lambda done, steps: told.append((done, steps)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_memory_is_measured_and_tracing_is_left_as_it_was() -> None:
    outcome = simulate(Scenario(contacts=20), never(), agents=20_000, steps=2)
    assert 20_000 * (20 * 4 + 7) < outcome.peak_bytes < 20_000 * 250
    assert not tracemalloc.is_tracing()


@pytest.mark.parametrize("steps", [0, -3])
def test_runs_without_steps_are_refused(steps: int) -> None:
    with pytest.raises(BadInput, match="at least 1"):
        simulate(Scenario(), never(), agents=100, steps=steps)


def test_a_table_with_other_choices_is_refused() -> None:
    other = DecisionTable("other", np.arange(BINS.size), np.full((BINS.size, 2), 0.5, np.float32), ("yes", "no"))
    with pytest.raises(BadInput, match="needs a table with choices"):
        simulate(Scenario(), other, agents=100, steps=1)
