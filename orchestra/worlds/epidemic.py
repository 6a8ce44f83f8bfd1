"""An epidemic in words: each seat decides once a week to isolate or to continue. The population's kernel, at small n.

A seat sees its age group, how many fell ill in the past week, how that compares with the week before, and how long the
disease has been about: 3 x 6 x 4 x 2 = 144 different views, each of one key. Each day it is rewarded with

    -infection [infected today] - isolation [isolated today].
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orchestra.errors import BadInput
from orchestra.worlds import seir
from orchestra.worlds.bins import Bins, Field
from orchestra.worlds.scenario import Scenario
from orchestra.worlds.world import Step

ACTIONS: Final = ("isolate", "continue")
ISOLATE, CONTINUE = range(2)

BINS: Final = Bins((
    Field("age", (20, 60), ("You are under 20.", "You are 20 to 59.", "You are 60 or older.")),
    Field("cases", (0.2, 1, 5, 20, 80), (
        "Almost nobody is ill: under 0.2 in 1,000 this week.",
        "Very few are ill: 0.2 to 1 in 1,000 this week.",
        "Few are ill: 1 to 5 in 1,000 this week.",
        "Some are ill: 5 to 20 in 1,000 this week.",
        "Many are ill: 20 to 80 in 1,000 this week.",
        "Very many are ill: over 80 in 1,000 this week.",
    )),
    Field("change", (-20, 20, 100), (
        "Cases are falling.",
        "Cases are steady.",
        "Cases are rising.",
        "Cases more than doubled.",
    )),
    Field("week", (4,), ("The disease is new.", "The disease has been here for weeks.")),
))  # fmt: skip
"""What a citizen sees: years of age, cases in 1,000 in seven days, their change in percent, weeks so far."""


def sight(state: seir.State, agents: NDArray[np.int64]) -> dict[str, NDArray[Any] | float]:
    """The columns of `BINS` for these agents. A rise from no cases at all is infinite, no cases twice is no change."""
    now, before = sum(state.cases[-7:]), sum(state.cases[-14:-7])
    change = 100.0 * (now - before) / before if before else (float("inf") if now else 0.0)
    return {
        "age": state.age[agents] * np.uint8(10),
        "cases": 1e3 * now / len(state),
        "change": change,
        "week": state.day // 7,
    }


class Epidemic:
    """A `World` of `seats` people for `days` days; it ends early when nobody is infected. A dead seat leaves.

    By default a seat keeps doing what it does; all begin with `continue`. The observation of a seat is its key in BINS.

    >>> world = Epidemic(seats=8)
    >>> world.reset(seed=1)[0]["seat-0"]
    98
    >>> world.text("seat-0").split(":")[0], world.turn()
    ('You are 60 or older. Almost nobody is ill', ['seat-0', 'seat-7'])
    """

    def __init__(
        self, seats: int = 64, days: int = 60, scenario: Scenario | None = None, *, infection: float = 1.0,
        isolation: float = 0.02,
    ) -> None:  # fmt: skip
        self.scenario = scenario or Scenario(initial=0.04)
        self.days = days
        self.infection = infection
        self.isolation = isolation
        self.seats = [f"seat-{i}" for i in range(seats)]
        self._number = {seat: i for i, seat in enumerate(self.seats)}
        self.reset()

    def reset(self, seed: int | None = None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        self.state = seir.begin(self.scenario, len(self.seats), seed or 0)
        self.agents = list(self.seats)
        self.unparsed = 0
        return self._observations(self.agents), {seat: {} for seat in self.agents}

    def turn(self) -> list[str]:
        return [self.seats[i] for i in seir.deciders(self.state)] if self.agents else []

    def text(self, agent: str) -> str:
        return BINS.view(self._observations([agent])[agent]).prompt

    def legal(self, agent: str) -> tuple[str, ...]:
        return ACTIONS if self.seats[self._seat(agent)] in self.turn() else ()

    def parse(self, agent: str, text: str) -> str:
        named = set(re.findall(r"\b(?:isolate|continue)\b", text.lower()))
        if len(named) == 1:
            return str(named.pop())
        self.unparsed += 1
        return ACTIONS[ISOLATE if self.state.isolating[self._seat(agent)] else CONTINUE]

    def step(self, actions: Mapping[str, Any]) -> Step:
        for seat, action in actions.items():
            self._seat(seat)
            if action not in ACTIONS:
                raise BadInput(f"seat {seat!r}: expected one of {ACTIONS}, got {action!r}")
        for seat in self.turn():
            if seat in actions:
                self.state.isolating[self._number[seat]] = actions[seat] == ACTIONS[ISOLATE]
        return self._step(self.agents)

    def clone(self) -> Epidemic:
        copy = Epidemic.__new__(Epidemic)
        copy.__dict__.update(self.__dict__)
        copy.state, copy.agents = self.state.clone(), list(self.agents)
        return copy

    def _step(self, before: list[str]) -> Step:
        state = self.state
        isolating = state.isolating.copy()
        caught = set(seir.advance(state).exposed.tolist())
        over = not ((state.stage == seir.EXPOSED) | (state.stage == seir.INFECTIOUS)).any()
        late = state.day >= self.days
        numbers = [(seat, self._number[seat]) for seat in before]
        rewards = {s: -self.infection * (i in caught) - self.isolation * float(isolating[i]) for s, i in numbers}
        ended = {s: bool(over or state.stage[i] == seir.DEAD) for s, i in numbers}
        cut = {s: late and not ended[s] for s in before}
        observations = self._observations(before)
        self.agents = [s for s in before if not (ended[s] or cut[s])]
        return Step(observations, rewards, ended, cut, {s: {} for s in before})

    def _observations(self, seats: list[str]) -> dict[str, int]:
        keys = BINS.keys(sight(self.state, np.array([self._number[seat] for seat in seats], np.int64)))
        return dict(zip(seats, keys.tolist(), strict=True))

    def _seat(self, agent: str) -> int:
        if agent not in self.agents:
            raise BadInput(f"no live seat {agent!r}; live: {', '.join(self.agents[:8]) or 'none'}")
        return self._number[agent]
