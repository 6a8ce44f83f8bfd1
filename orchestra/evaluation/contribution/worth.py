"""What a run is worth, and what an agent adds to it: the values that all rules of contribution share.

A contribution is a paired difference: the same task with and without, from the same seed and draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.diagnostics.speech import outcome
from orchestra.evaluation.result import Rule
from orchestra.evaluation.statistics import Interval, mcnemar, mean_interval
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import EMPTY

Worth = Callable[[Trajectory], float]
"""The score of a finished run, usually 0.0 or 1.0."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What each agent adds on one task."""

    trajectory: str
    """Id of the run that it is about."""
    worth: float
    """Of that run."""
    agents: Mapping[str, float]
    stderr: Mapping[str, float] = EMPTY
    """Of sampled contributions; empty where they are exact."""
    variants: int = 0
    """Other teams that were run."""
    calls: int = 0
    """Model calls that this took beyond the recorded ones."""


def scored(benchmark: Benchmark, rule: Rule = "flexible") -> Worth:
    """The benchmark's score of a run's reply; a failed run is worth 0. BadInput for a task without a gold."""

    def worth(trajectory: Trajectory) -> float:
        found = outcome(benchmark, trajectory, rule)
        if found is None:
            raise BadInput(f"task {trajectory.task.id!r} has no gold; fix: measure contributions on scored tasks")
        return found

    return worth


def over_tasks(contributions: Sequence[Contribution]) -> dict[str, Interval]:
    """Each agent's mean contribution over tasks, with the interval of a paired difference.

    Where a task gives 1, 0 or -1, as leave-one-out of right and wrong runs does, it is that of McNemar's table, which
    has a width also where all tasks give the same; else Student's, which of one task is (-inf, inf).
    """
    names = dict.fromkeys(name for each in contributions for name in each.agents)
    return {name: _interval([c.agents[name] for c in contributions if name in c.agents]) for name in names}


def _interval(added: Sequence[float]) -> Interval:
    if {*added} <= {-1.0, 0.0, 1.0}:
        found = mcnemar([x > 0 for x in added], [x < 0 for x in added])
        return Interval(found.delta, found.ci_low, found.ci_high)
    return mean_interval(added)
