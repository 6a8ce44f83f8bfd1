"""Time limits around an actor: its calls fail once they take too long together, or once it is silent for too long.

The limits hold at the door (`Context.limited`), so a timeout is a failed call in the journal and a resumed run fails in
the same place. A pause between attempts counts; what an actor does between calls does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from orchestra.engine.actor import Actor
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.engine.run import name_of
from orchestra.errors import BadTeam
from orchestra.team.actors.around import bound_of, speaker_of
from orchestra.team.registry import register
from orchestra.types import Reply, Usage, View


@register("timed")
@dataclass(frozen=True, slots=True)
class Timed:
    """An actor whose calls fail when time is over.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> Timed(generator(Scripted([])), seconds=30).manner
    'within 30 s'
    """

    actor: Actor
    seconds: float = inf
    """For all its calls together."""
    idle: float = inf
    """Without a word from a call."""

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.idle > 0) or self.seconds == self.idle == inf:
            raise BadTeam(f"timed seconds={self.seconds!r}, idle={self.idle!r}: expected one of them, above 0")

    @property
    def name(self) -> str:
        return name_of(self.actor)

    @property
    def manner(self) -> str:
        limits = (("within", self.seconds), ("idle for", self.idle))
        return ", ".join(f"{word} {seconds:g} s" for word, seconds in limits if seconds < inf)

    def bound(self, view: View) -> Usage | None:
        return bound_of(self.actor, view)

    def speaker(self) -> Speaker:
        return speaker_of(self.actor)

    async def __call__(self, view: View, ctx: Context) -> Reply:
        with ctx.limited(self.seconds, self.idle):
            return await self.actor(view, ctx)
