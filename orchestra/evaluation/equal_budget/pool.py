"""A pool: many draws of a single agent on every task, made once, from which self-consistency follows for every k.

Invariant: a pool is drawn from one state a task, draw by draw, and the journal keeps each draw; a larger pool goes on
from a smaller one, and whatever is computed from it calls no model. Votes of k are exact expectations over all subsets
of k draws, so that one pass of generation gives the whole curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum
from typing import Literal, NamedTuple

from orchestra.engine import Full, grow
from orchestra.engine.run import run_id
from orchestra.errors import BadInput
from orchestra.evaluation.course import Course
from orchestra.evaluation.evaluate import each, leaf_scores
from orchestra.evaluation.sources.seats import seated
from orchestra.evaluation.statistics import all_at_k, majority_at_k, pass_at_k
from orchestra.team import Agent
from orchestra.topologies import solo
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Task, Usage

Metric = Literal["majority", "pass", "all"]


class Draw(NamedTuple):
    """One reply of the agent."""

    strict: float
    flexible: float
    answer: str | None
    usage: Usage


class Stratum(NamedTuple):
    """Tasks of like difficulty."""

    tasks: tuple[str, ...]
    selected: float
    """Pass rate of the draws that chose these tasks: too high for easy ones and too low for hard ones."""
    held_out: float
    """Pass rate of the other draws: what to report."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Draws of one agent, as many for every task."""

    agent: str
    draws: dict[str, tuple[Draw, ...]]
    """Task id -> its draws, in task order. A task that is not scored is not here."""
    usage: Usage

    @property
    def size(self) -> int:
        """Draws a task."""
        return min(map(len, self.draws.values()), default=0)

    def scores(
        self, k: int, metric: Metric = "majority", rule: Literal["strict", "flexible"] = "flexible"
    ) -> list[float]:
        """The expected score of each task with k of its draws: their majority, any of them right, or all of them."""
        return [_score(draws, k, metric, rule) for draws in self.draws.values()]

    def tokens(self, k: int) -> list[float]:
        """The expected tokens of k draws, of each task."""
        return [k * fsum(draw.usage.tokens for draw in draws) / len(draws) for draws in self.draws.values()]

    def strata(self, groups: int = 3) -> list[Stratum]:
        """The tasks in so many groups, hardest first, by their pass rate over every second draw; held out is the rate
        over the others. Chosen and scored on the same draws, a group of tasks that are all alike would look hard by bad
        luck alone, and whatever is measured next would seem to gain on it (regression to the mean).

        Raises BadInput for a pool of fewer than 2 draws.
        """
        if self.size < 2:
            raise BadInput(f"strata need a pool of at least 2 draws a task, got {self.size}; fix: --pool 8")
        rates = {task: (_rate(draws[::2]), _rate(draws[1::2])) for task, draws in self.draws.items()}
        order = sorted(rates, key=lambda task: rates[task][0])  # stable: equal rates stay in task order
        cuts = [round(i * len(order) / groups) for i in range(groups + 1)]
        parts = [order[low:high] for low, high in pairwise(cuts) if low < high]
        return [
            Stratum(tuple(part), *(fsum(rates[task][half] for task in part) / len(part) for half in (0, 1)))
            for part in parts
        ]


async def draw_pool(course: Course, agent: Agent, size: int) -> Pool:
    """Draws `size` replies of an agent on every task, which the course's budget caps one by one. A call that failed
    leaves its task without replies, which is wrong `size` times."""
    team = solo(agent)

    async def one(task: Task) -> Trajectory:
        journal = course.folder.journal(run_id(team, task, course.seed))
        tree = await grow(team, seated(task, team), Full(size), seed=course.seed, budget=course.budget, journal=journal)
        course.tell("pool", tree, len(course.tasks))
        return tree

    trees = await each(one, course.tasks, course.folder, course.concurrency, None)
    draws = {tree.task.id: _draws(tree, course, size) for tree in trees if tree.task.gold is not None}
    usage = sum((leaf.usage for tree in trees for leaf in tree.leaves), Usage())
    return Pool(agent.name, draws, usage)


def _draws(tree: Trajectory, course: Course, size: int) -> tuple[Draw, ...]:
    pairs = zip(tree.leaves, leaf_scores(tree, course.benchmark), strict=True)
    made = [Draw(found.strict or 0.0, found.flexible or 0.0, leaf.answer, leaf.usage) for leaf, found in pairs]
    return tuple(made + [Draw(0.0, 0.0, None, Usage())] * (size - len(made)))


def _score(draws: Sequence[Draw], k: int, metric: Metric, rule: Literal["strict", "flexible"]) -> float:
    scores: list[float] = [getattr(draw, rule) for draw in draws]
    if metric == "majority":
        return majority_at_k([draw.answer for draw in draws], scores, k)
    expected = pass_at_k if metric == "pass" else all_at_k
    return expected(len(draws), sum(score == 1.0 for score in scores), k)


def _rate(draws: Sequence[Draw]) -> float:
    return fsum(draw.flexible for draw in draws) / len(draws)
