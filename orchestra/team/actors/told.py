"""An actor with another task: what maps and plans hand out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestra.engine.actor import Actor
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.engine.run import name_of
from orchestra.team.actors.around import bound_of, speaker_of
from orchestra.team.registry import register
from orchestra.types import Reply, Usage, View


@register("told")
@dataclass(frozen=True, slots=True)
class Told:
    """The same actor, and a task prompt of its own in place of its team's.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> Told(generator(Scripted([])), "What is 2 + 2?").name
    'generator'
    """

    actor: Actor
    prompt: str

    @property
    def name(self) -> str:
        return name_of(self.actor)

    @property
    def manner(self) -> str:
        return "told another task"

    def bound(self, view: View) -> Usage | None:
        return bound_of(self.actor, self._told(view))

    def speaker(self) -> Speaker:
        return speaker_of(self.actor)

    async def __call__(self, view: View, ctx: Context) -> Reply:
        return await self.actor(self._told(view), ctx)

    def _told(self, view: View) -> View:
        return replace(view, prompt=self.prompt)
