"""Random teams to run, under random delays, and their transcripts."""

import asyncio
import random

import small_teams
from hypothesis import strategies as st
from small_teams import Caller

from orchestra.digest import digest
from orchestra.engine import START, Edge, MaxRounds, Node, Quorum, Said, majority, run
from orchestra.team import Team
from orchestra.types import Task


@st.composite
def teams(draw, depth=1):
    """Routers, cycles, memory, failures, joins, sub-teams and several calls an activation."""
    n = draw(st.integers(1, 5))
    names = [f"n{i}" for i in range(n)]
    edges = [Edge(START, names[0]), *(Edge(START, name) for name in names[1:] if draw(st.booleans()))]
    for i in range(n):
        for j in range(n):
            if i < j and draw(st.booleans()):
                edges.append(Edge(names[i], names[j]))
            elif draw(st.integers(0, 3)) == 0:
                edges.append(Edge(names[i], names[j], "temporal"))
    reached = {names[0], *(e.dst for e in edges if e.src == START)}
    edges += [Edge(names[0], name) for name in names[1:] if name not in reached and not _fed(name, edges, reached)]
    cyclic = any(e.kind == "temporal" for e in edges)
    nodes = []
    for name in names:
        if depth and draw(st.integers(0, 4)) == 0:
            actor = draw(teams(depth=depth - 1))
        else:
            to = tuple(sorted({e.dst for e in edges if e.src == name}))
            actor = Caller(
                draw(st.integers(0, 2)), to if to and draw(st.booleans()) else None, draw(st.booleans()),
                draw(st.booleans()), draw(st.integers(0, 5)) == 0,
            )  # fmt: skip
        join = len([e for e in edges if e.dst == name]) > 1 and draw(st.integers(0, 4)) == 0
        nodes.append(Node(name, actor, when=_two if join else None, votes=draw(st.booleans())))
    stop = Quorum(draw(st.sampled_from([0.5, 2 / 3]))) | Said()
    return Team("t", nodes, edges, stop | MaxRounds(draw(st.integers(1, 3))) if cyclic else stop, majority())


def _two(messages):
    return len(messages) >= 2


def _fed(name, edges, reached):
    return any(e.dst == name and e.src in reached for e in edges)


def transcript(result):
    return digest(repr((result.decisions, result.messages, result.leaves, result.events)))


def delayed(seed):
    noise = random.Random(seed)
    return lambda request: noise.choice([0, 0, 0.0005, 0.001])


def go(team, seed, schedule="sequential", delays=None, journal=None):
    small_teams._delays[:] = [delayed(delays)] if delays is not None else []
    return asyncio.run(run(team, Task("t", "q"), seed=seed, schedule=schedule, journal=journal))
