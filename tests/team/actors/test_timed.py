"""Time limits around actors: a timeout is a failed call, in the journal too, and nests with the other policies."""

import asyncio

import pytest
from small_teams import Caller, agent

from orchestra.engine import START, Budget, Edge, Node, last, run
from orchestra.errors import BadTeam
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.team.actors.retry import Retry
from orchestra.team.actors.timed import Timed
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import View

LONG = 60.0
"""Seconds: a test that waited for these would not end."""


def slow(times, seconds=LONG):
    """A model whose first replies take that long."""
    model = Scripted(lambda r: str(len(model.calls)), delay=lambda r: seconds * (len(model.calls) <= times))
    return model


def alone(actor, **options):
    return asyncio.run(run(Team("t", [Node("a", actor)], [Edge(START, "a")]), "q", **options))


@pytest.mark.parametrize(
    ("limits", "why"), [({"seconds": 0.01}, "no outcome within 0.01 s"), ({"idle": 0.01}, "silent for 0.01 s")]
)
def test_a_call_that_takes_too_long_fails_and_fails_again_on_replay(limits, why):
    journal, model = MemoryJournal(), slow(1)
    made = alone(Timed(agent(model, "a"), **limits), journal=journal)
    assert made.decisions[0].error == f"timed out: {why}" and made.messages == ()
    assert alone(Timed(agent(model, "a"), **limits), journal=journal) == made and len(model.calls) == 1
    assert alone(Timed(agent(slow(1, 0.0), "a"), **limits)).answer == "1"  # the control: quick enough


def test_the_others_do_not_wait_for_one_that_times_out():
    model = slow(0)
    team = Team(
        "t", [Node("slow", Timed(agent(slow(9), "slow"), seconds=0.01)), Node("quick", agent(model, "quick"))],
        [Edge(START, "slow"), Edge(START, "quick")], output=last("quick"),
    )  # fmt: skip
    made = asyncio.run(run(team, "q"))
    assert [m.sender for m in made.messages] == ["quick"] and made.usage.calls == 2


def test_within_a_retry_each_attempt_has_the_time():
    model = slow(2)
    made = alone(Retry(Timed(agent(model, "a"), seconds=0.01), base=0))
    assert (made.answer, made.usage.calls) == ("3", 3)


def test_around_a_retry_all_attempts_and_pauses_share_the_time():
    model = slow(9)
    made = alone(Timed(Retry(agent(model, "a"), attempts=100, base=LONG, longest=LONG), seconds=0.02))
    assert "no outcome within 0.02 s" in made.error and len(model.calls) == 1


def test_a_limit_reaches_into_a_nested_team():
    inner = Team("inner", [Node("x", agent(slow(9), "x"), on_error="fail")], [Edge(START, "x")])
    assert alone(Timed(inner, seconds=0.01)).decisions[0].error == "timed out: no outcome within 0.01 s"


def test_a_worst_case_is_that_of_the_actor():
    known, unknown = Timed(agent(Scripted([]), "a"), seconds=1), Timed(Caller(), idle=1)
    assert known.bound(View("q")) == known.actor.bound(View("q"))
    assert known.speaker().role == "answerer" and known.name == "a"
    assert unknown.bound(View("q")) is None
    assert alone(known, budget=Budget(calls=1)).error is not None  # the script is empty: the call failed, once


@pytest.mark.parametrize(
    "limits", [{}, {"seconds": 0}, {"seconds": -1}, {"idle": 0}, {"seconds": float("nan")}, {"idle": float("nan")}]
)
def test_a_limit_is_above_0(limits):
    with pytest.raises(BadTeam, match=r"timed seconds=.*, idle=.*: expected one of them, above 0"):
        Timed(Caller(), **limits)
