"""Experts: a solver and as many critics as a chief orders, as a team that is made and called at run time.

Critics come first in a round and read the solution of the one before, so that none is asked after the last solution.
Where all agree the solution stands; a critic that fails, or says neither, does not agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestra.engine.budget import Budget
from orchestra.engine.context import Context
from orchestra.engine.graph import START, Edge, Node
from orchestra.engine.outputs import last
from orchestra.engine.stops import MaxRounds, Quorum
from orchestra.errors import Unparseable
from orchestra.team.actors.around import nested
from orchestra.team.actors.chief import Orders
from orchestra.team.actors.told import Told
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.team.team import Team
from orchestra.types import Reply, View

UNANIMOUS: Final = 0.99
"""The share of a quorum of all, up to a hundred."""


@register("experts")
@dataclass(frozen=True, slots=True)
class Experts:
    """Solver and critics, as many as ordered, each told the direction and what the recruiter says of it.

    It reads Orders in the message of `chief`, and a description of each in that of `recruiter`, where there is one.
    Whatever else stands in its inbox, such as its last solution and advice on it, the solver hears.
    """

    solver: Agent
    critics: tuple[Agent, ...]
    inner: int
    """Rounds of review, at most."""

    def __post_init__(self) -> None:
        self._team(View(""), Orders(1 + len(self.critics)), "", ())  # one that cannot be made is refused here

    async def __call__(self, view: View, ctx: Context) -> Reply:
        said = {message.sender: message for message in view.inbox}
        chief, recruiter = said.get("chief"), said.get("recruiter")
        orders = chief.parsed if chief else None
        if chief is None or not isinstance(orders, Orders):
            raise Unparseable(f"{ctx.path}: expected the orders of 'chief', got {orders!r}; it may have failed")
        team = self._team(view, orders, chief.content, (recruiter.parsed or ()) if recruiter else ())
        before = tuple(message for message in view.inbox if message not in (chief, recruiter))
        budget = Budget(tokens=orders.tokens) if orders.tokens else None
        return await nested(team, replace(view, inbox=before), ctx, "team", budget=budget)

    def _team(self, view: View, orders: Orders, direction: str, experts: Sequence[str]) -> Team:
        told = f"{view.prompt}\nDirection: {direction}" if direction else view.prompt
        described = [*(f"{told}\nYou are: {expert}" for expert in experts), *[told] * orders.size]
        nodes = [
            Node(name, Told(agent, prompt), votes=name != "solver")
            for (name, agent), prompt in zip(self._seats(orders.size), described, strict=False)
        ]
        critics = [node.name for node in nodes[1:]]
        review = [edge for name in critics for edge in (Edge("solver", name, "temporal"), Edge(name, "solver"))]
        stop = Quorum(UNANIMOUS) | MaxRounds(1 + self.inner)
        return Team("team", nodes, [Edge(START, "solver"), *review], stop, last("solver"))

    def _seats(self, size: int) -> list[tuple[str, Agent]]:
        critics = enumerate(self.critics[: size - 1], start=1)
        return [("solver", self.solver), *((f"critic-{i}", critic) for i, critic in critics)]
