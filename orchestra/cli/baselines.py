"""Baselines of an evaluation: on the same tasks, with the same weights, where asked for at the same cost a task.

Self-consistency is matched task by task: the team's tokens there buy so many samples of one agent, whose cost is its
prompt, known exactly, and its mean reply, from a pass of one sample a task. What was really spent is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from orchestra.cli.screen import say
from orchestra.engine import Actor, Budget
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.evaluate import Result, evaluate, samples_for
from orchestra.models.progress import Report
from orchestra.team import Agent, Team
from orchestra.topologies import self_consistency, solo
from orchestra.trajectory.store import Run
from orchestra.types import Task

Match = Literal["tokens", "calls"]

WARM = 0.7
"""Temperature of the samples of a greedy agent, which would otherwise all be the same."""
MOST = 1000
"""Samples of self-consistency."""


@dataclass(frozen=True, slots=True)
class Course:
    """What every system of an evaluation is run on."""

    tasks: Sequence[Task]
    benchmark: Benchmark
    folder: Run
    seed: int
    budget: Budget | None
    concurrency: int
    report: Report

    async def measure(self, system: Actor, name: str) -> Result:
        """One system on every task."""
        return await evaluate(
            system,
            self.tasks,
            self.benchmark,
            self.folder,
            name=name,
            seed=self.seed,
            budget=self.budget,
            concurrency=self.concurrency,
            progress=partial(self.report, name),
        )

    async def vote(self, agent: Agent, samples: Sequence[int]) -> Result:
        """Self-consistency with so many samples of an agent on each task."""
        number = dict(zip((task.id for task in self.tasks), samples, strict=True))
        return await evaluate(
            lambda task: self_consistency(agent, n=number[task.id]),
            self.tasks,
            self.benchmark,
            self.folder,
            name="self_consistency",
            per_task=True,
            seed=self.seed,
            budget=self.budget,
            concurrency=self.concurrency,
            progress=partial(self.report, "self_consistency"),
        )


async def baseline(course: Course, team: Team, name: str, ours: Result, match: Match | None) -> Result:
    """A baseline as it is, or self-consistency at the cost of `ours`."""
    if team.name != "self_consistency":
        return await course.measure(team, name)
    agent = _sampling(team.agents()[0])
    if match is None:
        return await course.vote(agent, [len(team.nodes)] * len(course.tasks))
    if match == "calls":
        return await course.vote(agent, [min(MOST, max(1, item.usage.calls)) for item in ours.items])
    one = await course.measure(solo(agent), "one sample")
    return await course.vote(agent, affordable(ours, one))


def affordable(ours: Result, one: Result) -> list[int]:
    """How many samples the tokens of `ours` buy on each task, when a sample costs its prompt and the mean reply."""
    reply = one.usage.tokens_out / len(one.items)
    pairs = zip(ours.items, one.items, strict=True)
    return [min(MOST, samples_for(a.usage.tokens, b.usage.tokens_in + reply)) for a, b in pairs]


def _sampling(agent: Agent) -> Agent:
    if agent.role.temperature > 0:
        return agent
    say(f"self_consistency: {agent.role.name} is greedy, so its samples are drawn at temperature {WARM}")
    return replace(agent, role=replace(agent.role, temperature=WARM))
