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


CROWDS = given(
    st.integers(1, 64), st.integers(1, 200), st.integers(1, 70), st.sampled_from(["sequential", "speculative"])
)


@settings(max_examples=500, deadline=None)
@CROWDS
def test_64_agents_never_pass_a_cap(agents, tokens, calls, schedule):
    check_crowd(agents, tokens, calls, schedule)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@CROWDS
def test_64_agents_never_pass_a_cap_in_10000_examples(agents, tokens, calls, schedule):
    check_crowd(agents, tokens, calls, schedule)


def check_crowd(agents, tokens, calls, schedule):
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


def crowd(model, **roles):
    """Agents of several roles side by side, each named after its role."""
    names = [(f"{name}-{i}", name) for name, n in roles.items() for i in range(n)]
    nodes = [Node(node, replace(generator, name=name)(model, name=node)) for node, name in names]
    return Team("crowd", nodes, [Edge(START, node) for node, _ in names], output=majority())


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_a_role_that_has_spent_its_share_falls_silent_and_the_others_go_on(schedule):
    team = crowd(Scripted(lambda r: "yes 4"), generator=3, verifier=3, refiner=2)
    cap = Budget(calls=7, roles={"verifier": Budget(calls=1), "generator": Budget(tokens=100_000)})
    made = asyncio.run(run(team, "q", budget=cap, schedule=schedule))
    assert [m.sender for m in made.messages] == [
        "generator-0", "generator-1", "generator-2", "verifier-0", "refiner-0", "refiner-1",
    ]  # fmt: skip
    assert made.stopped_by == "done" and made.error is None
    spent = [e.text for e in made.events if e.kind == "failure"]
    assert len(spent) == 2 and all("budget of 1 calls of role 'verifier' spent: 1 used" in text for text in spent)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 6), st.integers(0, 6), st.integers(1, 12), st.integers(1, 5), st.integers(1, 5),
    st.sampled_from(["sequential", "speculative"]),
)  # fmt: skip
def test_caps_of_roles_hold_within_the_cap_of_all(writers, checkers, calls, of_writers, of_checkers, schedule):
    """Against the plain rule: in order of declaration, each asked as long as there is room for it."""
    if writers + checkers == 0:
        return
    team = crowd(Scripted(lambda r: "yes 4"), generator=writers, verifier=checkers)
    cap = Budget(calls=calls, roles={"generator": Budget(calls=of_writers), "verifier": Budget(calls=of_checkers)})
    made = asyncio.run(run(team, "q", budget=cap, schedule=schedule))
    expected, room = [], {"generator": of_writers, "verifier": of_checkers, "": calls}
    for node in team.nodes:
        role = node.name.partition("-")[0]
        if not room[""]:
            break
        if room[role]:
            room[role], room[""] = room[role] - 1, room[""] - 1
            expected.append(node.name)
    assert [m.sender for m in made.messages] == expected


def test_caps_of_roles_are_caps_alone():
    with pytest.raises(BadInput, match="budget of role 'a': expected caps of that role alone"):
        Budget(roles={"a": Budget(roles={"b": Budget(calls=1)})})
