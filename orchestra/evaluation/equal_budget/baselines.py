"""A baseline at the cost of a team: sized task by task or on average, run on the same tasks, what it spent beside it.

What it would cost is rehearsed, with the replies of one sample of its agents on every task and without another call.

Invariant: the target is what the team really spent, and the ratio reported is of what the baseline really spent to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import fsum
from statistics import median
from typing import Any, Final

from orchestra.engine import Node, run
from orchestra.errors import BadInput, OrchestraError
from orchestra.evaluation.course import Course
from orchestra.evaluation.equal_budget.flops import by_weights, flops
from orchestra.evaluation.equal_budget.matching import SIZINGS, Forecast, Match, Per, Sizing, sizes
from orchestra.evaluation.equal_budget.rehearsal import Line, rehearsing
from orchestra.evaluation.result import Item, Result
from orchestra.evaluation.sources.seats import seated
from orchestra.models.model import Policy
from orchestra.team import Agent, Team
from orchestra.team.role import silent
from orchestra.topologies import solo
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Task, View

WARM: Final = 0.7
"""Temperature of the samples of a greedy agent, which would otherwise all be the same."""


Bind = Callable[[Policy], Policy]
"""What stands for a policy; `as_is` in earnest."""


def as_is(policy: Policy) -> Policy:
    """The policy itself."""
    return policy


@dataclass(frozen=True, slots=True)
class Growth:
    """What a baseline is at other sizes."""

    sizing: Sizing
    sized: Callable[[int, Bind], Team]
    once: Team
    """One call of each of its agents, whose replies are what a rehearsal says."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A team to measure beside ours."""

    name: str
    usual: Team
    """As it is where nothing is matched."""
    growth: Growth | None = None
    """None: it has no size."""


@dataclass(frozen=True, slots=True)
class Matched:
    """How a baseline was brought to the cost of a team."""

    match: Match
    per: Per
    parameter: str
    sizes: tuple[int, ...]
    """Of each task."""
    target: float
    """What the team spent on a run, on average, in the unit of `match`."""
    spent: float
    """What the baseline spent."""

    def summary(self) -> dict[str, Any]:
        """JSON; the sizes as least, median and most."""
        found = {"least": min(self.sizes), "median": median(self.sizes), "most": max(self.sizes)}
        ratio = round(self.spent / self.target, 4) if self.target else None
        told = {"match": self.match, "per": self.per, "parameter": self.parameter, "sizes": found}
        return {**told, "target": self.target, "spent": self.spent, "ratio": ratio}


def baseline(name: str, make: Callable[[int | None, Bind], Team]) -> Baseline:
    """A baseline of the shelf, or any team; `make` gives it at a size, or as it usually is (None).

    Agents that are asked the same again are made to sample where they are greedy.
    """
    sizing = SIZINGS.get(name)
    if sizing is None:
        return Baseline(name, make(None, as_is))

    def sized(size: int | None, bind: Bind) -> Team:
        return warmed(make(size, bind)) if sizing.repeats else make(size, bind)

    usual = sized(None, as_is)
    return Baseline(name, usual, Growth(sizing, sized, solo(usual.agents()[0])))


