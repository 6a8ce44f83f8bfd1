"""Transforms of edges: conditional edges, answers alone, cut messages."""

import asyncio
from dataclasses import replace

import pytest
from small_teams import ANSWERER, agent, scripted_by_seat

from orchestra.engine import START, Edge, MaxRounds, Node, Quorum, last, majority, run
from orchestra.errors import BadTeam
from orchestra.models.scripted import Scripted
from orchestra.team import Team, register
from orchestra.team.carry import AnswerOnly, Truncated, When
from orchestra.types import Message

SAID = Message("m", "a", 0, "I think it is 91.", answer="91", parsed=("91", "I think"))


@register("test_carry.is_long")
def is_long(message):
    return len(message.content) > 3


@pytest.mark.parametrize(
    ("carry", "message", "carried"),
    [
        (When(is_long), SAID, SAID),
        (When(is_long), replace(SAID, content="no"), None),
        (AnswerOnly(), SAID, replace(SAID, content="91", parsed=None)),
        (AnswerOnly(), replace(SAID, answer=""), replace(SAID, content="", answer="", parsed=None)),
        (AnswerOnly(), replace(SAID, answer=None), None),
        (Truncated(7), SAID, replace(SAID, content="I think", parsed=None)),
        (Truncated(17), SAID, SAID),
        (Truncated(16), SAID, replace(SAID, content="I think it is 91", parsed=None)),
    ],
)
def test_known_messages(carry, message, carried):
    assert carry(message) == carried


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_a_cut_leaves_something(n):
    with pytest.raises(BadTeam, match="expected a whole number of characters from 1"):
        Truncated(n)


@pytest.mark.parametrize(("said", "heard"), [("91 for sure", ["b"]), ("91", ["c"])])
def test_conditional_edges_route_by_what_was_said(said, heard):
    model = Scripted(lambda r: said if r.messages[-1][1].startswith("a@") else "7")
    team = Team(
        "t", [Node(n, agent(model, n)) for n in "abc"],
        [Edge(START, "a"), Edge("a", "b", carry=When(is_long)), Edge("a", "c", carry=When(is_short))],
        output=last("b", "c"),
    )  # fmt: skip
    assert [m.sender for m in asyncio.run(run(team, "q")).messages] == ["a", *heard]


@register("test_carry.is_short")
def is_short(message):
    return not is_long(message)


def test_a_reader_sees_what_the_edge_lets_through_and_nothing_else():
    seen = {}
    for carry in (None, AnswerOnly(), Truncated(2)):
        model = Scripted(lambda r: "91 | I added them")
        team = Team("t", [Node(n, agent(model, n)) for n in "ab"], [Edge(START, "a"), Edge("a", "b", carry=carry)])
        made = asyncio.run(run(team, "q"))
        seen[carry] = made.decisions[1].request.messages[-1][1]
        assert made.messages[0].content == "91 | I added them"  # the record has it all
    assert list(seen.values()) == ["b@0 a=91 | I added them", "b@0 a=91", "b@0 a=91"]


def test_a_vote_that_an_edge_shortened_is_still_that_vote():
    model = scripted_by_seat({"a": ["91 | x", "91"], "b": ["91 | y", "91"], "c": ["5 | z", "5"]})
    team = Team(
        "t", [Node(n, agent(model, n)) for n in "abc"],
        [*(Edge(START, n) for n in "abc"), *(Edge(m, n, "temporal", AnswerOnly()) for m in "abc" for n in "abc")],
        Quorum(0.6) | MaxRounds(2), majority(),
    )  # fmt: skip
    made = asyncio.run(run(team, "q"))
    assert (made.answer, made.stopped_by, made.usage.calls) == ("91", "quorum", 2)


def test_a_saved_team_keeps_its_transforms():
    team = Team(
        "t", [Node("a", ANSWERER(Scripted([]), name="a")), Node("b", ANSWERER(Scripted([]), name="b"))],
        [Edge(START, "a"), *(Edge("a", "b", carry=carry) for carry in (When(is_long), AnswerOnly(), Truncated(9)))],
    )  # fmt: skip
    again = Team.load(team.save(), Scripted([]))
    assert again.digest == team.digest and [e.carry for e in again.edges] == [e.carry for e in team.edges]
