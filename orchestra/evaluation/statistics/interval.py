"""The interval of one system: Wilson's score interval of an accuracy, Student's t interval of a mean.

Wilson (1927), J. Am. Stat. Assoc. 22, 209. The interval of the central limit theorem is not offered: at n = 20 and an
accuracy of 0.05 it covers in 65 % of cases where it promises 95 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, inf, isfinite, sqrt
from typing import NamedTuple

from orchestra.errors import BadInput
from orchestra.evaluation.statistics.quantiles import normal_quantile, t_quantile


class Interval(NamedTuple):
    """A mean and a two-sided confidence interval around it."""

    mean: float
    ci_low: float
    ci_high: float


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


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """The mean with its Student t interval, n - 1 degrees of freedom; of one value it is (-inf, inf).

    Raises BadInput where nothing is given or a value is not finite.

    >>> [round(x, 3) for x in mean_interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    mean, error = standard_error(values)
    if len(values) == 1:
        return Interval(mean, -inf, inf)
    half = t_quantile(0.5 + level / 2, len(values) - 1) * error
    return Interval(mean, mean - half, mean + half)


def standard_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and sd / sqrt(n) with the sd of n - 1; of one value the latter is infinite. Raises as `mean_interval`."""
    n = len(values)
    if not n or not all(map(isfinite, values)):
        raise BadInput(f"expected at least one value, all finite, got {list(values)[:5]!r}; fix: leave failed runs out")
    mean = fsum(values) / n
    return mean, sqrt(fsum((x - mean) ** 2 for x in values) / (n - 1) / n) if n > 1 else inf
