"""An actor that begins anew: it hears that it is its turn, and nothing of what was said before."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestra.engine.actor import Actor
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.engine.run import name_of
from orchestra.team.actors.around import bound_of, speaker_of
from orchestra.team.registry import register
from orchestra.types import Reply, Usage, View


@register("anew")
@dataclass(frozen=True, slots=True)
class Anew:
    """The same actor with an empty inbox; `Message.saw` still lists what reached it.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> Anew(generator(Scripted([]))).manner
    'begins anew'
    """

    actor: Actor

    @property
    def name(self) -> str:
        return name_of(self.actor)

    @property
    def manner(self) -> str:
        return "begins anew"

    def bound(self, view: View) -> Usage | None:
        return bound_of(self.actor, self._alone(view))

    def speaker(self) -> Speaker:
        return speaker_of(self.actor)

    async def __call__(self, view: View, ctx: Context) -> Reply:
        return await self.actor(self._alone(view), ctx)

    def _alone(self, view: View) -> View:
        return replace(view, inbox=())
