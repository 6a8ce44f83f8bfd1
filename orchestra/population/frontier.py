"""Which keys occur in epidemics, and what the expert says there: what a citizen is trained on, and compiled for.

Key spaces are mostly empty (cases do not more than double for weeks on end), so they are explored by small runs under
policies that lead to very different epidemics. What those runs do not meet has no row; a population that meets it all
the same is told so.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestra.population.rules import always, expert, mixed, never, scattered, threshold
from orchestra.population.simulate import simulate
from orchestra.types import View
from orchestra.worlds.draws import sample, shuffled
from orchestra.worlds.epidemic import BINS
from orchestra.worlds.scenario import Scenario

SCATTERED: Final = 12
"""Random tables among the explorers."""

_HELD_OUT, _ORDER = 300, 301  # random streams


def occurring_keys(
    scenario: Scenario | None = None, *, agents: int = 20_000, steps: int = 60, seed: int = 0
) -> NDArray[np.int64]:
    """The keys of BINS met by any of 18 dry runs, ascending: nobody, everybody, the expert, blind coins, random tables.

    >>> len(occurring_keys(agents=500, steps=8)) < BINS.size
    True
    """
    tables = [never(), always(), threshold(), *map(mixed, (0.1, 0.25, 0.5)), *map(scattered, range(SCATTERED))]
    met = np.zeros(BINS.size, np.bool_)
    for number, table in enumerate(tables):
        outcome = simulate(scenario or Scenario(), table, agents=agents, steps=steps, seed=seed + number, sentinels=0)
        met |= outcome.decisions.sum(axis=1) > 0
    return np.flatnonzero(met)


class Split(NamedTuple):
    """Keys to train on, and keys never trained on, so that agreement there is earned."""

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]


def split(keys: NDArray[np.int64], *, share: float = 0.25, seed: int = 0) -> Split:
    """Holds out a random `share` of the keys."""
    out = sample(seed, len(keys), round(share * len(keys)), _HELD_OUT)
    return Split(np.delete(keys, out), keys[out])


def expert_decisions(n: int, seed: int, *, keys: NDArray[np.int64] | None = None) -> list[tuple[View, str]]:
    """n decisions of the expert: views of the training part of `keys` (by default, of those that occur) and choices.

    Keys are dealt in random order, again from the start when all were dealt, so each is seen n / K times, rounded up or
    down. With the defaults and n = 300 that is every key of the training three quarters, and none of the rest.
    """
    train = split(occurring_keys() if keys is None else keys, seed=seed).train
    deals = -(-n // len(train))
    order = np.concatenate([train[shuffled(seed + deal, len(train), _ORDER)] for deal in range(deals)])[:n]
    return [(BINS.view(key), expert(key)) for key in order.tolist()]
