"""Intervals and paired tests for accuracies and costs, from `math` alone.

Invariant: every estimate comes with an interval, and two systems are compared pair by pair on the same tasks, never as
two independent samples.

    wilson          Wilson (1927), J. Am. Stat. Assoc. 22, 209: the score interval of one accuracy
    mcnemar         p: exact two-sided binomial on the discordant pairs; mid-p: Fagerland, Lydersen, Laake (2013), BMC
                    Med. Res. Methodol. 13, 91; interval: Bonett, Price (2012), J. Educ. Behav. Stat. 37, 479
    mean_interval   Student's t
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import atan, cos, erfc, fsum, inf, isfinite, pi, sin, sqrt
from typing import NamedTuple

from orchestra.errors import BadInput


class Interval(NamedTuple):
    """A mean and a two-sided confidence interval around it."""

    mean: float
    ci_low: float
    ci_high: float


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


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The accuracy successes / n with its Wilson score interval, inside [0, 1] and never empty.

    Raises BadInput unless 0 <= successes <= n and n >= 1.

    >>> [round(x, 4) for x in wilson(81, 263)]
    [0.308, 0.2553, 0.3662]
    """
    if n < 1 or not 0 <= successes <= n:
        raise BadInput(f"expected 0 <= successes <= n and n >= 1, got {successes!r} of {n!r}; fix: score a task first")
    z, p = normal_quantile(0.5 + level / 2), successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low = 0.0 if successes == 0 else centre - half  # exact at the ends, where the formula is only so up to rounding
    high = 1.0 if successes == n else centre + half
    return Interval(p, low, high)


def mcnemar(a: Sequence[bool | float], b: Sequence[bool | float], level: float = 0.95) -> Paired:
    """Compares two systems on the same tasks: a[i] and b[i] say whether each had task i right (True, False, 1.0, 0.0).

    The interval is Wald's with one pair of each kind of discordance added (Laplace): with
    p12 = (b + 1) / (n + 2), p21 = (c + 1) / (n + 2) it is p12 - p21 -+ z sqrt((p12 + p21 - (p12 - p21)^2) / (n + 2)).
    It need not agree with the exact p on which side of `level` a borderline result falls.

    Raises BadInput where lengths differ, nothing is given, or a value is neither right nor wrong.

    >>> mcnemar([True, True, False], [True, False, False]).discordant
    (1, 0)
    """
    if len(a) != len(b) or not a:
        raise BadInput(
            f"expected as many results of a as of b, got {len(a)} and {len(b)}; fix: score both on one task list"
        )
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


def minimum_detectable(sd: float, n: int, *, level: float = 0.95, power: float = 0.8) -> float:
    """(z_{(1+level)/2} + z_power) sd / sqrt(n): the true mean difference that n pairs, whose differences have standard
    deviation `sd`, find with probability `power`.

    >>> round(minimum_detectable(0.4, 50), 3)
    0.158
    """
    return (normal_quantile(0.5 + level / 2) + normal_quantile(power)) * sd / sqrt(n)


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """The mean with its Student t interval, n - 1 degrees of freedom; of one value it is (-inf, inf).

    Raises BadInput where nothing is given or a value is not finite.

    >>> [round(x, 3) for x in mean_interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    n = len(values)
    if not n or not all(map(isfinite, values)):
        raise BadInput(f"expected at least one value, all finite, got {list(values)[:5]!r}; fix: leave failed runs out")
    mean = fsum(values) / n
    if n == 1:
        return Interval(mean, -inf, inf)
    variance = fsum((x - mean) ** 2 for x in values) / (n - 1)
    half = t_quantile(0.5 + level / 2, n - 1) * sqrt(variance / n)
    return Interval(mean, mean - half, mean + half)


def normal_quantile(p: float) -> float:
    """The standard normal quantile, 0 < p < 1.

    >>> round(normal_quantile(0.975), 12)
    1.95996398454
    """
    return _invert(lambda x: erfc(-x / sqrt(2)) / 2, p)


def t_quantile(p: float, df: int) -> float:
    """Student's t quantile, 0 < p < 1, df >= 1.

    >>> round(t_quantile(0.975, 4), 6)
    2.776445
    """
    return _invert(lambda x: _t_cdf(x, df), p)


def _exact_binomial(b: int, c: int) -> tuple[float, float]:
    """Two-sided p and mid-p of b against c under Binomial(b + c, 1/2), in whole numbers up to the last division."""
    n, fewer = b + c, min(b, c)
    term = tail = 1
    for k in range(fewer):
        term = term * (n - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / 2**n), min(1.0, (2 * tail - term) / 2**n)


def _t_cdf(x: float, df: int) -> float:
    """P(T <= x) by the finite series for whole degrees of freedom (Abramowitz, Stegun 26.7.3 and 26.7.4)."""
    theta = atan(x / sqrt(df))
    odd = df % 2
    term = total = cos(theta) if odd else 1.0
    for k in range(1 + odd, df - 2, 2):
        term *= k / (k + 1) * cos(theta) ** 2
        total += term
    inside = 2 / pi * (theta + sin(theta) * (total if df > 1 else 0.0)) if odd else sin(theta) * total
    return 0.5 + inside / 2


def _invert(cdf: Callable[[float], float], p: float) -> float:
    """The x with cdf(x) = p, by bisection down to neighbouring floats; BadInput unless 0 < p < 1."""
    if not 0 < p < 1:
        raise BadInput(f"expected a probability strictly between 0 and 1, got {p!r}; fix: a level such as 0.95")
    low, high = -1.0, 1.0
    while cdf(low) > p:
        low *= 2
    while cdf(high) < p:
        high *= 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if cdf(middle) < p else (low, middle)
    return high
