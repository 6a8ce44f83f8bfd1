"""An actor with another task: what maps and plans hand out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestra.engine.actor import Actor, Bounded
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.engine.run import name_of
from orchestra.team.around import BoundedActor, check_bounded
from orchestra.team.registry import register
from orchestra.types import Reply, Usage, View


@register("told")
@dataclass(frozen=True, slots=True)
class Told:
    """The same actor, and a task prompt of its own in place of its team's."""

    actor: Actor
    prompt: str

    @property
    def name(self) -> str:
        return name_of(self.actor)

    async def __call__(self, view: View, ctx: Context) -> Reply:
        return await self.actor(replace(view, prompt=self.prompt), ctx)


@register("bounded_told")
@dataclass(frozen=True, slots=True)
class BoundedTold(Told):
    """A Told whose worst case is known: that of its actor on that prompt."""

    actor: BoundedActor

    def __post_init__(self) -> None:
        check_bounded(self.actor, "told")

    def bound(self, view: View) -> Usage:
        return self.actor.bound(replace(view, prompt=self.prompt))

    def speaker(self) -> Speaker:
        return self.actor.speaker()


def told(actor: Actor, prompt: str) -> Told:
    """The actor, asked something else.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> told(generator(Scripted([])), "What is 2 + 2?").prompt
    'What is 2 + 2?'
    """
    return BoundedTold(actor, prompt) if isinstance(actor, Bounded) else Told(actor, prompt)
