"""Random teams for the tests of drawings: cycles, sub-teams, actors around them, joins, failures, words passed on."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from small_teams import Caller

from orchestra.engine import START, Actor, Context, Edge, MaxRounds, Node, Quorum, majority
from orchestra.team import Map, Retry, Team, Timed, Told, register
from orchestra.types import Reply, View


@register("test_relay")
@dataclass(frozen=True)
class Relay:
    """Passes on all that it heard; where it heard nothing it says so itself."""

    to: tuple[str, ...]

    async def __call__(self, view: View, ctx: Context) -> Reply:
        return Reply("nothing", sends=dict.fromkeys(self.to, view.inbox) if view.inbox else None)


@dataclass(frozen=True)
class Shaky:
    """Asks an actor and fails all the same, until it is in the second of two attempts."""

    actor: Actor
    manner: str = "shaky"

    async def __call__(self, view: View, ctx: Context) -> Reply:
        said = await self.actor(view, ctx)
        if "try#2" not in ctx.path:
            raise ValueError("not yet")
        return said


@register("test_drawn.items")
def items(view: View) -> tuple[str, ...]:
    return ("one", "two")[: 1 + len(view.inbox) % 2]


AROUND = (
    lambda team: team,
    lambda team: Timed(Told(team, "another task"), seconds=60),
    lambda team: Retry(Shaky(team), base=0),
    lambda team: Map(team, items),
    lambda team: Retry(Map(Retry(Shaky(team), base=0), items), base=0),
    lambda team: Retry(Shaky(Map(team, items)), base=0),
)
"""What may stand around a sub-team."""


@st.composite
def teams(draw, depth=1, most=6):
    names = [f"n{i}" for i in range(draw(st.integers(1, most)))]
    relays = draw(st.booleans())  # or nodes that choose whom they speak to; never both, so that ways can be told apart
    pairs = [(a, b) for a in range(len(names)) for b in range(len(names))]
    edges = [Edge(START, name) for name in names if name == names[0] or draw(st.booleans())]
    for a, b in pairs:
        if a < b and (b == a + 1 or draw(st.integers(0, 2)) == 0):
            edges.append(Edge(names[a], names[b]))
        elif draw(st.integers(0, 3)) == 0:
            edges.append(Edge(names[a], names[b], "temporal"))
    nodes = [_node(draw, name, edges, depth, relays) for name in names]
    return Team("t", nodes, edges, Quorum(0.9) | MaxRounds(draw(st.integers(1, 3))), majority())


def _node(draw, name, edges, depth, relays):
    to = tuple(sorted({edge.dst for edge in edges if edge.src == name}))
    kind = draw(st.integers(0, 5))
    if kind == 0 and depth:
        return Node(name, draw(st.sampled_from(AROUND))(draw(teams(depth=depth - 1, most=3))))
    if kind == 1 and relays and to:
        return Node(name, Relay(to), votes=False)
    sends = to if to and not relays and draw(st.booleans()) else None
    actor = Caller(draw(st.integers(1, 2)), sends, fails=draw(st.integers(0, 5)) == 0)
    heard = sum(edge.dst == name for edge in edges)
    join = heard > 1 and not relays and draw(st.integers(0, 5)) == 0
    return Node(name, actor, when=_two if join else None, votes=draw(st.booleans()))


def _two(messages):
    return len(messages) >= 2
