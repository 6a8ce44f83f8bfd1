"""What a team makes of its members: mean member, majority of their first words, oracle, team.

    efficiency = (team - mean member) / (oracle - mean member)

0 is what a member drawn at random would do, 1 what someone would who always knew whom to believe; a team may be outside
of both. Members count by what they said first, before the others could have put them right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import numpy as np

from orchestra.credit.speech import spoken
from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.diagnostics.accuracy import accuracy
from orchestra.evaluation.diagnostics.speech import by_sender, most_common, outcome, worth
from orchestra.evaluation.result import Rule
from orchestra.evaluation.statistics import Interval
from orchestra.trajectory.trajectory import Trajectory

DRAWS: Final = 2_000
"""Of tasks with replacement, for the interval of the efficiency."""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Accuracies over the same tasks."""

    n: int
    mean_member: Interval
    majority: Interval
    """The most frequent first answer; of equally frequent ones the first given."""
    oracle: Interval
    """At least one member was right at first."""
    team: Interval
    efficiency: Interval | None
    """With the bootstrap percentiles over tasks; None where no member is ever better than another."""


def aggregation(
    trajectories: Sequence[Trajectory], benchmark: Benchmark, rule: Rule = "flexible", *, seed: int = 0
) -> Aggregation:
    """Of runs whose tasks have a gold and in which a member spoke; BadInput where there is none."""
    rows = [row for trajectory in trajectories if (row := _row(trajectory, benchmark, rule)) is not None]
    if not rows:
        raise BadInput("expected runs with a gold in which a member spoke, got none; fix: diagnose a team's eval")
    table = np.array(rows)
    member, majority, oracle, team = (accuracy(table[:, i].tolist()) for i in range(4))
    return Aggregation(len(rows), member, majority, oracle, team, _efficiency(table, seed))


def _row(trajectory: Trajectory, benchmark: Benchmark, rule: Rule) -> tuple[float, float, float, float] | None:
    """Mean member, majority, oracle and team of one run."""
    task, first = trajectory.task, [said[0] for said in by_sender(spoken(trajectory)).values()]
    team = outcome(benchmark, trajectory, rule)
    if team is None or not first:
        return None
    scores = {message.id: worth(benchmark, task, message.content, rule) or 0.0 for message in first}
    chosen = most_common(first, task.kind)
    return fmean(scores.values()), 0.0 if chosen is None else scores[chosen.id], max(scores.values()), team


def _efficiency(table: np.ndarray[tuple[int, int], np.dtype[np.float64]], seed: int) -> Interval | None:
    """A ratio of means, not a mean of ratios: most tasks have no gap to close."""
    member, _, oracle, team = table.mean(axis=0)
    if oracle <= member:
        return None
    drawn = np.random.default_rng(seed).integers(len(table), size=(DRAWS, len(table)))
    means = table[drawn].mean(axis=1)
    gap = means[:, 2] - means[:, 0]
    ratios = (means[:, 3] - means[:, 0])[gap > 0] / gap[gap > 0]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(float((team - member) / (oracle - member)), float(low), float(high))
