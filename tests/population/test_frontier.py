from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestra.population.frontier import expert_decisions, occurring_keys, split
from orchestra.population.rules import expert, mixed, scattered, threshold
from orchestra.population.simulate import simulate
from orchestra.worlds.epidemic import ACTIONS, BINS
from orchestra.worlds.scenario import Scenario


@pytest.fixture(scope="module")
def keys() -> NDArray[np.int64]:
    return occurring_keys(agents=5_000)


def test_the_expert_by_hand() -> None:
    young, grown, old = range(3)
    assert expert(BINS.key((grown, 3, 1, 0))) == "isolate"  # 10 x 1.0 x 1.0
    assert expert(BINS.key((grown, 3, 0, 0))) == "continue"  # 10 x 0.5 x 1.0
    assert expert(BINS.key((old, 3, 0, 0))) == "isolate"  # 10 x 0.5 x 1.4 = the threshold itself
    assert expert(BINS.key((young, 3, 1, 0))) == "continue"  # 10 x 1.0 x 0.5
    assert expert(BINS.key((grown, 2, 3, 0))) == "continue"  # 2.2 x 3.0 x 1.0
    assert expert(BINS.key((old, 2, 3, 0))) == "isolate"  # 2.2 x 3.0 x 1.4


def test_the_expert_fears_more_with_age_cases_and_growth_and_does_not_mind_weeks() -> None:
    for key in range(BINS.size):
        codes = BINS.codes(key)
        for field in range(3):
            worse = list(codes)
            worse[field] += 1
            if worse[field] < len(BINS.fields[field].words) and expert(key) == "isolate":
                assert expert(BINS.key(tuple(worse))) == "isolate"
        assert expert(key) == expert(BINS.key((*codes[:3], 1 - codes[3])))


def test_rule_tables_say_what_they_are_named() -> None:
    assert [ACTIONS[i] for i in threshold().probs.argmax(axis=1)] == [expert(key) for key in range(BINS.size)]
    assert np.allclose(mixed(0.3).probs, [[0.3, 0.7]])
    assert scattered(1).probs.std() > 0.2 and (scattered(1).probs != scattered(2).probs).all()


def test_far_fewer_keys_occur_than_exist_and_both_answers_do(keys: NDArray[np.int64]) -> None:
    assert 60 < len(keys) < 130
    isolate = np.mean([expert(key) == "isolate" for key in keys.tolist()])
    assert 0.25 < isolate < 0.75


def test_a_larger_population_meets_hardly_any_other_key(keys: NDArray[np.int64]) -> None:
    outcome = simulate(Scenario(), threshold(), agents=60_000, steps=60, seed=99)
    decided = outcome.decisions.sum(axis=1)
    assert decided[keys].sum() > 0.95 * decided.sum()


def test_split_holds_keys_out_and_loses_none(keys: NDArray[np.int64]) -> None:
    train, held_out = split(keys, seed=5)
    assert sorted([*train.tolist(), *held_out.tolist()]) == keys.tolist()
    assert len(held_out) == round(len(keys) / 4)
    assert held_out.tolist() != split(keys, seed=6).held_out.tolist()


def test_expert_decisions_cover_the_training_keys_evenly_and_no_other(keys: NDArray[np.int64]) -> None:
    decisions = expert_decisions(300, 7, keys=keys)
    prompts = {BINS.view(key).prompt: key for key in range(BINS.size)}
    dealt = Counter(prompts[view.prompt] for view, _ in decisions)
    assert set(dealt) == set(split(keys, seed=7).train.tolist())
    assert max(dealt.values()) - min(dealt.values()) <= 1 and sum(dealt.values()) == 300
    assert all(choice == expert(prompts[view.prompt]) for view, choice in decisions)
    assert decisions == expert_decisions(300, 7, keys=keys) != expert_decisions(300, 8, keys=keys)
