"""Generalised advantage estimation along the chain of agents, with the tree itself as critic (MARFT's chain, arXiv
2504.16129, with GAE of arXiv 1506.02438).

The decisions of a leaf are one after another, j = 1..J, whoever speaks. With V_j the value of the state that decision
j was drawn from, which is the mean of the values of its draws, and R the leaf's reward:

    delta_j = gamma V_{j+1} - V_j  (j < J)        delta_J = R - V_J        A_j = delta_j + gamma lambda A_{j+1}

A decision's advantage is the mean over the scored leaves that it lies on, each by its chance. With lambda = 0 it is the
step's own change of value; with lambda = 1 and gamma = 1 it is R - V. Without branches V is R throughout and every
advantage is 0: a run alone says nothing about who did it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.credit.mass import leaf_masses
from orchestra.credit.trie import backed_up, check
from orchestra.digest import canonical
from orchestra.errors import BadInput
from orchestra.types import Key


def agent_chain(component: str = "task", gamma: float = 1.0, decay: float = 0.95) -> Credit:
    """A rule of advantages from agent to agent; `decay` is lambda. Raises BadInput unless both are in [0, 1]; the rule
    as `trie.check` does.
    """
    if not (0 <= gamma <= 1 and 0 <= decay <= 1):
        raise BadInput(f"expected gamma and decay from 0 to 1, got {gamma!r} and {decay!r}")
    config = canonical({"component": component, "decay": decay, "gamma": gamma})

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        check(batch, component)
        return [Table("agent_chain", config, _rows(scored, component, gamma, decay)) for scored in batch]

    return credit


def advantages(values: Sequence[float], rewards: Sequence[float], gamma: float, decay: float) -> list[float]:
    """GAE over one chain: `values[j]` of the state before decision j, `rewards[j]` what came right after it; the state
    behind the last one is worth 0.

    >>> [round(a, 6) for a in advantages([0.5, 0.4, 0.2], [0, 0, 1], gamma=1, decay=1)]
    [0.5, 0.6, 0.8]
    """
    found, following, later = list[float](), 0.0, 0.0
    for value, reward in zip(reversed(values), reversed(rewards), strict=True):
        later = reward + gamma * following - value + gamma * decay * later
        following = value
        found.append(later)
    return found[::-1]


def _rows(scored: Scored, component: str, gamma: float, decay: float) -> dict[Key, Annotation]:
    rows, draws = backed_up(scored, component, fmean), defaultdict[str, list[float]](list)
    for key, row in rows.items():
        if row.value is not None:
            draws[key.state].append(row.value)
    worth = {state: fmean(values) for state, values in draws.items()}
    found, chances = defaultdict[Key, list[float]](list), defaultdict[Key, list[float]](list)
    masses = leaf_masses(scored.trajectory)
    for leaf, rewards, mass in zip(scored.trajectory.leaves, scored.rewards, masses, strict=True):
        reward = rewards.get(component)
        if reward is not None and leaf.taken:
            values = [worth[key.state] for key in leaf.taken]
            earned = [*[0.0] * (len(values) - 1), reward]
            for key, advantage in zip(leaf.taken, advantages(values, earned, gamma, decay), strict=True):
                found[key].append(advantage)
                chances[key].append(mass)
    return {
        key: row._replace(advantage=fmean(found[key], chances[key]) if found[key] else None)
        for key, row in rows.items()
    }
