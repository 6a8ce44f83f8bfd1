"""Optima's value (arXiv 2410.08115, 2.3): the mean reward of the leaves below a decision, each counting once.

    V(u) = sum of R over scored leaves below u / their number

On a balanced tree it is the nested mean. In a search, which gives promising branches more leaves, it leans towards
them; the nested mean does not. Without branches every decision gets the reward of the only leaf.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, stdev

from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.credit.trie import check, state_groups
from orchestra.digest import canonical
from orchestra.types import Key


def leaf_mean(component: str = "task") -> Credit:
    """A rule that averages one reward component over leaves. The rule raises as `trie.check` does."""
    config = canonical({"component": component})

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        check(batch, component)
        return [Table("leaf_mean", config, _rows(scored, component)) for scored in batch]

    return credit


def _rows(scored: Scored, component: str) -> dict[Key, Annotation]:
    below = defaultdict[Key, list[float]](list)
    for leaf, rewards in zip(scored.trajectory.leaves, scored.rewards, strict=True):
        reward = rewards.get(component)
        if reward is not None:
            for key in leaf.taken:
                below[key].append(reward)
    return {key: _annotation(below[key], group) for key, group in state_groups(scored).items()}


def _annotation(rewards: Sequence[float], group: str) -> Annotation:
    if not rewards:
        return Annotation(None, group=group)
    error = stdev(rewards) / len(rewards) ** 0.5 if len(rewards) > 1 else None
    return Annotation(fmean(rewards), error, group=group)
