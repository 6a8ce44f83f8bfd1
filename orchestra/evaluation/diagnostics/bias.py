"""Bias of binary choices: recency in a series, order of the options, and one call for many questions.

    recency       a run is a stretch of equal choices. Given how many of each there are, a truly random series has every
                  order equally often, so the number of runs has an exact distribution (Wald, Wolfowitz 1940, Ann. Math.
                  Stat. 11, 147). More runs than chance: negative recency, the gambler's fallacy.
    order_effect  the same questions with the options swapped: who chooses by content chooses the same content, who
                  chooses by place the same place. McNemar compares the places.
    together      the same questions asked one a call and all in one call: McNemar compares the rates, and the recency
                  of each says whether the series of one call looks less random than that of separate calls.

Choices are False and True, in the order asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import comb
from typing import NamedTuple

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import Paired, mcnemar


class Recency(NamedTuple):
    """How a series of choices goes on after each choice."""

    n: int
    true: int
    """How many of them are True."""
    runs: int
    expected: float
    """Runs of a random series with as many of each."""
    alternation: float | None
    """Share of choices that differ from the one before; None for a series of fewer than two."""
    p: float
    """Exact, two-sided: probability of a number of runs no likelier than this one. 1.0 where all are equal."""
    p_more: float
    """Exact, one-sided: of at least as many runs; small for negative recency."""


@dataclass(frozen=True, slots=True)
class Order:
    """The same questions in both orders of their options."""

    n: int
    by_content: float
    """Share where the same content was chosen in both orders."""
    by_place: float
    """Share where the same place was: 1 - by_content."""
    first: float
    """Share of all choices that fell on the place shown first."""
    p: float
    """Exact: among those chosen by place, whether one of the two places is preferred."""


@dataclass(frozen=True, slots=True)
class Together:
    """The same questions one a call, and all in one call."""

    agreement: float
    """Share of questions with the same choice."""
    rates: Paired
    """Rate of True together minus separately, paired by question."""
    separate: Recency
    batched: Recency


def recency(series: Sequence[bool]) -> Recency:
    """The exact runs test of a series; BadInput where it is empty.

    >>> recency([True, False] * 5).p_more < 0.05 < recency([True, True, False, True, False, False]).p_more
    True
    """
    n, true = len(series), sum(series)
    if not n:
        raise BadInput("expected a series of choices, got none; fix: ask at least one question")
    runs = 1 + sum(a != b for a, b in pairwise(series))
    weights = run_counts(true, n - true)
    total = sum(weights.values())
    here = weights[runs]
    return Recency(
        n, true, runs,
        expected=1 + 2 * true * (n - true) / n,
        alternation=(runs - 1) / (n - 1) if n > 1 else None,
        p=float(Fraction(sum(w for w in weights.values() if w <= here), total)),
        p_more=float(Fraction(sum(w for r, w in weights.items() if r >= runs), total)),
    )  # fmt: skip


def run_counts(a: int, b: int) -> dict[int, int]:
    """Number of runs -> how many of the (a + b choose a) orders of a and b things have it.

    >>> run_counts(2, 2)
    {2: 2, 3: 2, 4: 2}
    """
    if not a or not b:
        return {1: 1}
    found = {}
    for runs in range(2, 2 * min(a, b) + 1 + (a != b)):
        half = runs // 2
        if runs % 2:  # one kind has a run more than the other
            found[runs] = comb(a - 1, half) * comb(b - 1, half - 1) + comb(a - 1, half - 1) * comb(b - 1, half)
        else:  # either kind may begin
            found[runs] = 2 * comb(a - 1, half - 1) * comb(b - 1, half - 1)
    return found


def order_effect(shown: Sequence[bool], swapped: Sequence[bool]) -> Order:
    """From the places chosen: True where the option shown first was, as the options stood in each asking.

    >>> order_effect([True, True, True, False], [True, True, False, True]).by_place
    0.5
    """
    placed = mcnemar(list(shown), [not first for first in swapped])  # the content shown first at first, both times
    b, c = placed.discordant  # the first place both times, the second both times
    return Order(
        placed.n,
        by_content=1 - (b + c) / placed.n,
        by_place=(b + c) / placed.n,
        first=(sum(shown) + sum(swapped)) / (2 * placed.n),
        p=placed.p,
    )


def together(separate: Sequence[bool], batched: Sequence[bool]) -> Together:
    """From the choices on the same questions in the same order."""
    rates = mcnemar(list(batched), list(separate))
    agreement = 1 - sum(rates.discordant) / rates.n
    return Together(agreement, rates, recency(separate), recency(batched))
