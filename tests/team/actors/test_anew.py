"""Anew: an actor that hears nothing of what was said, and whose worst case is that of a bare task."""

import asyncio

from orchestra.engine import START, Budget, Edge, Node
from orchestra.models.scripted import Scripted
from orchestra.roles import solver
from orchestra.team import Team
from orchestra.team.actors.anew import Anew
from orchestra.types import Message, View


def go(anew, **options):
    model = Scripted(["5"])
    last = solver(model, name="b")
    nodes = [Node("a", solver(Scripted(["4"]), name="a")), Node("b", Anew(last) if anew else last)]
    result = asyncio.run(Team("t", nodes, [Edge(START, "a"), Edge("a", "b")]).run("q", **options))
    return result, [call.messages[-1][1] for call in model.calls]


def test_it_sees_the_task_alone_and_the_record_says_what_reached_it():
    (result, told), (_, control) = go(anew=True), go(anew=False)
    assert told == ["q"] and "a: 4" in control[0]
    assert result.messages[-1].saw == (result.messages[0].id,)


def test_its_worst_case_is_that_of_the_bare_task():
    agent = solver(Scripted([]), name="b")
    full = View("q", (Message("m", "a", 0, "long " * 50),))
    assert Anew(agent).bound(full) == agent.bound(View("q")) != agent.bound(full)
    assert Anew(agent).speaker() == agent.speaker() and Anew(agent).name == "b"
    assert go(anew=True, budget=Budget(calls=1))[0].usage.calls == 1
