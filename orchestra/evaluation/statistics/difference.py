"""The mean of paired differences: Student's paired t, what it could have detected, and "no worse by more than".

Non-inferiority asks whether a is at most `margin` worse than b, and is shown where the whole interval of a - b lies
above -margin. That a difference is not significant shows nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import NamedTuple

from orchestra.errors import BadInput
from orchestra.evaluation.statistics.interval import standard_error
from orchestra.evaluation.statistics.quantiles import normal_quantile, t_quantile, t_tails


class Difference(NamedTuple):
    """The mean of a - b over the same tasks, with a two-sided interval and test."""

    delta: float
    ci_low: float
    ci_high: float
    p: float
    mde: float
    """Minimum detectable effect: the true delta that a test of this size finds with 80 % power."""
    n: int
    """Pairs."""


def paired_t(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Difference:
    """Student's t on the differences a[i] - b[i], n - 1 degrees of freedom.

    Where all differences are equal p is 1.0 if they are 0, else 0.0. Raises BadInput for fewer than two pairs.

    >>> round(paired_t([3, 5, 4], [1, 2, 3]).p, 4)
    0.0742
    """
    check_paired(a, b)
    if len(a) < 2:
        raise BadInput("expected at least two pairs for a t test, got 1; fix: more tasks")
    mean, error = standard_error([x - y for x, y in zip(a, b, strict=True)])
    return of_error(mean, error, len(a), df=len(a) - 1, level=level)


def of_error(delta: float, error: float, n: int, *, df: int, level: float) -> Difference:
    """The difference whose standard error has so many degrees of freedom."""
    half = t_quantile(0.5 + level / 2, df) * error
    p = t_tails(delta / error, df) if error else float(delta == 0)
    detectable = (normal_quantile(0.5 + level / 2) + normal_quantile(0.8)) * error
    return Difference(delta, delta - half, delta + half, p, detectable, n)


def minimum_detectable(sd: float, n: int, *, level: float = 0.95, power: float = 0.8) -> float:
    """(z_{(1+level)/2} + z_power) sd / sqrt(n): the true mean difference that n pairs, whose differences have standard
    deviation `sd`, find with probability `power`.

    >>> round(minimum_detectable(0.4, 50), 3)
    0.158
    """
    return (normal_quantile(0.5 + level / 2) + normal_quantile(power)) * sd / sqrt(n)


def non_inferior(ci_low: float, margin: float) -> bool:
    """Whether an interval of a - b shows that a is worse than b by less than `margin`. Of a 95 % interval this is a
    one-sided test at 2.5 %. Raises BadInput unless the margin is finite and above 0; fix it before looking.

    >>> non_inferior(-0.01, 0.02), non_inferior(-0.03, 0.02)
    (True, False)
    """
    if not 0 < margin < inf:
        raise BadInput(f"expected a margin above 0, such as 0.02 for two points, got {margin!r}; fix: --margin")
    return ci_low > -margin


def check_paired(a: Sequence[object], b: Sequence[object]) -> None:
    """Raises BadInput unless there are as many results of a as of b, and any."""
    if len(a) != len(b) or len(a) == 0:  # also of arrays, which have no truth
        raise BadInput(
            f"expected as many results of a as of b, got {len(a)} and {len(b)}; fix: score both on one task list"
        )
