"""An actor that says again what the best of those before it said."""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.engine.context import Context
from orchestra.errors import Unparseable
from orchestra.team.registry import register
from orchestra.team.selection import Selection
from orchestra.types import Reply, View


@register("pick")
@dataclass(frozen=True, slots=True)
class Pick:
    """The message of the first that a selection names, content, answer and typed output."""

    select: Selection

    async def __call__(self, view: View, ctx: Context) -> Reply:
        names = await self.select(view, ctx)
        ctx.event("selection", ", ".join(names))
        for message in view.inbox:
            if message.sender in names[:1]:
                return Reply(message.content, message.answer, message.parsed)
        raise Unparseable(f"{ctx.path}: its selection names {list(names)}, of whom nobody spoke")
