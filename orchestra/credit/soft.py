"""Soft backup: between the mean and the best of what can follow, on the trie of a trajectory's leaves.

    V(node) = 1/kappa log mean exp(kappa V(child))

kappa -> 0 is the nested mean (MALT), kappa -> infinity the maximum, what a policy reaches that always chooses well;
kappa < 0 goes towards the minimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import exp, isfinite, log
from statistics import fmean

from orchestra.credit.credit import Credit, Scored, Table
from orchestra.credit.trie import backed_up, check
from orchestra.digest import canonical
from orchestra.errors import BadInput


def soft(component: str = "task", kappa: float = 1.0) -> Credit:
    """A rule that backs up one reward component by soft maxima. Raises BadInput unless kappa is finite and not 0."""
    if not isfinite(kappa) or kappa == 0:
        raise BadInput(f"expected a finite kappa other than 0, got {kappa!r}; fix: nested_mean is its limit at 0")
    config = canonical({"component": component, "kappa": kappa})

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        check(batch, component)
        return [Table("soft", config, backed_up(scored, component, partial(pooled, kappa))) for scored in batch]

    return credit


def pooled(kappa: float, values: Sequence[float]) -> float:
    """1/kappa log mean exp(kappa value), without overflow.

    >>> pooled(1.0, [2.0, 2.0]), round(pooled(1.0, [0.0, 1.0]), 6)
    (2.0, 0.620115)
    """
    top = max(values) if kappa > 0 else min(values)
    return top + log(fmean(exp(kappa * (value - top)) for value in values)) / kappa
