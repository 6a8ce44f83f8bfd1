"""A cap is never passed, whatever runs at the same time, and on exhaustion the best answer so far is given."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_teams import Caller, agent

from orchestra.engine import START, Budget, Edge, MaxRounds, Node, Quorum, last, majority, run
from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.team import Team
from orchestra.topologies import chain, self_consistency
from orchestra.trajectory.journal import MemoryJournal


def test_the_best_answer_so_far_when_spent():
    model = Scripted(["90", "no", "91"])
    result = asyncio.run(
        run(chain(generator(model), verifier(model), refiner(model)), "33 + 58?", budget=Budget(calls=2))
    )
    assert (result.answer, result.stopped_by, result.usage.calls) == ("90", "budget", 2)
    assert any(e.kind == "budget" and "2 calls" in e.text for e in result.events)


@settings(max_examples=500)
@given(st.integers(1, 64), st.integers(1, 200), st.integers(1, 70), st.sampled_from(["sequential", "speculative"]))
def test_64_agents_never_pass_a_cap(agents, tokens, calls, schedule):
    model = Scripted(lambda r: "word " * (r.seed % 7), name="m")
    spent = [0, 0]
    inner = model.generate

    async def counted(requests):
        done = await inner(requests)
        spent[0] += sum(c.usage.tokens for c in done)
        spent[1] += len(done)
        return done

    model.generate = counted
    role = replace(generator, max_tokens=7)
    names = [f"n{i}" for i in range(agents)]
    short = [Node(n, role(model, name=n)) for n in names]
    team = Team("crowd", short, [Edge(START, n) for n in names], output=majority())
    result = asyncio.run(run(team, "one two", budget=Budget(calls=calls, tokens=tokens), schedule=schedule))
    assert spent[0] <= tokens and spent[1] <= calls
    assert (result.stopped_by == "budget") == (result.usage.calls < agents)


@pytest.mark.parametrize("calls", range(1, 8))
def test_who_speaks_does_not_depend_on_the_schedule_or_the_journal(calls):
    def team():
        model = Scripted(lambda r: str(r.seed % 3), name="m")
        names = [f"n{i}" for i in range(4)]
        nodes = [Node(n, agent(model, n)) for n in names]
        talk = [Edge(a, b, "temporal") for a in names for b in names if a != b]
        return Team("d", nodes, [*(Edge(START, n) for n in names), *talk], Quorum(0.7) | MaxRounds(2), majority())

    journal = MemoryJournal()
    ways = [("sequential", None), ("speculative", None), ("sequential", journal), ("sequential", journal)]
    cap = Budget(calls=calls)
    results = [asyncio.run(run(team(), "q", seed=3, budget=cap, schedule=s, journal=j)) for s, j in ways]
    assert len({repr((r.messages, r.leaves)) for r in results}) == 1
    assert results[0].usage.calls <= calls


def test_bounded_agents_still_run_together_under_a_budget():
    model = Scripted(lambda r: "4", delay=lambda r: 0.001)
    together = [0, 0]
    inner = model.generate

    async def watched(requests):
        together[0] += 1
        together[1] = max(together)
        done = await inner(requests)
        together[0] -= 1
        return done

    model.generate = watched
    asyncio.run(run(self_consistency(generator(model), n=8), "q", budget=Budget(calls=8, tokens=100_000)))
    assert together[1] == 8


def test_a_team_within_that_runs_into_the_shared_cap_ends_the_whole():
    inner = Team("inner", [Node("a", Caller()), Node("b", Caller())], [Edge(START, "a"), Edge("a", "b")])
    outer = Team(
        "outer",
        [Node("inner", inner), Node("after", Caller(0))],
        [Edge(START, "inner"), Edge("inner", "after")],
        output=last("after"),
    )
    result = asyncio.run(run(outer, "q", budget=Budget(calls=1)))
    assert (result.stopped_by, [m.sender for m in result.messages]) == ("budget", ["a", "inner"])


@pytest.mark.parametrize("bad", [{"calls": 0}, {"tokens": -1}, {"cost": float("nan")}])
def test_a_cap_must_be_above_zero(bad):
    with pytest.raises(BadInput, match="expected a number above 0"):
        Budget(**bad)
