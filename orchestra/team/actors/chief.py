"""A chief gives orders: how many work, with how many tokens, in which direction; or it stops (the CEO of MAS-TTS, arXiv
2504.09772).

Size, tokens and stop are choices from closed sets, scored and drawn like a route; the direction is a sentence. Unlike a
`Controller` it leads no team itself: its orders are a message, and whoever hears it obeys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from orchestra.engine.context import Context
from orchestra.errors import BadTeam
from orchestra.team.actors.controller import STOP
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.team.selection import pick
from orchestra.types import Reply, View


class Orders(NamedTuple):
    """What a chief has decided."""

    size: int
    tokens: int = 0
    """0: no cap."""


class Question(NamedTuple):
    """What a chief is asked, which its prompt sees as `memory`."""

    of: Literal["size", "tokens", "direction"]
    size: int = 0
    """Experts, once they are decided."""


@register("chief")
@dataclass(frozen=True, slots=True)
class Chief:
    """Gives Orders and a direction, or stops; a choice of one is not asked for. It cannot stop in its first round."""

    agent: Agent
    """Its prompt sees the Question as `memory`."""
    sizes: tuple[int, ...]
    tokens: tuple[int, ...] = ()
    """None: no cap."""

    def __post_init__(self) -> None:
        for what, numbers in (("sizes", self.sizes or (0,)), ("tokens", self.tokens)):
            if len(set(numbers)) < len(numbers) or any(number < 1 for number in numbers):
                raise BadTeam(f"chief {self.agent.name!r}: expected different {what} from 1, got {numbers!r}")

    @property
    def name(self) -> str:
        return self.agent.name

    async def __call__(self, view: View, ctx: Context) -> Reply:
        sizes = {f"{n} {'expert' if n == 1 else 'experts'}": n for n in self.sizes} | ({STOP: 0} if view.round else {})
        size = await self._choose(sizes, Question("size"), view, ctx)
        if not size:
            return Reply(STOP, stop=f"{self.agent.name} stopped")
        caps = {f"{n} tokens": n for n in self.tokens} or {"": 0}
        tokens = await self._choose(caps, Question("tokens", size), view, ctx)
        direction = await self.agent(replace(view, memory=Question("direction", size)), ctx)
        return Reply(direction.content, parsed=Orders(size, tokens))

    async def _choose(self, options: Mapping[str, int], question: Question, view: View, ctx: Context) -> int:
        if len(options) == 1:
            return next(iter(options.values()))
        return options[await pick(self.agent, tuple(options), replace(view, memory=question), ctx)]
