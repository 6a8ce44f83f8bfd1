"""Caps of sub-teams: each holds, within those around it, and ends nothing but its own team."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from small_teams import Caller, agent

from orchestra.engine import START, Budget, Edge, MaxRounds, Node, last, majority, run
from orchestra.models.scripted import Scripted
from orchestra.team import Capped, Team
from orchestra.trajectory.journal import MemoryJournal


def crowd(model, size, rounds=1):
    names = [f"n{i}" for i in range(size)]
    talk = [Edge(n, n, "temporal") for n in names] if rounds > 1 else []
    stop = {"stop": MaxRounds(rounds)} if rounds > 1 else {}
    nodes = [Node(n, agent(model, n)) for n in names]
    return Team("crowd", nodes, [*(Edge(START, n) for n in names), *talk], output=majority(), **stop)


def beside(first, second):
    edges = [Edge(START, "first"), Edge("first", "second")]
    return Team("t", [Node("first", first), Node("second", second)], edges, output=last("second"))


def test_a_team_that_spends_its_cap_gives_its_best_answer_and_the_others_go_on():
    team = beside(Capped(crowd(Scripted(lambda r: "4"), 5), Budget(calls=2)), crowd(Scripted(lambda r: "5"), 3))
    made = asyncio.run(run(team, "q"))
    assert made.usage.calls == 5 and (made.answer, made.stopped_by, made.error) == ("5", "done", None)
    assert [m.answer for m in made.messages if m.sender == "first"] == ["4"]
    assert next(e.text for e in made.events if e.kind == "budget").startswith("budget of 2 calls spent")


def test_an_agent_whose_cap_lets_no_call_through_abstains():
    team = beside(Capped(agent(Scripted(lambda r: "4"), "a"), Budget(tokens=1)), agent(Scripted(lambda r: "5"), "b"))
    made = asyncio.run(run(team, "q"))
    assert (made.usage.calls, made.messages) == (0, ())  # nobody speaks to the second


def test_the_narrower_of_two_caps_holds_and_the_outer_one_ends_the_outer_team():
    inner = Capped(Capped(crowd(Scripted(lambda r: "4"), 6), Budget(calls=5)), Budget(calls=3))
    made = asyncio.run(run(beside(inner, crowd(Scripted(lambda r: "5"), 3)), "q", budget=Budget(calls=4)))
    assert (made.usage.calls, made.stopped_by) == (4, "budget")


@settings(max_examples=100)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 12), st.integers(1, 12), st.integers(1, 20))
def test_caps_within_caps_hold_on_both_schedules_and_on_resume(first, second, of_first, of_second, of_all):
    def team():
        one, two = Scripted(lambda r: str(r.seed % 3)), Scripted(lambda r: str(r.seed % 3))
        return beside(Capped(crowd(one, first, 2), Budget(calls=of_first)), Capped(crowd(two, second, 2),
                                                                                 Budget(calls=of_second)))  # fmt: skip

    journal = MemoryJournal()
    ways = [("sequential", None), ("speculative", None), ("sequential", journal), ("speculative", journal)]
    made = [asyncio.run(run(team(), "q", budget=Budget(calls=of_all), schedule=s, journal=j)) for s, j in ways]
    assert len({repr((m.messages, m.leaves)) for m in made}) == 1
    spent = min(2 * first, of_first, of_all)
    assert made[0].usage.calls == spent + min(2 * second, of_second, of_all - spent)


def test_each_visit_has_the_whole_cap():
    inner = Capped(Team("in", [Node("a", Caller(3))], [Edge(START, "a")]), Budget(calls=3))
    again = [Edge(START, "x"), Edge("x", "x", "temporal")]
    made = asyncio.run(run(Team("t", [Node("x", inner)], again, MaxRounds(3)), "q"))
    assert made.usage.calls == 9


def test_saved_and_drawn():
    model = Scripted(lambda r: "4")
    team = beside(Capped(crowd(model, 2), Budget(calls=2, roles={"answerer": Budget(calls=1)})), agent(model, "b"))
    assert Team.load(team.save(), model) == team
    assert "at most 2 calls, of answerer" in team.to_mermaid()
