"""Quantiles and tails of the normal and of Student's t for whole degrees of freedom, from `math` alone."""

from __future__ import annotations

from collections.abc import Callable
from math import atan, cos, erfc, pi, sin, sqrt

from orchestra.errors import BadInput


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
    return _invert(lambda x: 0.5 + _inside(x, df) / 2, p)


def t_tails(t: float, df: int) -> float:
    """P(|T| >= |t|), the two-sided p of Student's t, df >= 1. Below about 1e-14 it is rounding.

    >>> round(t_tails(2.776445, 4), 6)
    0.05
    """
    return max(0.0, 1.0 - _inside(abs(t), df))


def _inside(x: float, df: int) -> float:
    """P(-x < T < x) by the finite series for whole degrees of freedom (Abramowitz, Stegun 26.7.3 and 26.7.4)."""
    theta = atan(x / sqrt(df))
    odd = df % 2
    term = total = cos(theta) if odd else 1.0
    for k in range(1 + odd, df - 2, 2):
        term *= k / (k + 1) * cos(theta) ** 2
        total += term
    return 2 / pi * (theta + sin(theta) * (total if df > 1 else 0.0)) if odd else sin(theta) * total


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
