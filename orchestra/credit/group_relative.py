"""Advantages against siblings: how much better a draw did than the others from the very same state (GRPO).

With r the values of a state's n scored draws, mu their mean and sigma their sample standard deviation:

    none    A = r - mu                   Dr.GRPO (arXiv 2503.20783)
    std     A = (r - mu) / (sigma + 1e-4)  GRPO (arXiv 2402.03300)
    rloo    A = n/(n-1) (r - mu)         the mean of the others as baseline (arXiv 2402.14740)
    maxrl   A = (r - mu) / mu            0 where mu is 0; for rewards >= 0

A single draw has nobody to be compared with: its advantage is 0 and never its raw reward, which verl gives it. Values
are those of the nested mean, so a group is state-matched as in AT-GRPO's trees (arXiv 2510.11062).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Literal

from orchestra.credit.credit import Annotation, Credit, Scored, Table
from orchestra.credit.trie import backed_up, check
from orchestra.digest import canonical
from orchestra.errors import BadInput, UnknownName
from orchestra.types import Key

Scale = Literal["none", "std", "rloo", "maxrl"]
SCALES = ("none", "std", "rloo", "maxrl")
EPSILON = 1e-4


def group_relative(component: str = "task", scale: Scale = "none") -> Credit:
    """A rule of nested-mean values with advantages among the draws of each state. The rule raises as `trie.check`
    does.
    """
    if scale not in SCALES:
        raise UnknownName("scale of group_relative", scale, SCALES)
    config = canonical({"component": component, "scale": scale})

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        check(batch, component)
        return [Table("group_relative", config, _rows(scored, component, scale)) for scored in batch]

    return credit


def relative(values: Sequence[float], scale: Scale = "none") -> list[float]:
    """Advantages of one group.

    >>> relative([1.0, 0.0, 0.0, 1.0]), relative([1.0, 0.0, 0.0, 0.0], "maxrl"), relative([0.7])
    ([0.5, -0.5, -0.5, 0.5], [3.0, -1.0, -1.0, -1.0], [0.0])
    """
    n = len(values)
    if n < 2 or min(values) == max(values):
        return [0.0] * n
    mean = fmean(values)
    if scale == "maxrl" and min(values) < 0:
        raise BadInput(f"expected rewards >= 0 for maxrl, got {min(values)}; fix: another scale")
    over = {"none": 1.0, "std": stdev(values) + EPSILON, "rloo": (n - 1) / n, "maxrl": mean}[scale]
    return [(value - mean) / over for value in values]


def _rows(scored: Scored, component: str, scale: Scale) -> dict[Key, Annotation]:
    rows, groups = backed_up(scored, component, fmean), defaultdict[str, list[Key]](list)
    for key, row in rows.items():
        if row.value is not None:
            groups[key.state].append(key)
    for keys in groups.values():
        values = [value for key in keys if (value := rows[key].value) is not None]
        for key, advantage in zip(keys, relative(values, scale), strict=True):
            rows[key] = rows[key]._replace(advantage=advantage)
    return rows
