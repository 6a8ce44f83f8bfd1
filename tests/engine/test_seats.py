"""Private lines: a seat is known by its name at the outermost team that has it, and nobody else reads its line."""

import asyncio

from orchestra.engine import START, Edge, Node, run
from orchestra.team import Team
from orchestra.types import FrozenMap, Reply, Task


async def tells(view, ctx):
    return Reply(f"{ctx.path}:{view.private}")


async def made_at_run_time(view, ctx):
    group = pair("group", tells, tells)
    return await group(view, ctx.child("group"))


def pair(name, a, b):
    return Team(name, [Node("ann", a), Node("bob", b)], [Edge(START, "ann"), Edge(START, "bob")])


def told(team, **private):
    made = asyncio.run(run(team, Task("t", "q", private=FrozenMap(private))))
    return [m.content for m in made.messages if m.sender in ("ann", "bob") and ":" in m.content]


def test_each_seat_reads_its_own_line():
    assert told(pair("t", tells, tells), ann="red", bob="blue") == ["t/ann:red", "t/bob:blue"]


def test_a_node_within_that_is_called_like_a_seat_does_not_read_its_line():
    """Within the seat `ann` there is another `bob`; it is of ann's team, and reads what ann is told."""
    outer = pair("t", pair("inner", tells, tells), tells)
    assert told(outer, ann="red", bob="blue")[:2] == ["t/ann/ann:red", "t/ann/bob:red"]
    assert told(outer, bob="blue")[:2] == ["t/ann/ann:", "t/ann/bob:"]
    assert "t/bob:blue" in told(outer, bob="blue")


def test_a_seat_of_an_inner_team_is_found_where_no_outer_team_has_the_name():
    outer = Team("t", [Node("talk", pair("inner", tells, tells))], [Edge(START, "talk")])
    assert told(outer, ann="red", bob="blue")[:2] == ["t/talk/ann:red", "t/talk/bob:blue"]


def test_a_team_made_at_run_time_is_within_too():
    outer = pair("t", made_at_run_time, tells)
    assert told(outer, bob="blue")[:2] == ["t/ann/group/ann:", "t/ann/group/bob:"]
