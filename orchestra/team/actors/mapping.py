"""Map: one copy of an actor for each item of a list that is found at run time.

The copies are nodes of a team that is built then and called, so they run side by side, stand on the record in the order
of the items, and count against the same budget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from orchestra.engine.actor import Actor
from orchestra.engine.context import Context
from orchestra.engine.graph import START, Edge, Node
from orchestra.engine.outputs import Everything, Output
from orchestra.errors import Unparseable
from orchestra.team.actors.around import nested
from orchestra.team.actors.told import Told
from orchestra.team.registry import register
from orchestra.team.team import Team
from orchestra.types import Reply, View

LONGEST = 1_000
"""Items of one list."""


@register("lines")
def lines(view: View) -> Sequence[str]:
    """The items of the last message: its typed output where that is a list of texts, else its lines without blanks."""
    if not view.inbox:
        return ()
    said = view.inbox[-1]
    if isinstance(said.parsed, (list, tuple)) and all(isinstance(item, str) for item in said.parsed):
        return said.parsed
    return [line.strip() for line in said.content.splitlines() if line.strip()]


@register("map")
@dataclass(frozen=True, slots=True)
class Map:
    """Gives each item as task to a copy of an actor; abstains where there is none."""

    actor: Actor
    items: Callable[[View], Sequence[str]] = lines
    gather: Output = field(default_factory=Everything)
    """What the copies' messages amount to; their nodes are called item-1, item-2 and so on."""

    @property
    def manner(self) -> str:
        return "for each item"

    async def __call__(self, view: View, ctx: Context) -> Reply:
        items = self.items(view)
        if len(items) > LONGEST:
            raise Unparseable(f"{ctx.path}: a map over {len(items):,} items; expected at most {LONGEST:,}")
        if not items:
            return Reply()
        nodes = [Node(f"item-{number}", Told(self.actor, item)) for number, item in enumerate(items, start=1)]
        team = Team("map", nodes, [Edge(START, node.name) for node in nodes], output=self.gather)
        return await nested(team, view, ctx, "map")
