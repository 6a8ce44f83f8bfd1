"""An epidemic among millions: each agent decides in its turn by a table, and the kernel of `worlds.seir` does the rest.

No model is called. Steps are kept as daily sums; only the sentinels' decisions are kept one by one.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orchestra.errors import BadInput
from orchestra.population.table import DecisionTable
from orchestra.worlds import seir
from orchestra.worlds.draws import sample
from orchestra.worlds.epidemic import ACTIONS, BINS, ISOLATE, sight
from orchestra.worlds.scenario import Scenario

_SENTINEL: Final = 200  # random stream

SENTINEL: Final = np.dtype([("step", "i2"), ("agent", "i4"), ("key", "i4"), ("choice", "u1")])
"""One decision of a sentinel."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run brought; arrays (T,) have one value a day."""

    source: str
    """Of the decision table."""
    agents: int
    steps: int
    seed: int
    exposed: NDArray[np.int64]
    """Newly infected."""
    infectious: NDArray[np.int64]
    """In stage I in the evening."""
    deaths: NDArray[np.float64]
    isolating: NDArray[np.float64]
    """Share of all agents, during the day."""
    decisions: NDArray[np.int64]
    """How often each choice was drawn at each key: (keys of BINS, 2)."""
    unseen: float
    """Share of decisions at keys that the table has no row for, drawn from `default`."""
    attack_rate: float
    """Share ever infected, the first ones included."""
    sentinels: NDArray[Any]
    """Decisions of a random few, in order of step and agent; of type SENTINEL."""
    seconds: float
    """Of the steps, without building the contacts."""
    peak_bytes: int
    """Most memory held at once by contacts, columns and temporaries, as tracemalloc counts it."""

    @property
    def agent_steps_per_s(self) -> float:
        return self.agents * self.steps / self.seconds

    def metrics(self) -> dict[str, float]:
        """The run in a few numbers."""
        return {
            "attack_rate": self.attack_rate,
            "deaths": float(self.deaths.sum()),
            "peak_day": float(self.infectious.argmax()),
            "peak_infectious_share": float(self.infectious.max()) / self.agents,
            "isolating_share": float(self.isolating.mean()),
            "decisions": float(self.decisions.sum()),
            "unseen": self.unseen,
        }


def simulate(
    scenario: Scenario,
    table: DecisionTable,
    *,
    agents: int,
    steps: int,
    seed: int = 0,
    sentinels: int = 256,
    default: Sequence[float] | None = None,
    dense: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Runs `agents` for `steps` days. Equal arguments give equal outcomes, bit for bit, times and bytes apart.

    `default` is the row of keys that the table lacks (see `DecisionTable`); `dense` changes the cost and nothing else;
    `progress(done, steps)` is called after each day.

    >>> from orchestra.population.rules import never
    >>> simulate(Scenario(initial=0.5), never(), agents=100, steps=3).exposed.shape
    (3,)
    """
    if steps < 1:
        raise BadInput(f"steps must be at least 1, got {steps!r}")
    if table.choices != ACTIONS:
        raise BadInput(f"the epidemic needs a table with choices {ACTIONS}, got {table.choices}")
    alone = not tracemalloc.is_tracing()
    if alone:
        tracemalloc.start(1)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    try:
        state = seir.begin(scenario, agents, seed)
        watch = _Watch(sample(seed, agents, min(sentinels, agents), _SENTINEL))
        began, days = time.perf_counter(), []
        for step in range(steps):
            _decide(state, table, watch, default)
            days.append(_sums(seir.advance(state, dense=dense)))
            if progress is not None:
                progress(step + 1, steps)
        seconds = time.perf_counter() - began
        peak = tracemalloc.get_traced_memory()[1] - held
    finally:
        if alone:
            tracemalloc.stop()
    exposed, infectious, deaths, isolating = (np.array(column) for column in zip(*days, strict=True))
    occurred = watch.decisions.sum(axis=1)
    unseen = float(occurred[~np.isin(np.arange(BINS.size), table.rows)].sum()) / max(1, int(occurred.sum()))
    attack_rate = float(np.count_nonzero(state.stage)) / agents
    return Outcome(
        table.source, agents, steps, seed, exposed, infectious, deaths, isolating / agents, watch.decisions,
        unseen, attack_rate, watch.records(), seconds, peak,
    )  # fmt: skip


def _sums(day: seir.Day) -> tuple[int, int, float, int]:
    return len(day.exposed), day.infectious, day.deaths, day.isolating


def _decide(state: seir.State, table: DecisionTable, watch: _Watch, default: Sequence[float] | None) -> None:
    agents = seir.deciders(state)
    keys = BINS.keys(sight(state, agents))
    chosen = table.draw(keys, agents, state.day, state.seed, default=default)
    state.isolating[agents] = chosen == ISOLATE
    watch.note(state.day, agents, keys, chosen)


class _Watch:
    """Counts all decisions, and keeps those of the sentinels."""

    def __init__(self, sentinels: NDArray[np.int64]) -> None:
        self.sentinels = sentinels
        self.decisions = np.zeros((BINS.size, len(ACTIONS)), np.int64)
        self._kept: list[NDArray[Any]] = [np.empty(0, SENTINEL)]

    def note(self, step: int, agents: NDArray[Any], keys: NDArray[Any], chosen: NDArray[np.uint8]) -> None:
        cells = np.bincount(keys * len(ACTIONS) + chosen, minlength=self.decisions.size)
        self.decisions += cells.reshape(self.decisions.shape)
        at = np.flatnonzero(np.isin(agents, self.sentinels, assume_unique=True))
        kept = np.empty(len(at), SENTINEL)
        kept["step"], kept["agent"], kept["key"], kept["choice"] = step, agents[at], keys[at], chosen[at]
        self._kept.append(kept)

    def records(self) -> NDArray[Any]:
        return np.concatenate(self._kept)
