"""MALT's value iteration (arXiv 2412.01928, section 3.3), on the trie of a trajectory's leaves.

    V(leaf) = its reward         V(node) = mean of V(child) over the scored children

On a chain of agents each decision occurs once, and this is MALT's formula; on a run without branches every decision
gets the reward of the only leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from orchestra.credit.credit import Credit, Scored, Table
from orchestra.credit.trie import backed_up, check
from orchestra.digest import canonical


def nested_mean(component: str = "task") -> Credit:
    """A rule that backs up one reward component; leaves where it is None or absent are left out of every mean.

    The rule raises as `trie.check` does.
    """
    config = canonical({"component": component})

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        check(batch, component)
        return [Table("nested_mean", config, backed_up(scored, component, fmean)) for scored in batch]

    return credit
