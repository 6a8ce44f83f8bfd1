"""Policies of the epidemic without a model: never, always, by coin, and the expert that citizens learn from."""

from __future__ import annotations

from typing import Final

import numpy as np

from orchestra.population.table import DecisionTable, rule
from orchestra.worlds.draws import uniform
from orchestra.worlds.epidemic import ACTIONS, BINS, CONTINUE, ISOLATE

THRESHOLD: Final = 7.0
"""Expected cases in 1,000 in the coming week from which the expert isolates."""

SUSCEPTIBILITY: Final = (0.5, 1.0, 1.4)
"""Of each age group, rounded from the scenario's decades."""

TYPICAL: Final = (0.1, 0.45, 2.2, 10.0, 40.0, 160.0)
"""Cases in 1,000 a week in each bin: its geometric middle; twice the edge where it is open."""

GROWTH: Final = (0.5, 1.0, 1.5, 3.0)
"""Next week's cases to this week's, by bin of change."""

_SCATTER: Final = 400  # random stream


def expert(key: int) -> str:
    """`isolate` iff an agent's risk next week, TYPICAL x GROWTH x SUSCEPTIBILITY, reaches THRESHOLD.

    Weeks do not matter: a learner has to find that out.

    >>> expert(BINS.key((0, 3, 1, 0))), expert(BINS.key((2, 3, 1, 0))), expert(BINS.key((2, 2, 3, 0)))
    ('continue', 'isolate', 'isolate')
    """
    age, cases, change, _ = BINS.codes(key)
    risk = TYPICAL[cases] * GROWTH[change] * SUSCEPTIBILITY[age]
    return ACTIONS[ISOLATE if risk >= THRESHOLD else CONTINUE]


def never() -> DecisionTable:
    """Nobody isolates."""
    return mixed(0.0, "never")


def always() -> DecisionTable:
    """Everybody isolates, from their first decision on."""
    return mixed(1.0, "always")


def mixed(share: float, source: str = "mixed") -> DecisionTable:
    """At each decision an agent isolates with this probability, whatever it sees."""
    return rule(source, BINS.size, ACTIONS, lambda key: (share, 1.0 - share))


def scattered(seed: int) -> DecisionTable:
    """At each key a probability of its own, drawn at random: an arbitrary habit."""
    shares = uniform(seed, np.arange(BINS.size), 0, _SCATTER).tolist()
    return rule(f"scattered-{seed}", BINS.size, ACTIONS, lambda key: (shares[key], 1.0 - shares[key]))


def threshold() -> DecisionTable:
    """Everybody does as the expert says."""
    return rule("threshold", BINS.size, ACTIONS, lambda key: [float(expert(key) == action) for action in ACTIONS])
