"""The first of several actors that does not fail. Each is asked only once all before it have failed.

The first runs in the activation itself, so that a team keeps the names of its effects when it is given a Fallback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestra.engine.actor import Actor, Bounded
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.engine.run import name_of
from orchestra.errors import BadTeam
from orchestra.team.around import BoundedActor, answerable, check_bounded, line, nested
from orchestra.team.registry import register
from orchestra.types import Reply, Usage, View


@register("fallback")
@dataclass(frozen=True, slots=True)
class Fallback:
    """Asks one actor after another until one does not fail; raises the failure of the last."""

    actors: Sequence[Actor]

    def __post_init__(self) -> None:
        object.__setattr__(self, "actors", tuple(self.actors))
        if not self.actors:
            raise BadTeam("fallback of no actors: expected at least one")

    @property
    def name(self) -> str:
        return name_of(self.actors[0])

    async def __call__(self, view: View, ctx: Context) -> Reply:
        for number in range(1, len(self.actors)):
            try:
                return await self._ask(number, view, ctx)
            except Exception as failure:
                if not answerable(failure):
                    raise
                ctx.event("failure", f"{number} of {len(self.actors)}: {line(failure)}")
        return await self._ask(len(self.actors), view, ctx)

    async def _ask(self, number: int, view: View, ctx: Context) -> Reply:
        actor = self.actors[number - 1]
        if number == 1:
            return await actor(view, ctx)
        return await nested(actor, view, ctx, f"fallback-{number}")


@register("bounded_fallback")
@dataclass(frozen=True, slots=True)
class BoundedFallback(Fallback):
    """A Fallback whose worst case is known: all are asked, and all speak with one role."""

    actors: Sequence[BoundedActor]

    def __post_init__(self) -> None:
        Fallback.__post_init__(self)
        for actor in self.actors:
            check_bounded(actor, "fallback")
        if len(roles := {actor.speaker().role for actor in self.actors}) > 1:
            raise BadTeam(f"bounded_fallback: expected actors of one role, got {sorted(roles)}; fix: use fallback")

    def bound(self, view: View) -> Usage:
        return sum((actor.bound(view) for actor in self.actors), Usage())

    def speaker(self) -> Speaker:
        return self.actors[0].speaker()


def fallback(*actors: Actor) -> Fallback:
    """The first of the actors that does not fail.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> fallback(generator(Scripted([])), generator(Scripted([]), name="spare")).name
    'generator'
    """
    bounded = [actor for actor in actors if isinstance(actor, Bounded)]
    if len({actor.speaker().role for actor in bounded}) == 1 and len(bounded) == len(actors):
        return BoundedFallback(bounded)
    return Fallback(actors)
