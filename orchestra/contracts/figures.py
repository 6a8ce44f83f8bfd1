"""Whether a team comes to what it must: accuracy, calls and tokens beside their expectation, under a noisy oracle.

What is expected is a closed form, or a simulation that shares no code with the team. It is met within three standard
errors of both together; what is always the same must be met exactly.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from orchestra.models.noisy import Answers, tasks
from orchestra.team import Team

ERRORS: Final = 3.0
"""Standard errors within which a figure meets its expectation."""


class Mean(NamedTuple):
    """The mean of a figure over tasks."""

    value: float
    stderr: float = 0.0
    """0: exact."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Of one value a task.

        >>> Mean.of([1.0, 0.0])
        Mean(value=0.5, stderr=0.5)
        """
        n, mean = len(values), math.fsum(values) / len(values)
        spread = math.fsum((value - mean) ** 2 for value in values)
        return cls(mean, math.sqrt(spread / (n - 1) / n) if n > 1 else 0.0)

    def meets(self, other: Mean) -> bool:
        """Whether the two may be means of the same figure."""
        return abs(self.value - other.value) <= ERRORS * math.hypot(self.stderr, other.stderr) + 1e-9

    def __str__(self) -> str:
        return f"{self.value:.3f}" + (f" ±{self.stderr:.3f}" if self.stderr else "")


class Figures(NamedTuple):
    """What a team comes to a task, on the average."""

    accuracy: Mean
    """Share of tasks with the right answer, from 0 to 1."""
    calls: Mean
    tokens: Mean
    """In + out; the scripted models count words."""

    def differ(self, other: Figures) -> list[str]:
        """The figures that do not meet those of the other, as lines."""
        pairs = zip(self._fields, self, other, strict=True)
        return [f"{name}: expected {theirs}, got {ours}" for name, ours, theirs in pairs if not ours.meets(theirs)]


def measure(team: Team, answers: Answers, *, seed: int = 0) -> Figures:
    """What a team comes to on every task of an oracle, each run once."""
    done = asyncio.run(team.map(tasks(answers), seed=seed))
    return Figures(
        Mean.of([float(result.answer == result.task.gold) for result in done]),
        Mean.of([result.usage.calls for result in done]),
        Mean.of([result.usage.tokens for result in done]),
    )


def check_figures(team: Team, answers: Answers, expected: Figures, *, seed: int = 0) -> None:
    """Raises AssertionError, naming each figure, where a team does not come to what is expected of it."""
    wrong = measure(team, answers, seed=seed).differ(expected)
    assert not wrong, f"{team.name}, {len(answers)} tasks: {'; '.join(wrong)}"
