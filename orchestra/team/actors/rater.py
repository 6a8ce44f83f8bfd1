"""An agent that rates whom it hears: shown what they said in shuffled order, against position bias (DyLAN).

The order is what the agent is shown, not what reached it: `Message.saw` lists its inbox as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.team.ranking import Rated
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.types import FrozenMap, Reply, Usage, View


@register("rater")
@dataclass(frozen=True, slots=True)
class Rater:
    """Tells by name how an agent, whose role's typed output is `Rated`, rated the senders of its inbox.

    Where it does not have one score for each message that it was shown, nobody is rated. The others hear what it said
    without the ratings, which are no part of its answer.
    """

    agent: Agent

    @property
    def name(self) -> str:
        return self.agent.name

    @property
    def manner(self) -> str:
        return "rates whom it hears"

    def bound(self, view: View) -> Usage | None:
        # The order is not known yet, and texts in another order may have more tokens.
        return self.agent.bound(view) if len(view.inbox) < 2 else None

    def speaker(self) -> Speaker:
        return self.agent.speaker()

    async def __call__(self, view: View, ctx: Context) -> Reply:
        shown = tuple(ctx.rng().sample(view.inbox, len(view.inbox)))
        reply = await self.agent(replace(view, inbox=shown), ctx)
        parsed = reply.parsed
        if not isinstance(parsed, Rated):
            return reply
        if len(parsed.scores) == len(shown):
            pairs = zip(shown, parsed.scores, strict=True)
            parsed = replace(parsed, ratings=FrozenMap({message.sender: float(score) for message, score in pairs}))
        return replace(reply, content=parsed.said or reply.content, parsed=parsed)
