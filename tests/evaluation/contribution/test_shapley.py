"""The axioms on random games, all n! orders as a slower way, and coalitions of real teams by hand."""

import asyncio
from dataclasses import replace
from itertools import combinations, permutations
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.engine import MaxRounds
from orchestra.errors import BadInput
from orchestra.evals import arith
from orchestra.evaluation.contribution import Replay, scored, shapley
from orchestra.evaluation.contribution.shapley import exactly, sampled
from orchestra.topologies import debate

WORTH = scored(arith())


def coalitions(names):
    return [frozenset(some) for size in range(len(names) + 1) for some in combinations(names, size)]


def orders(names, worth):
    """Shapley values as the mean over all orders."""
    added = {name: [] for name in names}
    for order in permutations(names):
        for place, name in enumerate(order):
            before = frozenset(order[:place])
            added[name].append(worth[before | {name}] - worth[before])
    return {name: fmean(values) for name, values in added.items()}


@st.composite
def games(draw, sizes=(1, 5)):
    names = "abcde"[: draw(st.integers(*sizes))]
    return names, {c: draw(st.floats(-5, 5)) for c in coalitions(names)}


@given(games())
def test_exact_is_the_mean_over_all_orders(game):
    names, worth = game
    assert exactly(names, worth) == pytest.approx(orders(names, worth), abs=1e-9)


@given(games())
def test_efficiency(game):
    names, worth = game
    found = exactly(names, worth)
    assert sum(found.values()) == pytest.approx(worth[frozenset(names)] - worth[frozenset()], abs=1e-9)


@given(games((2, 4)), st.floats(-3, 3))
def test_dummy_and_symmetry(game, own):
    """Someone who adds the same to every coalition gets just that; two that can stand for each other get the same."""
    names, worth = game
    with_dummy = {c: worth[c - {"z"}] + own * ("z" in c) for c in coalitions(names + "z")}
    assert exactly(names + "z", with_dummy)["z"] == pytest.approx(own, abs=1e-9)
    swap = {"a": "b", "b": "a"}
    alike = {c: worth[c] + worth[frozenset(swap.get(name, name) for name in c)] for c in worth}
    found = exactly(names, alike)
    assert found["a"] == pytest.approx(found["b"], abs=1e-9)


@given(games((2, 4)))
def test_a_wrong_weight_is_noticed(game):
    """The control: Banzhaf's equal weights are not efficient, unless the game is one of few."""
    names, worth = game
    banzhaf = {name: fmean(worth[c | {name}] - worth[c] for c in coalitions(names) if name not in c) for name in names}
    if len(names) == 2:
        assert banzhaf == pytest.approx(exactly(names, worth), abs=1e-9)
    elif abs(sum(banzhaf.values()) - (worth[frozenset(names)] - worth[frozenset()])) > 1e-6:
        assert banzhaf != pytest.approx(exactly(names, worth), abs=1e-9)


def test_sampling_agrees_within_its_errors():
    names, rng = "abcdef", Random(5)
    worth = {c: rng.random() for c in coalitions(names)}
    truth = exactly(names, worth)

    async def value(coalition):
        return worth[coalition]

    outside = 0
    for seed in range(60):
        found, errors = asyncio.run(sampled(names, value, 50, Random(seed)))
        assert sum(found.values()) == pytest.approx(worth[frozenset(names)] - worth[frozenset()])
        outside += sum(abs(found[name] - truth[name]) > 2 * errors[name] for name in names)
    assert 0.01 < outside / 360 < 0.10  # of normal ones 0.046


def test_sampling_once_has_no_error():
    with pytest.raises(BadInput, match="at least two permutations"):
        asyncio.run(sampled("ab", None, 1, Random(0)))


def played(team, task, **options):
    run = team.run_sync(task)
    return run, asyncio.run(shapley(team, Replay(run), WORTH, **options))


def test_votes_by_hand_cost_nothing(crowd, always, task):
    """9 7 7: alone only the 7s are right; of two the 9 wins its ties, since it is declared first."""
    agents, model = crowd({"c": always("9"), "a": always("7"), "b": always("7")})
    _, found = played(debate(agents, rounds=1), task)
    worth = dict.fromkeys(coalitions("abc"), 0.0) | {frozenset(c): 1.0 for c in ("a", "b", "ab", "abc")}
    assert found.agents == pytest.approx(exactly("cab", worth))
    assert found.agents == pytest.approx({"a": 2 / 3, "b": 2 / 3, "c": -1 / 3})
    assert (found.variants, found.calls, len(model.calls)) == (2**3 - 2, 0, 3)


def test_an_unspoken_team_has_the_empty_worth(crowd, always, task):
    agents, _ = crowd({"a": always("7"), "b": always("7")})
    _, found = played(debate(agents, rounds=1), task, empty=0.25)
    assert sum(found.agents.values()) == pytest.approx(1 - 0.25)


def test_every_state_is_paid_once(crowd, follows, always, task):
    """Two rounds of three: coalitions {a,b}, {a,c}, {b,c} ask two each again; a lone agent hears nobody and is not."""
    agents, model = crowd({"a": always("7"), "b": follows("9"), "c": follows("9")})
    team = replace(debate(agents, rounds=2), stop=MaxRounds(2))
    run, found = played(team, task)
    assert (len(run.decisions), found.calls, len(model.calls)) == (6, 6, 12)
    assert sum(found.agents.values()) == pytest.approx(found.worth)


def test_dummy_in_a_team(crowd, follows, always, task):
    agents, _ = crowd({"a": always("7"), "dummy": always("?"), "b": follows("9"), "c": follows("9")})
    team = replace(debate(agents, rounds=2), stop=MaxRounds(2))
    _, found = played(team, task)
    assert found.agents["dummy"] == 0.0 and found.agents["a"] > 0
    assert found.agents["b"] == pytest.approx(found.agents["c"], abs=0.5)


def test_twins_get_the_same(crowd, always, task):
    agents, _ = crowd({name: always("7") for name in "abcd"})
    _, found = played(debate(agents, rounds=1), task)
    assert found.agents == pytest.approx(dict.fromkeys("abcd", 0.25))


def test_beyond_five_is_sampled_near_the_exact(crowd, always, task):
    agents, model = crowd({name: always("7" if name in "acef" else "9") for name in "abcdefg"})
    team = debate(agents, rounds=1)
    _, drawn = played(team, task, permutations=60)
    _, exact = played(team, task, exact=True)
    assert exact.stderr == {} and exact.variants == 2**7 - 2
    assert drawn.variants < exact.variants and set(drawn.stderr) == set("abcdefg")
    assert sum(drawn.agents.values()) == pytest.approx(sum(exact.agents.values()))
    for name, error in drawn.stderr.items():
        assert abs(drawn.agents[name] - exact.agents[name]) <= 4 * error + 1e-9
    assert len(model.calls) == 14  # two runs; coalitions of voters alone are all in the journal
