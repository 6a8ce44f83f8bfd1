"""A cap of its own around an actor, within those of the teams that it is part of.

A team that runs into it ends with its best answer so far, and the teams around it go on; a single agent that does
abstains. How much of the cap is used is not known beforehand, so under a budget nothing runs ahead beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from orchestra.engine.actor import Actor
from orchestra.engine.budget import CAPS, Budget
from orchestra.engine.context import Context
from orchestra.engine.run import name_of
from orchestra.team.actors.around import nested
from orchestra.team.registry import register
from orchestra.types import Reply, View


@register("capped")
@dataclass(frozen=True, slots=True)
class Capped:
    """An actor that spends so much an activation at most.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> Capped(generator(Scripted([])), Budget(calls=3, tokens=500)).manner
    'at most 3 calls, 500 tokens'
    """

    actor: Actor
    budget: Budget

    @property
    def name(self) -> str:
        return name_of(self.actor)

    @property
    def manner(self) -> str:
        caps = [f"{getattr(self.budget, name):g} {name}" for name in CAPS if getattr(self.budget, name) < inf]
        return f"at most {', '.join([*caps, *(f'of {role}' for role in self.budget.roles)])}"

    async def __call__(self, view: View, ctx: Context) -> Reply:
        return await nested(self.actor, view, ctx, "capped#", budget=self.budget)
