"""What one epidemic is like: the disease, the people, their contacts. Every parameter, each written once.

Defaults are those of AgentTorch's COVID case (arXiv 2409.10568), save the number first infected, the contacts, the age
shares and the efficacy of isolation, which are ours. It has 12 deaths in 100 cases; that figure is kept, not endorsed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestra.errors import BadInput

POINT = 32
"""Binary places of fixed-point hazards."""

GROUPS = (0, 0, 1, 1, 1, 1, 2, 2, 2)
"""Decade of age -> child, adult, elderly."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Parameters of `worlds.seir`; BadInput names the first that makes no sense.

    >>> Scenario(efficacy=2.0)
    Traceback (most recent call last):
    orchestra.errors.BadInput: scenario: efficacy must be in [0, 1], got 2.0
    """

    transmission: tuple[float, ...] = (4.75,)
    """R of each week; the last holds from then on."""
    susceptibility: tuple[float, ...] = (0.35, 0.69, 1.03, 1.03, 1.03, 1.03, 1.27, 1.52, 1.52)
    """S by decade of age: 0-9, 10-19, ..., 80 and over."""
    infectiousness: tuple[float, float] = (0.33, 0.72)
    """A of the exposed and of the infectious."""
    generation: tuple[float, float] = (5.5, 2.4)
    """Mean and standard deviation of the gamma-distributed generation time, in days."""
    incubation: int = 5
    """Days from E to I."""
    illness: int = 5
    """Days from I to R."""
    mortality: float = 0.12
    """Probability of death on leaving I."""
    deaths: Literal["drawn", "expected"] = "drawn"
    """`drawn`: agents die; `expected`: deaths are counted as a mean and nobody is moved, as in AgentTorch."""
    initial: float = 0.005
    """Share exposed at the start, the day before day 0; at least one agent."""
    contacts: int = 10
    """Contacts of each agent, even."""
    interactions: tuple[float, float, float] | None = None
    """Mean interactions of children, adults and the elderly, by which hazards are divided; None: their contacts."""
    ages: tuple[float, ...] = (0.12, 0.13, 0.14, 0.13, 0.12, 0.13, 0.12, 0.07, 0.04)
    """Share of each decade of age."""
    efficacy: float = 0.9
    """Share of a contact's hazard that isolation removes, at each of its two ends."""
    period: int = 7
    """Days between the decisions of one agent; agents take turns."""
    compat: Literal["", "agenttorch"] = ""
    """`agenttorch`: isolation protects, wholly, who isolates and nobody else; all share agent 0's interactions."""

    def __post_init__(self) -> None:
        for name in ("mortality", "initial", "efficacy"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise BadInput(f"scenario: {name} must be in [0, 1], got {getattr(self, name)!r}")
        for name in ("incubation", "illness", "period"):
            if getattr(self, name) < 1:
                raise BadInput(f"scenario: {name} must be at least 1 day, got {getattr(self, name)!r}")
        for name in ("transmission", "susceptibility", "infectiousness", "interactions", "generation", "ages"):
            if not all(math.isfinite(x) and x >= 0 for x in getattr(self, name) or ()):
                raise BadInput(f"scenario: {name} must be finite and not negative, got {getattr(self, name)!r}")
        if not self.transmission or min(*self.generation, *(self.interactions or (1.0,))) == 0:
            raise BadInput("scenario: transmission must not be empty, nor generation or interactions hold 0")
        if not len(self.susceptibility) == len(self.ages) == len(GROUPS):
            raise BadInput(f"scenario: susceptibility and ages need one value for each of {len(GROUPS)} decades")
        if abs(sum(self.ages) - 1.0) > 1e-9:
            raise BadInput(f"scenario: ages must add up to 1, got {sum(self.ages)!r}")

    def force(self) -> NDArray[np.int64]:
        """A[stage] g(d) of one contact, fixed-point, d days old, by isolation of the source: (2, D, 2)."""
        g = np.array(generation_time(*self.generation, days=self.incubation + self.illness + 2))
        isolation = np.array([1.0, 1.0 if self.compat else 1.0 - self.efficacy])
        force = np.array(self.infectiousness)[:, None, None] * g[None, :, None] * isolation
        fixed: NDArray[np.int64] = np.rint(force * 2.0**POINT).astype(np.int64)
        return fixed

    def exposure(self, day: int, contacts: int, first: int) -> NDArray[np.float64]:
        """What turns a received force into a hazard, R S[age] / I-bar: (decades, 2), the last axis is isolation.

        `contacts` is the width of the contact graph, `first` the decade of agent 0.
        """
        groups = [GROUPS[first]] * len(GROUPS) if self.compat else GROUPS
        meetings = np.array([self.interactions[g] if self.interactions else contacts for g in groups], np.float64)
        isolation = np.array([1.0, 0.0 if self.compat else 1.0 - self.efficacy])
        strength = self.transmission[min(day // 7, len(self.transmission) - 1)]
        exposure: NDArray[np.float64] = (strength * np.array(self.susceptibility) / meetings)[:, None] * isolation
        return exposure * 2.0**-POINT

    @property
    def reproduction(self) -> float:
        """R0 in the first week, where each agent has as many contacts as interactions: R sum_d A g(d) mean S."""
        g = generation_time(*self.generation, days=self.incubation + self.illness + 1)
        exposed, infectious = self.infectiousness
        shed = exposed * sum(g[: self.incubation + 1]) + infectious * sum(g[self.incubation + 1 :])
        mean = sum(share * s for share, s in zip(self.ages, self.susceptibility, strict=True))
        return self.transmission[0] * shed * mean


def generation_time(mean: float, deviation: float, *, days: int) -> tuple[float, ...]:
    """g(d) = F(d) - F(d - 1) for d = 0..days-1 of a gamma distribution F with this mean and standard deviation.

    >>> [round(g, 5) for g in generation_time(5.5, 2.4, days=4)]
    [0.0, 0.00191, 0.03174, 0.09996]
    """
    scale = deviation**2 / mean
    below = [0.0, *(_gamma_cdf(d / scale, mean / scale) for d in range(days))]
    return tuple(after - before for before, after in pairwise(below))


def _gamma_cdf(x: float, shape: float) -> float:
    """Regularised lower incomplete gamma function by its power series (Abramowitz and Stegun 6.5.29)."""
    if x <= 0.0:
        return 0.0
    term = math.exp(shape * math.log(x) - x - math.lgamma(shape + 1.0))
    total, n = term, 0
    while term > 1e-17 * total:
        n += 1
        term *= x / (shape + n)
        total += term
    return total
