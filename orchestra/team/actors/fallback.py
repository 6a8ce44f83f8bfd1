"""The first of several actors that does not fail. Each is asked only once all before it have failed.

The first runs in the activation itself, so that a team keeps the names of its effects when it is given a Fallback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestra.engine.actor import Actor
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.engine.run import name_of
from orchestra.errors import BadTeam
from orchestra.team.actors.around import answerable, bound_of, line, nested, speaker_of
from orchestra.team.registry import register
from orchestra.types import Reply, Usage, View


@register("fallback")
@dataclass(frozen=True, slots=True)
class Fallback:
    """Asks one actor after another until one does not fail; raises the failure of the last.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> Fallback([generator(Scripted([])), generator(Scripted([]), name="spare")]).name
    'generator'
    """

    actors: Sequence[Actor]

    def __post_init__(self) -> None:
        object.__setattr__(self, "actors", tuple(self.actors))
        if not self.actors:
            raise BadTeam("fallback of no actors: expected at least one")

    @property
    def name(self) -> str:
        return name_of(self.actors[0])

    def bound(self, view: View) -> Usage | None:
        """All are asked. Not known where they speak with different roles, since a budget caps one role at a time."""
        worst = [worst for actor in self.actors if (worst := bound_of(actor, view)) is not None]
        if len(worst) < len(self.actors) or len({speaker_of(actor).role for actor in self.actors}) > 1:
            return None
        return sum(worst, Usage())

    def speaker(self) -> Speaker:
        return speaker_of(self.actors[0])

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
        return await nested(actor, view, ctx, f"fallback#{number}")
