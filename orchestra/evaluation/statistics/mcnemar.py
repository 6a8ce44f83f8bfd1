"""McNemar's test: two systems that were each right or wrong on the same tasks.

p is the exact two-sided binomial test on the discordant pairs; mid-p is that of Fagerland, Lydersen, Laake (2013), BMC
Med. Res. Methodol. 13, 91; the interval that of Bonett, Price (2012), J. Educ. Behav. Stat. 37, 479.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from orchestra.errors import BadInput
from orchestra.evaluation.statistics.difference import check_paired, minimum_detectable
from orchestra.evaluation.statistics.quantiles import normal_quantile


class Paired(NamedTuple):
    """How much more often a is right than b on the same tasks."""

    delta: float
    """Accuracy of a minus accuracy of b, from -1 to 1."""
    ci_low: float
    ci_high: float
    p: float
    """Exact two-sided McNemar; holds its level at any n, and is conservative where few pairs are discordant."""
    discordant: tuple[int, int]
    """(b, c): pairs that only a has right, pairs that only b has right."""
    mde: float
    """Minimum detectable effect: the true delta that a test of this size finds with 80 % power."""
    n: int
    mid_p: float
    """The less conservative mid-p version; not guaranteed to hold the level, though it does in practice."""


def mcnemar(a: Sequence[bool | float], b: Sequence[bool | float], level: float = 0.95) -> Paired:
    """Compares two systems on the same tasks: a[i] and b[i] say whether each had task i right (True, False, 1.0, 0.0).

    The interval is Wald's with one pair of each kind of discordance added (Laplace): with
    p12 = (b + 1) / (n + 2), p21 = (c + 1) / (n + 2) it is p12 - p21 -+ z sqrt((p12 + p21 - (p12 - p21)^2) / (n + 2)).
    It need not agree with the exact p on which side of `level` a borderline result falls.

    Raises BadInput where lengths differ, nothing is given, or a value is neither right nor wrong.

    >>> mcnemar([True, True, False], [True, False, False]).discordant
    (1, 0)
    """
    check_paired(a, b)
    for i, pair in enumerate(zip(a, b, strict=True)):
        if not {*pair} <= {0.0, 1.0}:
            raise BadInput(f"expected right or wrong (1.0 or 0.0), got {pair!r} at task {i}; fix: compare 0/1 scores")
    n, only_a = len(a), sum(x > y for x, y in zip(a, b, strict=True))
    only_b = sum(x < y for x, y in zip(a, b, strict=True))
    p12, p21 = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    spread = sqrt(p12 + p21 - (p12 - p21) ** 2)
    half = normal_quantile(0.5 + level / 2) * spread / sqrt(n + 2)
    p, mid_p = _exact_binomial(only_a, only_b)
    return Paired(
        delta=(only_a - only_b) / n,
        ci_low=max(-1.0, p12 - p21 - half),
        ci_high=min(1.0, p12 - p21 + half),
        p=p,
        discordant=(only_a, only_b),
        mde=minimum_detectable(spread, n, level=level),
        n=n,
        mid_p=mid_p,
    )


def _exact_binomial(b: int, c: int) -> tuple[float, float]:
    """Two-sided p and mid-p of b against c under Binomial(b + c, 1/2), in whole numbers up to the last division."""
    n, fewer = b + c, min(b, c)
    term = tail = 1
    for k in range(fewer):
        term = term * (n - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / 2**n), min(1.0, (2 * tail - term) / 2**n)
