"""Time limits around an actor: its calls fail once they take too long together, or once it is silent for too long.

The limits hold at the door (`Context.limited`), so a timeout is a failed call in the journal and a resumed run fails in
the same place. A pause between attempts counts; what an actor does between calls does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from orchestra.engine.actor import Actor, Bounded
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.engine.run import name_of
from orchestra.errors import BadTeam
from orchestra.team.around import BoundedActor, check_bounded
from orchestra.team.registry import register
from orchestra.types import Reply, Usage, View


@register("timed")
@dataclass(frozen=True, slots=True)
class Timed:
    """An actor whose calls fail when time is over."""

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

    async def __call__(self, view: View, ctx: Context) -> Reply:
        with ctx.limited(self.seconds, self.idle):
            return await self.actor(view, ctx)


@register("bounded_timed")
@dataclass(frozen=True, slots=True)
class BoundedTimed(Timed):
    """A Timed whose worst case is known: that of its actor."""

    actor: BoundedActor

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        check_bounded(self.actor, "timed")

    def bound(self, view: View) -> Usage:
        return self.actor.bound(view)

    def speaker(self) -> Speaker:
        return self.actor.speaker()


def timed(actor: Actor, seconds: float = inf, idle: float = inf) -> Timed:
    """The actor, under limits of time.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> timed(generator(Scripted([])), seconds=30).name
    'generator'
    """
    if isinstance(actor, Bounded):
        return BoundedTimed(actor, seconds, idle)
    return Timed(actor, seconds, idle)
