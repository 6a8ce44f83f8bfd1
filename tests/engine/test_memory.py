"""A node remembers what its own last Reply left; so does a node of a team that is visited again."""

import asyncio

import pytest
from small_teams import draw

from orchestra.engine import START, Edge, MaxRounds, Node, Said, Spoken, last, run
from orchestra.team import Team
from orchestra.types import Reply, Request


async def counts(view, ctx):
    drawn = (await ctx.do(Request((("user", view.seat),)), draw)).text
    return Reply(f"{view.seat} {view.memory or 0}", memory=(view.memory or 0) + 1, parsed=drawn)


async def forgets(view, ctx):
    return Reply(f"{view.seat} {view.memory}")


def visited(rounds):
    inner = Team("inner", [Node("ann", counts), Node("bob", forgets)], [Edge(START, "ann"), Edge("ann", "bob")])
    outer = [Edge(START, "talk"), Edge("talk", "talk", "temporal")]
    return Team("outer", [Node("talk", inner)], outer, MaxRounds(rounds), last("talk"))


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_nodes_of_a_team_that_is_visited_again_remember(schedule):
    made = asyncio.run(run(visited(3), "q", schedule=schedule))
    said = [m.content for m in made.messages if m.sender in ("ann", "bob")]
    assert said == ["ann 0", "bob None", "ann 1", "bob None", "ann 2", "bob None"]


def test_what_a_team_remembers_is_in_its_causal_past():
    """Another draw in the first visit renames the effects of the second, as it would in one team."""
    first = asyncio.run(run(visited(2), "q"))
    state = first.decisions[0].key.state
    other = asyncio.run(run(visited(2), "q", start={state: 1}))
    assert other.decisions[0].key == (state, 1)
    assert other.decisions[1].key.state != first.decisions[1].key.state


def test_another_team_in_the_place_does_not_remember():
    async def apart(view, ctx):
        inner = Team("inner", [Node("ann", counts)], [Edge(START, "ann")])
        return await inner(view, ctx.child("fresh"))

    team = Team("outer", [Node("a", apart), Node("b", apart)], [Edge(START, "a"), Edge("a", "b")])
    assert [m.content for m in asyncio.run(run(team, "q")).messages if m.sender == "ann"] == ["ann 0", "ann 0"]


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_what_was_squashed_is_not_remembered(schedule):
    """Within, `ann` of the second round runs ahead of the stop and is squashed: it counted once a visit."""

    async def says(view, ctx):
        return Reply("yes", "yes", stop="enough")

    nodes = [Node("bob", says), Node("ann", counts, votes=False)]
    talk = [Edge(START, "bob"), Edge(START, "ann"), Edge("ann", "ann", "temporal"), Edge("ann", "bob", "temporal")]
    inner = Team("inner", nodes, talk, Said(("bob",)) & Spoken(("ann",)) | MaxRounds(4))
    outer = Team("outer", [Node("talk", inner)], [Edge(START, "talk"), Edge("talk", "talk", "temporal")], MaxRounds(3))
    made = asyncio.run(run(outer, "q", schedule=schedule))
    assert [m.content for m in made.messages if m.sender == "ann"] == ["ann 0", "ann 1", "ann 2"]
