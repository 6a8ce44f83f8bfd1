"""The epidemic kernel against a slow derivation, theory, and itself in another order."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.worlds import seir
from orchestra.worlds.contacts import complete, regular
from orchestra.worlds.draws import uniform
from orchestra.worlds.scenario import GROUPS, Scenario, generation_time

HOT = Scenario(initial=0.1, interactions=(2.0, 3.0, 4.0))


def columns(state: seir.State) -> tuple[object, ...]:
    arrays = (state.stage, state.infected, state.due, state.isolating, state.age)
    return (*(array.tolist() for array in arrays), state.day, state.cases)


def run(state: seir.State, days: int, *, dense: bool = False, isolate: float = 0.3) -> list[tuple[object, ...]]:
    """Days under blind isolation by a share of those whose turn it is."""
    shown = []
    for _ in range(days):
        turn = seir.deciders(state)
        state.isolating[turn] = uniform(state.seed, turn, state.day, 77) < isolate
        day = seir.advance(state, dense=dense)
        shown.append((day.exposed.tolist(), *day[1:]))
    return [*shown, columns(state)]


def slow_day(state: seir.State, g: tuple[float, ...]) -> tuple[set[int], set[int], set[int], set[int]]:
    """One day by the formula, agent by agent, in floats: who is exposed, falls ill, recovers and dies."""
    scenario, t = state.scenario, state.day
    exposed = set()
    for i in np.flatnonzero(state.stage == seir.SUSCEPTIBLE):
        total = 0.0
        for j in state.contacts[i]:
            if state.stage[j] in (seir.EXPOSED, seir.INFECTIOUS):
                shed = scenario.infectiousness[state.stage[j] - seir.EXPOSED] * g[t - state.infected[j] - 1]
                at_ends = (1 - scenario.efficacy * state.isolating[i]) * (1 - scenario.efficacy * state.isolating[j])
                total += shed * at_ends
        assert scenario.interactions is not None
        meetings = scenario.interactions[GROUPS[state.age[i]]]
        hazard = scenario.transmission[0] * scenario.susceptibility[state.age[i]] * total / meetings
        if uniform(state.seed, np.array([i]), t, 2)[0] >= math.exp(-hazard):
            exposed.add(int(i))
    due = {int(i) for i in np.flatnonzero(state.due <= t)}
    ill = {i for i in due if state.stage[i] == seir.EXPOSED}
    leaving = {i for i in due if state.stage[i] == seir.INFECTIOUS}
    dead = {i for i in leaving if uniform(state.seed, np.array([i]), t, 3)[0] < scenario.mortality}
    return exposed, ill, leaving - dead, dead


def test_a_day_is_what_the_formula_says_for_each_agent() -> None:
    state, g = seir.begin(HOT, 150, seed=3), generation_time(5.5, 2.4, days=20)
    for day in range(25):
        state.isolating = (uniform(1, np.arange(150), day, 9) < 0.3) & (state.stage != seir.DEAD)
        exposed, ill, recovered, dead = slow_day(state, g)
        before = state.stage.copy()
        shown = seir.advance(state)
        assert set(shown.exposed.tolist()) == exposed
        moved = {stage: set(np.flatnonzero((state.stage == stage) & (before != stage)).tolist()) for stage in range(5)}
        assert moved == {0: set(), 1: exposed, 2: ill, 3: recovered, 4: dead}
        assert (shown.cases, shown.deaths) == (len(ill), len(dead))


def test_stages_last_their_days() -> None:
    """Exposed on day t: ill from the evening of t + 6 on, well or dead on t + 11."""
    state = seir.begin(Scenario(initial=0.2), 200, seed=0)
    first = [seir.advance(state).exposed.tolist() for _ in range(4)][-1]
    for _ in range(5):
        seir.advance(state)
    assert all(state.stage[i] == seir.EXPOSED for i in first)
    seir.advance(state)
    assert all(state.stage[i] == seir.INFECTIOUS for i in first)
    for _ in range(5):
        seir.advance(state)
    assert first and all(state.stage[i] in (seir.RECOVERED, seir.DEAD) for i in first)


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(10, 400), st.integers(1, 3))
def test_dense_and_event_driven_agree_bit_for_bit(seed: int, agents: int, half: int) -> None:
    scenario = replace(HOT, contacts=2 * half)
    event = run(seir.begin(scenario, agents, seed), 20)
    assert event == run(seir.begin(scenario, agents, seed), 20, dense=True)


def test_blocks_of_any_size_agree_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(seir.begin(HOT, 2000, 5), 30)
    for block in (1, 70, 999):
        monkeypatch.setattr(seir, "BLOCK", block)
        assert run(seir.begin(HOT, 2000, 5), 30) == whole
        assert run(seir.begin(HOT, 2000, 5), 30, dense=True) == whole


def test_sources_in_any_order_give_the_same_and_pull_agrees_with_push() -> None:
    contacts = regular(500, 6, 2)
    sources = np.arange(0, 500, 3)
    force = (uniform(0, sources, 0, 0) * 2**32).astype(np.int64)
    received = seir.push(contacts, sources, force)
    mixed = np.argsort(uniform(1, sources, 0, 0))
    assert (seir.push(contacts, sources[mixed], force[mixed]) == received).all()
    assert (seir.pull(contacts, sources, force) == received).all()
    assert received.sum() == 6 * force.sum()


def test_adding_hazards_in_floats_would_depend_on_the_order() -> None:
    """Negative control: why hazards are integers."""
    forces = [0.1, 0.2, 0.3]
    assert sum(forces) != sum(reversed(forces))


def test_nobody_is_lost_and_stages_only_go_forward() -> None:
    state = seir.begin(HOT, 3000, seed=1)
    before, exposed, dead = state.stage.copy(), int((state.stage == seir.EXPOSED).sum()), 0.0
    for _ in range(60):
        day = seir.advance(state)
        exposed, dead = exposed + len(day.exposed), dead + day.deaths
        assert (state.stage >= before).all()
        counts = np.bincount(state.stage, minlength=5)
        assert counts.sum() == 3000 and 3000 - counts[seir.SUSCEPTIBLE] == exposed and counts[seir.DEAD] == dead
        before = state.stage.copy()
    assert 0.05 < dead / exposed < 0.20


def final_size(reproduction: float, first: float, shed_by_first: float) -> float:
    """z of 1 - z = (1 - z0) exp(-R0 (z - z0) - R_first z0), by iteration."""
    z = 0.9
    for _ in range(500):
        z = 1 - (1 - first) * math.exp(-reproduction * (z - first) - shed_by_first * first)
    return z


def test_final_size_equation_has_its_known_solutions() -> None:
    assert [round(final_size(r, 1e-12, 0), 3) for r in (1.5, 2.0, 2.5, 3.0)] == [0.583, 0.797, 0.893, 0.94]


@pytest.mark.parametrize("reproduction", [1.5, 2.5])
def test_under_complete_mixing_the_epidemic_has_the_final_size_of_theory(reproduction: float) -> None:
    g = generation_time(5.5, 2.4, days=12)
    even = Scenario(susceptibility=(1.0,) * 9, initial=0.02)
    strength = 4.75 * reproduction / even.reproduction
    scenario = replace(even, transmission=(strength,))
    shed_by_first = strength * (0.33 * sum(g[:4]) + 0.72 * sum(g[4:9]))  # exposed the day before, ill on day 3
    sizes = []
    for seed in range(6):
        state = seir.begin(scenario, 1200, seed, complete(1200))
        while ((state.stage == seir.EXPOSED) | (state.stage == seir.INFECTIOUS)).any():
            seir.advance(state)
        sizes.append(np.count_nonzero(state.stage) / 1200)
    assert np.mean(sizes) == pytest.approx(final_size(reproduction, 0.02, shed_by_first), abs=0.025)


def test_perfect_isolation_of_all_stops_transmission() -> None:
    state = seir.begin(replace(HOT, efficacy=1.0), 1000, seed=0)
    state.isolating[:] = True
    assert sum(len(seir.advance(state).exposed) for _ in range(15)) == 0


@pytest.mark.parametrize(("compat", "spreads"), [("", False), ("agenttorch", True)])
def test_only_in_compat_do_isolating_infected_transmit(compat: str, spreads: bool) -> None:
    state = seir.begin(Scenario(initial=0.1, efficacy=1.0, compat=compat), 1000, seed=0)  # type: ignore[arg-type]
    state.isolating[state.stage == seir.EXPOSED] = True
    assert (len(np.concatenate([seir.advance(state).exposed for _ in range(3)])) > 0) == spreads


def test_expected_deaths_are_a_mean_and_nobody_dies() -> None:
    state = seir.begin(replace(HOT, deaths="expected"), 1000, seed=0)
    deaths = sum(seir.advance(state).deaths for _ in range(30))
    recovered = np.count_nonzero(state.stage == seir.RECOVERED)
    assert deaths == pytest.approx(0.12 * recovered) and not (state.stage == seir.DEAD).any()


def test_each_living_agent_decides_once_a_period() -> None:
    state = seir.begin(replace(HOT, period=5), 103, seed=0)
    state.stage[50] = seir.DEAD
    seen: list[int] = []
    for _ in range(5):
        seen += seir.deciders(state).tolist()
        state.day += 1
    assert sorted(seen) == [i for i in range(103) if i != 50]


@given(st.floats(0, 700))
def test_survival_is_the_exponential_whatever_stands_beside_it(hazard: float) -> None:
    alone = seir.survival(np.array([hazard]))[0]
    beside = seir.survival(np.array([3.0, hazard, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]))[1]
    assert alone == beside == pytest.approx(math.exp(-hazard), rel=5e-16)


def test_survival_of_huge_hazards_is_zero() -> None:
    assert seir.survival(np.array([800.0, 1e6])).tolist() == [0.0, 0.0]


def test_a_clone_is_independent_and_shares_only_contacts() -> None:
    state = seir.begin(HOT, 300, seed=2)
    seir.advance(state)
    copy, kept = state.clone(), columns(state)
    run(copy, 5)
    assert columns(state) == kept and copy.contacts is state.contacts
    assert run(state, 5)[-1] == columns(copy)


def test_contacts_of_another_size_are_refused() -> None:
    with pytest.raises(BadInput, match="10 rows for 20 agents"):
        seir.begin(HOT, 20, 0, regular(10, 2, 0))
