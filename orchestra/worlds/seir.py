"""The epidemic's equations on columns: susceptible, exposed, infectious, recovered, dead, and who isolates.

On day t a susceptible agent i receives from its contacts j

    hazard = R_week(t) S[age_i] / I_i  *  sum_j A[stage_j] g(t - infected_j - 1) (1 - e iso_i) (1 - e iso_j)

and is exposed with probability 1 - exp(-hazard); then those whose time has come move on, E to I, I to R or dead.
The sum is of integers and each agent has one draw a day, keyed by (seed, day, agent); so reading only the infectious
(`push`), reading everybody (`pull`), and any order or blocks of agents give the same bits. The exponential is made of
additions and multiplications alone, whose rounding IEEE 754 fixes, so every machine agrees as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestra.errors import BadInput
from orchestra.worlds.contacts import regular
from orchestra.worlds.draws import sample, uniform
from orchestra.worlds.scenario import Scenario

SUSCEPTIBLE, EXPOSED, INFECTIOUS, RECOVERED, DEAD = range(5)

BLOCK: Final = 1 << 17
"""Contacts read at once; bounds the memory of a step."""

_AGE, _FIRST, _INFECTION, _DEATH = range(4)  # random streams
_NEVER: Final = np.iinfo(np.int16).max


@dataclass(slots=True)
class State:
    """All agents on the morning of one day; 7 bytes an agent, and 4 a contact that copies share."""

    scenario: Scenario
    seed: int
    contacts: NDArray[np.int32]
    """(N, K), symmetric."""
    age: NDArray[np.uint8]
    """Decade, 0 to 8."""
    stage: NDArray[np.uint8]
    infected: NDArray[np.int16]
    """Day of exposure, where exposed."""
    due: NDArray[np.int16]
    """Day on which the stage ends."""
    isolating: NDArray[np.bool_]
    day: int = 0
    cases: list[int] = field(default_factory=list)
    """Agents that fell ill (E to I) on each past day: what people can see of an epidemic."""

    def __len__(self) -> int:
        return len(self.stage)

    def clone(self) -> State:
        """An independent copy."""
        columns = {name: getattr(self, name).copy() for name in ("age", "stage", "infected", "due", "isolating")}
        return replace(self, cases=list(self.cases), **columns)


class Day(NamedTuple):
    """What one day brought."""

    exposed: NDArray[np.int64]
    """Agents infected today, ascending."""
    cases: int
    """Agents that fell ill today."""
    deaths: float
    infectious: int
    """Agents in I, this evening."""
    isolating: int
    """Living agents in isolation, during the day."""


def begin(scenario: Scenario, agents: int, seed: int, contacts: NDArray[np.int32] | None = None) -> State:
    """Day 0: a random share was exposed the day before and falls ill on day 3. Contacts: random, if not given."""
    if contacts is None:
        contacts = regular(agents, scenario.contacts, seed)
    elif len(contacts) != agents:
        raise BadInput(f"contacts have {len(contacts)} rows for {agents} agents")
    steps = np.cumsum(scenario.ages)[:-1]
    age = np.searchsorted(steps, uniform(seed, np.arange(agents), 0, _AGE), side="right").astype(np.uint8)
    stage = np.zeros(agents, np.uint8)
    infected = np.zeros(agents, np.int16)
    due = np.full(agents, _NEVER, np.int16)
    first = sample(seed, agents, max(1, round(scenario.initial * agents)), _FIRST)
    stage[first], infected[first], due[first] = EXPOSED, -1, 3
    return State(scenario, seed, contacts, age, stage, infected, due, np.zeros(agents, np.bool_))


def deciders(state: State) -> NDArray[np.int64]:
    """The living agents whose turn to decide it is: agent i on days t with t + i divisible by the period."""
    agents = np.arange(-state.day % state.scenario.period, len(state), state.scenario.period)
    living: NDArray[np.int64] = agents[state.stage[agents] != DEAD]
    return living


def advance(state: State, *, dense: bool = False) -> Day:
    """One day, in place. `dense` reads every agent's contacts; otherwise only those of the infected are read."""
    sick = np.flatnonzero((state.stage == EXPOSED) | (state.stage == INFECTIOUS))
    isolating = int(np.count_nonzero(state.isolating))
    caught = _catch(state, sick, dense)
    cases, deaths = _progress(state, sick)
    state.stage[caught] = EXPOSED
    state.infected[caught] = state.day
    state.due[caught] = state.day + 1 + state.scenario.incubation
    state.cases.append(cases)
    state.day += 1
    return Day(caught, cases, deaths, int(np.count_nonzero(state.stage == INFECTIOUS)), isolating)


