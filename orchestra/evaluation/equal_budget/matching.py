"""How large a baseline may be at the cost of a team: sizes that fit, task by task or on average.

Each baseline of the shelf has one size, from whose second value on its cost grows by as much with every step. So three
sizes, rehearsed, foretell all. What was really spent is measured afterwards and reported: a forecast decides a
size, never a figure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Final, Literal, NamedTuple

from orchestra.errors import BadInput

Match = Literal["tokens", "calls", "flops"]
Per = Literal["question", "average"]


@dataclass(frozen=True, slots=True)
class Sizing:
    """How a baseline grows."""

    parameter: str
    """The option of its topology."""
    least: int
    most: int
    repeats: bool = False
    """Whether one agent is asked the same again, so that a greedy one has to be made to sample."""
    fills: bool = False
    """Whether a reply is foretold to be as long as it may, since the size is its length."""

    @property
    def rehearsed(self) -> tuple[int, int, int]:
        """The sizes from which all others are foretold."""
        return self.least, self.least + 1, self.least + 2


SIZINGS: Final = {
    "self_consistency": Sizing("n", 1, 1000, repeats=True),
    "best_of_n": Sizing("n", 1, 1000, repeats=True),
    "self_refine": Sizing("rounds", 0, 1000),
    "ensemble": Sizing("repeat", 1, 1000, repeats=True),
    "long": Sizing("max_tokens", 1, 1_000_000, fills=True),
}
"""The baselines that have a size."""


class Forecast(NamedTuple):
    """What a baseline costs on one task at the three sizes rehearsed."""

    first: float
    second: float
    third: float

    def at(self, steps: int) -> float:
        """The cost at so many steps above the least size.

        >>> [Forecast(10, 30, 40).at(steps) for steps in range(5)]
        [10, 30, 40, 50, 60]
        """
        return self.first if steps == 0 else self.second + (steps - 1) * (self.third - self.second)


def sizes(sizing: Sizing, targets: Sequence[float], forecasts: Sequence[Forecast], per: Per) -> list[int]:
    """The size of a baseline on each task, whose forecast is nearest to the target there; with `average` one size for
    all tasks, whose forecasts together are nearest to the targets together. Below the least size there is none.

    Raises BadInput where the cost does not grow with the size, so that nothing can be matched.
    """
    if all(forecast.first >= forecast.third for forecast in forecasts):
        raise BadInput(f"a baseline cannot be matched whose cost does not grow with {sizing.parameter}; fix: --match")
    most = sizing.most - sizing.least
    if per == "average":
        steps = nearest(lambda n: fsum(forecast.at(n) for forecast in forecasts), fsum(targets), most)
        return [sizing.least + steps] * len(targets)
    return [sizing.least + nearest(f.at, target, most) for target, f in zip(targets, forecasts, strict=True)]


def nearest(cost: Callable[[int], float], target: float, most: int) -> int:
    """The number from 0 to `most` whose cost, which never falls, is nearest to the target; of two the smaller.

    >>> [nearest(lambda n: 10 * n + 10, target, 99) for target in (3, 24, 25, 26, 5000)]
    [0, 1, 1, 2, 99]
    """
    low, high = 0, most
    while low < high:  # the largest that fits, or 0
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cost(middle) <= target else (low, middle - 1)
    return low + 1 if low < most and cost(low + 1) - target < target - cost(low) else low
