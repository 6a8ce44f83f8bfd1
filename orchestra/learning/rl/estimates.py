"""Advantages and returns of a batch from a critic's values, along the chain of agents of each path (MARFT, arXiv
2504.16129): pure numbers.

A path's reward comes after its last decision, local rewards after their own. A decision that lies on several paths gets
the mean over them, each by its chance; one on none, such as a draw that was not kept, teaches nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, pvariance
from typing import Literal, NamedTuple

from orchestra.credit.agent_chain import advantages as by_action
from orchestra.learning.rl.experience import Batch
from orchestra.learning.rl.gae import by_token


class Estimates(NamedTuple):
    """Of each experience of a batch, one number a labelled token."""

    advantages: list[list[float]]
    returns: dict[int, list[float]]
    """Place -> what its values should have been; absent where nothing was earned."""
    explained: float | None
    """Share of the returns' variance that the values explained; None where they do not vary."""


def estimated(
    batch: Batch, values: Mapping[int, Sequence[float]], level: Literal["action", "token"], gamma: float, decay: float
) -> Estimates:
    """`values`: of the state before each labelled token; at level `action` those before the first count alone."""
    found: dict[int, list[list[float]]] = defaultdict(list)
    chances: dict[int, list[float]] = defaultdict(list)
    for path in batch.paths:
        chain = [batch.experiences[place] for place in path.places]
        if not chain:
            continue
        rewards = [each.local for each in chain]
        rewards[-1] += path.reward
        if level == "action":
            single = by_action([values[place][0] for place in path.places], rewards, gamma, decay)
            lists = [[advantage] * each.tokens for advantage, each in zip(single, chain, strict=True)]
        else:
            masks = [[1] * each.tokens for each in chain]
            lists = by_token([values[place] for place in path.places], rewards, masks, gamma=gamma, decay=decay)
        for place, own in zip(path.places, lists, strict=True):
            found[place].append(own)
            chances[place].append(path.mass)
    advantages = [[0.0] * each.tokens for each in batch.experiences]
    returns: dict[int, list[float]] = {}
    for place, several in found.items():
        advantages[place] = [fmean(each, chances[place]) for each in zip(*several, strict=True)]
        worth = values[place] if level == "token" else [values[place][0]] * len(advantages[place])
        returns[place] = [a + v for a, v in zip(advantages[place], worth, strict=True)]
    return Estimates(advantages, returns, _explained([(each[0], values[p][0]) for p, each in returns.items()]))


def _explained(pairs: Sequence[tuple[float, float]]) -> float | None:
    """1 - Var(return - value) / Var(return)."""
    whole = pvariance([goal for goal, _ in pairs]) if pairs else 0.0
    return 1 - pvariance([goal - value for goal, value in pairs]) / whole if whole > 0 else None