def push(contacts: NDArray[np.int32], sources: NDArray[np.int64], force: NDArray[np.int64]) -> NDArray[np.int64]:
    """What each agent receives (N,) when `sources` (M,) give `force` (M,) to each of their contacts."""
    received = np.zeros(len(contacts), np.int64)
    rows = max(1, BLOCK // contacts.shape[1])
    for at in range(0, len(sources), rows):
        targets = contacts[sources[at : at + rows]]
        np.add.at(received, targets.ravel(), np.repeat(force[at : at + rows], contacts.shape[1]))
    return received


def pull(contacts: NDArray[np.int32], sources: NDArray[np.int64], force: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same, read from the side of those who receive: every row of `contacts` is visited."""
    given = np.zeros(len(contacts), np.int64)
    given[sources] = force
    received = np.empty(len(contacts), np.int64)
    rows = max(1, BLOCK // contacts.shape[1])
    for at in range(0, len(contacts), rows):
        np.sum(given[contacts[at : at + rows]], axis=1, out=received[at : at + rows])
    return received


def survival(hazard: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(-hazard) for hazard >= 0, within two units in the last place: 2^-n exp(r), |r| < 0.35, by Taylor's series.

    >>> survival(np.array([0.0, 1.0])).tolist() == [1.0, float(np.exp(-1.0))]
    True
    """
    n = np.rint(hazard * 1.4426950408889634)
    r = n * 0.6931471803691238 - hazard + n * 1.9082149292705877e-10  # ln 2 in two parts: the first product is exact
    total = np.ones_like(r)
    for k in range(14, 0, -1):
        total *= r
        total /= k
        total += 1.0
    power: NDArray[np.float64] = np.ldexp(total, -np.minimum(n, 1100.0).astype(np.int32))
    return power


def _catch(state: State, sick: NDArray[np.int64], dense: bool) -> NDArray[np.int64]:
    """Those exposed today, ascending."""
    scenario, table = state.scenario, state.scenario.force()
    old = np.clip(state.day - 1 - state.infected[sick], 0, table.shape[1] - 1)
    force = table[state.stage[sick] - EXPOSED, old, state.isolating[sick].astype(np.intp)]
    received = (pull if dense else push)(state.contacts, sick, force)
    met = np.flatnonzero(received)
    met = met[state.stage[met] == SUSCEPTIBLE]
    exposure = scenario.exposure(state.day, state.contacts.shape[1], int(state.age[0]))
    hazard = received[met] * exposure[state.age[met], state.isolating[met].astype(np.intp)]
    caught: NDArray[np.int64] = met[uniform(state.seed, met, state.day, _INFECTION) >= survival(hazard)]
    return caught


def _progress(state: State, sick: NDArray[np.int64]) -> tuple[int, float]:
    """Moves on those whose time has come; how many fell ill, and how many died."""
    scenario, day = state.scenario, state.day
    due = sick[state.due[sick] <= day]
    ill = due[state.stage[due] == EXPOSED]
    leaving = due[state.stage[due] == INFECTIOUS]
    state.stage[ill], state.due[ill] = INFECTIOUS, day + scenario.illness
    state.stage[leaving], state.due[leaving] = RECOVERED, _NEVER
    if scenario.deaths == "expected":
        return len(ill), scenario.mortality * len(leaving)
    dying = leaving[uniform(state.seed, leaving, day, _DEATH) < scenario.mortality]
    state.stage[dying], state.isolating[dying] = DEAD, False
    return len(ill), float(len(dying))