def ensemble(team: Team, make: Callable[[Sequence[Agent], int], Team]) -> Baseline:
    """The team's own agents without a word between them: those who can answer alone, all of them asked so many times,
    usually until there are as many as the team has. `make` is the topology.

    Raises BadInput where none of the team's agents answers without having read another.
    """
    agents = list({agent.name: agent for agent in team.agents() if answers_alone(agent)}.values())
    if not agents:
        raise BadInput(
            f"baseline ensemble: no agent of {team.name!r} answers without reading others; fix: leave it out"
        )

    def sized(repeat: int, bind: Bind) -> Team:
        return warmed(make([replace(agent, policy=bind(agent.policy)) for agent in agents], repeat), everyone=True)

    usual = sized(-(-len(team.agents()) // len(agents)), as_is)
    return Baseline("ensemble", usual, Growth(SIZINGS["ensemble"], sized, sized(1, as_is)))


def answers_alone(agent: Agent) -> bool:
    """Whether an agent has an answer to give, and its prompt can be made from a task alone."""
    try:
        agent.request(View("?"))
    except OrchestraError:  # the prompt speaks of what others said
        return False
    return agent.role.answer is not silent


def warmed(team: Team, *, everyone: bool = False) -> Team:
    """The team with agents of its first agent's role, or everyone, sampling at WARM where they were greedy."""
    first = team.agents()[0].role.name

    def warm(node: Node) -> Node:
        actor = node.actor
        if not isinstance(actor, Agent) or actor.role.temperature > 0 or not (everyone or actor.role.name == first):
            return node
        return replace(node, actor=replace(actor, role=replace(actor.role, temperature=WARM)))

    return replace(team, nodes=tuple(map(warm, team.nodes)))


async def measure(
    course: Course, other: Baseline, team: Team, ours: Result, match: Match | None, per: Per
) -> tuple[Result, Matched | None]:
    """A baseline on the course, at the cost of `ours` if it has a size and something is to be matched."""
    growth = other.growth
    if match is None or growth is None:
        return await course.measure(other.usual, other.name), None
    price = _price(match, [team, other.usual])
    spent = [price(_recorded(course, item)) for item in ours.items]
    targets = _per_task(ours, spent, course.tasks)
    found = sizes(growth.sizing, targets, await _forecasts(course, growth, match, price), per)
    made = {size: growth.sized(size, as_is) for size in sorted(set(found))}
    size_of = dict(zip((task.id for task in course.tasks), found, strict=True))
    result = await course.measure(lambda task: made[size_of[task.id]], other.name, per_task=True)
    bought = fsum(price(_recorded(course, item)) for item in result.items) / len(result.items)
    return result, Matched(match, per, growth.sizing.parameter, tuple(found), fsum(targets) / len(targets), bought)


Price = Callable[[Trajectory], float]


def _price(match: Match, teams: Sequence[Team]) -> Price:
    """What a run cost, in the unit that is matched."""
    if match == "calls":
        return lambda ended: float(ended.usage.calls)
    if match == "tokens":
        return lambda ended: float(ended.usage.tokens)
    sizes_of = by_weights(teams)
    return lambda ended: flops(ended, sizes_of)


async def _forecasts(course: Course, growth: Growth, match: Match, price: Price) -> list[Forecast]:
    """The cost on every task at the three sizes, rehearsed with the replies of one sample."""
    line = Line()
    lines = [line] * len(course.tasks)
    if match != "calls":  # of which replies change nothing
        once = await replace(course, samples=1, total=None).measure(growth.once, "one sample")
        length = once.usage.tokens_out / max(1, once.usage.calls)
        tokens = None if growth.sizing.fills else length
        lines = [Line(_recorded(course, item).leaf.content, tokens) for item in once.items]
    teams = [growth.sized(size, lambda policy: rehearsing(policy, line)) for size in growth.sizing.rehearsed]
    found = []
    for task, said in zip(course.tasks, lines, strict=True):
        line.text, line.tokens = said.text, said.tokens
        found.append(Forecast(*[price(await run(team, seated(task, team), seed=course.seed)) for team in teams]))
    return found


def _recorded(course: Course, item: Item) -> Trajectory:
    trajectory = course.folder.get(item.trajectory)
    assert trajectory is not None, "a measured system's trajectories are on disk"
    return trajectory


def _per_task(ours: Result, spent: Sequence[float], tasks: Sequence[Task]) -> list[float]:
    """Mean over the samples of each task."""
    found: dict[str, list[float]] = {task.id: [] for task in tasks}
    for item, used in zip(ours.items, spent, strict=True):
        found[item.task].append(used)
    return [fsum(used) / len(used) for used in found.values()]
