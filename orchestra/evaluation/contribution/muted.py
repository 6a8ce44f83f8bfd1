"""A team in which some agents say nothing: each abstains where it stood, and nobody hears it.

The graph stays as it is, so the others keep their names, and whoever has the same causal past the same answers. A muted
voter is still due: a quorum counts it among those that do not agree.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from orchestra.engine import Actor, Context
from orchestra.errors import BadInput, UnknownName
from orchestra.team import Team, register
from orchestra.types import Reply, View


@register("muted")
@dataclass(frozen=True, slots=True)
class Muted:
    """Stands in the place of an actor and makes no call; with a round, in that round alone."""

    actor: Actor
    round: int | None = None

    async def __call__(self, view: View, ctx: Context) -> Reply:
        if self.round is not None and view.round != self.round:
            return await self.actor(view, ctx)
        return Reply(sends={})


def muted(team: Team, names: Collection[str], round: int | None = None) -> Team:
    """The team with these nodes muted; UnknownName for one that it has not."""
    known = [node.name for node in team.nodes]
    for name in names:
        if name not in known:
            raise UnknownName("agent", name, known)
    nodes = [replace(n, actor=Muted(n.actor, round)) if n.name in names else n for n in team.nodes]
    return replace(team, nodes=nodes)


def players(team: Team, names: Sequence[str] | None = None) -> list[str]:
    """Those whose contribution is measured: the named nodes, or all that vote. UnknownName, and BadInput for none."""
    known = [node.name for node in team.nodes]
    for name in names or ():
        if name not in known:
            raise UnknownName("agent", name, known)
    found = list(dict.fromkeys(names)) if names is not None else [node.name for node in team.nodes if node.votes]
    if not found:
        raise BadInput(f"team {team.name!r}: no agents to measure; fix: name at least one")
    return found
