"""Pick: it says again what the first of a selection said, and abstains where nobody did."""

import asyncio
from dataclasses import dataclass

import pytest

from orchestra.engine import START, Edge, Node, last
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team import Team
from orchestra.team.actors.pick import Pick


@dataclass(frozen=True)
class These:
    names: tuple[str, ...]

    async def __call__(self, view, ctx):
        return self.names


@pytest.mark.parametrize(
    ("names", "answer"), [(("b",), "2"), (("a", "b"), "1"), ((), "2"), (("nobody",), "2"), (("start",), "2")]
)
def test_the_first_named(names, answer):
    agents = [generator(Scripted([said]), name=name) for name, said in (("a", "1"), ("b", "2"))]
    nodes = [*(Node(agent.name, agent) for agent in agents), Node("pick", Pick(These(names)))]
    edges = [edge for name in "ab" for edge in (Edge(START, name), Edge(name, "pick"))]
    result = asyncio.run(Team("t", nodes, edges, output=last("pick")).run("q"))
    assert result.answer == answer
    spoke = [message.sender for message in result.messages]
    assert ("pick" in spoke) == (names[:1] in (("a",), ("b",)))
