"""A planner: its boss answers, or writes a plan, and the plan is a team that is built and called at run time.

The workers are all that a plan can reach. What was planned and what came of it is the planner's memory, so that in a
cycle the boss plans on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from orchestra.engine.actor import Actor
from orchestra.engine.context import Context
from orchestra.engine.graph import START, Edge, Node
from orchestra.engine.outputs import everything
from orchestra.errors import BadTeam, Unparseable
from orchestra.team.actors.around import nested
from orchestra.team.actors.plan import LONGEST, Plan, PlanStep, check_plan
from orchestra.team.actors.told import Told
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.team.team import Team
from orchestra.types import FrozenMap, Reply, View


class Done(NamedTuple):
    """A plan that was carried out: one item of a planner's memory, which the boss's prompt sees as `memory`."""

    steps: tuple[PlanStep, ...]
    content: str
    """All that its workers said."""


@register("planner")
@dataclass(frozen=True, slots=True)
class Planner:
    """Has its boss's plan carried out by workers; says `answered` once the boss gives the answer."""

    boss: Agent
    """Its role's output is a Plan, as `PlanForm` and `plan_answer` make it."""
    workers: Mapping[str, Actor]
    longest: int = LONGEST
    """Steps of one plan."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "workers", FrozenMap(self.workers))
        if not self.workers or self.longest < 1:
            raise BadTeam(f"planner {self.boss.name!r}: expected a worker and longest >= 1, got {self.longest!r}")

    @property
    def name(self) -> str:
        return self.boss.name

    async def __call__(self, view: View, ctx: Context) -> Reply:
        said = await self.boss(view, ctx)
        if said.answer is not None:
            return replace(said, stop="answered", memory=view.memory)
        if said.parsed is None:
            return replace(said, memory=view.memory)  # it abstained
        if not isinstance(said.parsed, Plan):
            raise Unparseable(f"{ctx.path}: expected a Plan of {self.boss.name!r}, got {type(said.parsed).__name__}")
        check_plan(said.parsed, self.workers, self.longest)
        done = await nested(self._team(said.parsed), view, ctx, "plan")
        return replace(done, memory=(*(view.memory or ()), Done(said.parsed.steps, done.content)))

    def _team(self, plan: Plan) -> Team:
        nodes = [Node(step.id, Told(self.workers[step.worker], step.task)) for step in plan.steps]
        edges = [Edge(need, step.id) for step in plan.steps for need in step.needs or (START,)]
        return Team("plan", nodes, edges, output=everything())
