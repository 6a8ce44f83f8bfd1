"""Who goes on: selections, and the two actors that obey them, Switch among those who spoke and Route among branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from orchestra.engine.context import ONE_CALL, Context
from orchestra.errors import BadTeam
from orchestra.models.choose import choose
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.types import Completion, Reply, View


class Selection(Protocol):
    """Who goes on, in order, of those whose messages are in the view."""

    async def __call__(self, view: View, ctx: Context) -> Sequence[str]: ...


@register("top_k")
@dataclass(frozen=True, slots=True)
class TopK:
    """The k best by a ranker, which sees the messages in shuffled order, against position bias (DyLAN).

    The ranker's typed output is a sequence of positions in what it was shown. A position named twice counts once, and
    where it names too few the rest go on in the order shown.
    """

    ranker: Agent
    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise BadTeam(f"top_k of {self.ranker.name!r}: expected k >= 1, got {self.k!r}")

    async def __call__(self, view: View, ctx: Context) -> Sequence[str]:
        shown = tuple(ctx.rng().sample(view.inbox, len(view.inbox)))
        ranked = await self.ranker(replace(view, inbox=shown), ctx)
        named = [i for i in (ranked.parsed or ()) if 0 <= i < len(shown)]
        places = list(dict.fromkeys([*named, *range(len(shown))]))
        return [shown[i].sender for i in places[: self.k]]


@register("switch")
@dataclass(frozen=True, slots=True)
class Switch:
    """Passes the messages of those selected on to those selected; what it holds back no longer stands."""

    select: Selection
    to: tuple[str, ...]
    rounds: range
    """Where it selects; in the others all go on."""

    async def __call__(self, view: View, ctx: Context) -> Reply:
        going = set(self.to)
        if view.round in self.rounds:
            going = set(await self.select(view, ctx))
            ctx.event("selection", ", ".join(name for name in self.to if name in going))
        kept = tuple(m for m in view.inbox if m.sender in going)
        return Reply(sends={name: kept for name in self.to if name in going})


@register("route")
@dataclass(frozen=True, slots=True)
class Route:
    """Sends the work to one of a closed set of branches; a scored choice, so it cannot leave the set."""

    agent: Agent
    branches: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.branches)) < 2:
            raise BadTeam(f"route {self.agent.name!r}: expected at least two different branches, got {self.branches!r}")

    async def __call__(self, view: View, ctx: Context) -> Reply:
        role, policy = self.agent.role, self.agent.policy
        request = role.request(view, adapter=policy.adapter, options=self.branches, persona=self.agent.persona)
        bound = self.agent.call_bound(request) if ctx.capped else ONE_CALL
        chosen: Completion = await ctx.do(request, choose(policy.model), by=self.agent.speaker(), bound=bound)
        ctx.event("selection", chosen.text)
        return Reply(chosen.text, sends={chosen.text: view.inbox or chosen.text})
