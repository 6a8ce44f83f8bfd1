"""Who goes on: selections, and the two actors that obey them, Switch among those who spoke and Route among branches.

Who speaks next is exactly who was selected or came in for one that was not, by name; never by place in a list that was
shuffled since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from orchestra.engine.context import ONE_CALL, Context
from orchestra.errors import BadTeam, Unparseable
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


class Squad(NamedTuple):
    """Who plays, and who of the bench has not come in yet: what a Switch with a bench remembers."""

    playing: tuple[str, ...]
    fresh: tuple[str, ...]


@register("switch")
@dataclass(frozen=True, slots=True)
class Switch:
    """Passes the messages of those selected on to those selected; what it holds back no longer stands.

    With a bench the team keeps its size (drop and replace): for each one that does not go on the next of the bench
    comes in, hears what those selected said, and speaks from the next round. Whoever is out then stays out, also in
    rounds without a selection. Where nobody goes on nobody comes in: the team ends.
    """

    select: Selection
    to: tuple[str, ...]
    rounds: range
    """Where it selects; in the others all go on."""
    bench: tuple[str, ...] = ()
    """Successors that come in, in this order, each once; nothing else may speak to them."""

    def __post_init__(self) -> None:
        names = [*self.to, *self.bench]
        if self.bench and len(set(names)) < len(names):
            raise BadTeam(f"switch: expected different names, got {list(self.to)} and the bench {list(self.bench)}")

    async def __call__(self, view: View, ctx: Context) -> Reply:
        playing, fresh = view.memory or Squad(self.to, self.bench)
        going, heard = playing, set(playing)
        if view.round in self.rounds:
            heard = set(await self._selected(view, ctx))
            stay = tuple(name for name in playing if name in heard)
            out = len(playing) - len(stay) if heard else 0
            going, fresh = stay + fresh[:out], fresh[out:]
            ctx.event("selection", ", ".join(going))
        kept = tuple(m for m in view.inbox if m.sender in heard)
        memory = Squad(going, fresh) if self.bench else None
        return Reply(sends=dict.fromkeys(going, kept), memory=memory)

    async def _selected(self, view: View, ctx: Context) -> Sequence[str]:
        """Those who go on; Unparseable if one of them did not speak."""
        names, spoke = await self.select(view, ctx), [m.sender for m in view.inbox]
        if strangers := [name for name in names if name not in spoke]:
            raise Unparseable(f"{ctx.path}: its selection names {strangers[0]!r}, but those who spoke are {spoke}")
        return names


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
        chosen = await pick(self.agent, self.branches, view, ctx)
        return Reply(chosen, sends={chosen: view.inbox or chosen})


async def pick(agent: Agent, options: tuple[str, ...], view: View, ctx: Context) -> str:
    """One of the options as an agent scores them, drawn by name of the decision; never anything else."""
    request = agent.role.request(view, adapter=agent.policy.adapter, options=options, persona=agent.persona)
    bound = agent.call_bound(request) if ctx.capped else ONE_CALL
    chosen: Completion = await ctx.do(request, choose(agent.policy.model), by=agent.speaker(), bound=bound)
    ctx.event("selection", chosen.text)
    return chosen.text
