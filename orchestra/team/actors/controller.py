"""A controller sets the size and the token budget of the team that it leads, as the CEO of MAS-TTS does (arXiv
2504.09772), and may end the work instead, which the public code of that paper lets it say and does not obey.

Each is a choice from a closed set, scored and drawn like a route, so nothing else can come of it and both are decisions
to train on. A choice of one is not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from orchestra.engine.actor import Actor
from orchestra.engine.budget import Budget
from orchestra.engine.context import Context
from orchestra.errors import BadTeam
from orchestra.team.actors.around import nested
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.team.selection import pick
from orchestra.types import Reply, View

STOP: Final = "stop"
"""The option that ends the work."""


@register("controller")
@dataclass(frozen=True, slots=True)
class Controller:
    """Chooses how many of a pool work on the task, and with how many tokens, and has a team of them do it."""

    agent: Agent
    """Is asked for the size first; when it is asked for the budget its prompt sees the chosen size as `memory`."""
    pool: Sequence[Actor]
    """The first of them that are chosen make up the team."""
    compose: Callable[[Sequence[Any]], Actor]
    """A topology."""
    sizes: tuple[int, ...]
    tokens: tuple[int, ...] = ()
    """Budgets to choose from; none: no cap but that of the run."""
    may_stop: bool = True
    """Whether it may end the work: it says so (`Reply.stop`), and repeats the last message that it saw."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pool", tuple(self.pool))
        where = f"controller {self.agent.name!r}"
        if not _are_different(self.sizes) or not all(1 <= size <= len(self.pool) for size in self.sizes):
            raise BadTeam(f"{where}: expected different sizes from 1 to {len(self.pool)}, got {self.sizes!r}")
        if self.tokens and not (_are_different(self.tokens) and min(self.tokens) > 0):
            raise BadTeam(f"{where}: expected different numbers of tokens above 0, got {self.tokens!r}")
        if len(self.sizes) + self.may_stop < 2 and len(self.tokens) < 2:
            raise BadTeam(f"{where}: it has nothing to choose; expected two sizes, two numbers of tokens, or may_stop")
        for size in self.sizes:
            self.compose(self.pool[:size])  # a team that cannot be made is refused here, not in the middle of a run

    async def __call__(self, view: View, ctx: Context) -> Reply:
        sizes = {f"{size} {'agent' if size == 1 else 'agents'}": size for size in self.sizes}
        size = await self._choose(sizes | ({STOP: 0} if self.may_stop else {}), view, ctx)
        if size == 0:
            return self._stop(view)
        budget = None
        if self.tokens:
            asked = replace(view, memory=next(text for text, number in sizes.items() if number == size))
            budget = Budget(tokens=await self._choose({f"{n} tokens": n for n in self.tokens}, asked, ctx))
        return await nested(self.compose(self.pool[:size]), view, ctx, "team", budget=budget)

    async def _choose(self, options: Mapping[str, int], view: View, ctx: Context) -> int:
        """What the option that is chosen stands for."""
        if len(options) == 1:
            return next(iter(options.values()))
        return options[await pick(self.agent, tuple(options), view, ctx)]

    def _stop(self, view: View) -> Reply:
        reason = f"{self.agent.name} stopped"
        if not view.inbox:
            return Reply(stop=reason)
        said = view.inbox[-1]
        return Reply(said.content, said.answer, said.parsed, stop=reason)


def _are_different(numbers: Sequence[int]) -> bool:
    return 0 < len(set(numbers)) == len(numbers)
