"""Shared reward: every decision of a trajectory gets what its team earned, as in MAGRPO (arXiv 2508.04652).

    V(u) = mean of R over all scored leaves of the trajectory

The plainest rule, and the control of every finer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.credit.trie import check, state_groups
from orchestra.digest import canonical
from orchestra.types import Key


def shared(component: str = "task") -> Credit:
    """A rule that gives everyone the team's mean reward. The rule raises as `trie.check` does."""
    config = canonical({"component": component})

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        check(batch, component)
        return [Table("shared", config, _rows(scored, component)) for scored in batch]

    return credit


def _rows(scored: Scored, component: str) -> dict[Key, Annotation]:
    earned = [reward for rewards in scored.rewards if (reward := rewards.get(component)) is not None]
    value = fmean(earned) if earned else None
    return {key: Annotation(value, group=group) for key, group in state_groups(scored).items()}
