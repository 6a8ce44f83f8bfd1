"""The cases that the core must carry without a branch in the loop: each is a graph and small actors (core sketch 4)."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from small_teams import ANSWERER, Caller, agent, draw, scripted_by_seat

from orchestra.engine import (
    START,
    Budget,
    Context,
    Edge,
    MaxRounds,
    Node,
    Quorum,
    Said,
    everything,
    last,
    majority,
    run,
)
from orchestra.errors import BadTeam, CallFailed
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Route, Team
from orchestra.topologies import chain, debate, self_consistency, solo
from orchestra.types import FrozenMap, Reply, Request, Task, View


def go(team, task="q", **options):
    return asyncio.run(run(team, task, **options))


def said(result):
    return {f"{m.sender}@{m.round}": m.content for m in result.messages}


def test_chain_each_reads_all_before_it():
    model = Scripted(["91", "No, it is 90.", "Then 90."])
    result = go(chain(generator(model), verifier(model), refiner(model)), "What is 33 + 57?")
    assert (result.answer, result.usage.calls, result.stopped_by) == ("90", 3, "done")
    assert "Proposed: 91" in model.calls[1].messages[0][1]
    assert "Proposed: 91\nVerdict: No, it is 90." in model.calls[2].messages[0][1]


def test_self_consistency_votes():
    model = Scripted(["4", "5", "5", "I do not know", "4 or rather 5"])
    assert go(self_consistency(generator(model), n=5)).answer == "5"


def test_debate_hears_the_others_and_remembers_itself():
    model = Scripted(["1", "2", "1", "1"])
    result = go(debate([debater(model, name="x"), debater(model, name="y")], rounds=2))
    assert (result.answer, result.stopped_by) == ("1", "quorum")
    second = model.calls[2].messages[0][1]
    assert "You said: 1" in second and "Another says: 2" in second and "Another says: 1" not in second


def test_debate_ring_and_star_read_their_neighbours():
    names = "abcd"
    model = scripted_by_seat({n: [n, n.upper(), n] for n in names})
    for graph, heard in (("ring", "a@1 b=b d=d"), ("star", "a@1 b=b c=c d=d")):
        before = len(model.calls)
        go(debate([agent(model, n) for n in names], graph=graph, share=0.9))
        assert heard in [c.messages[0][1] for c in model.calls[before:]]


@pytest.mark.parametrize(("preferred", "reached"), [("basic", "easy"), ("advanced", "hard")])
def test_a_router_cannot_leave_its_closed_set(preferred, reached):
    """MDAgents' public code routes the reply 'not basic' to basic; here the choice is scored among the branches."""
    model = Scripted(
        lambda r: "easy" if "basic@" in r.messages[0][1] else "hard", preference=lambda r, o: 50.0 * (o == preferred)
    )
    team = Team(
        "mdagents",
        [Node("route", Route(ANSWERER(model, name="router"), ("basic", "advanced")), votes=False),
         Node("basic", agent(model, "basic")), Node("advanced", agent(model, "advanced"))],
        [Edge(START, "route"), Edge("route", "basic"), Edge("route", "advanced")],
        output=last("basic", "advanced"),
    )  # fmt: skip
    result = go(team)
    assert (result.answer, len(result.messages)) == (reached, 2)


def test_a_hand_off_to_no_successor_is_refused_and_said():
    @dataclass(frozen=True)
    class Rogue:
        async def __call__(self, view: View, ctx: Context) -> Reply:
            return Reply("x", sends={"system": "obey"})

    team = Team("t", [Node("r", Rogue()), Node("s", Caller())], [Edge(START, "r"), Edge("r", "s")])
    result = go(team)
    assert result.messages == () and "hand-off to 'system' refused" in result.events[0].text


@dataclass(frozen=True)
class Recruit:
    """Builds a team from what it was told, and calls it."""

    async def __call__(self, view: View, ctx: Context) -> Reply:
        names = [f"expert-{i}" for i in range(int(view.inbox[0].content))]
        group = Team("group", [Node(n, Caller()) for n in names], [Edge(START, n) for n in names], output=everything())
        return await group(view, ctx.child("group", budget=Budget(calls=2)))


def test_a_team_made_at_run_time_has_addresses_and_a_budget_of_its_own():
    count = scripted_by_seat({"count": ["3"]})
    team = Team(
        "md",
        [Node("count", agent(count, "count")), Node("recruit", Recruit())],
        [Edge(START, "count"), Edge("count", "recruit")],
    )
    result = go(team)
    assert [d.path for d in result.decisions][1:] == ["md/recruit/group/expert-0", "md/recruit/group/expert-1"]
    assert [e.text for e in result.events if e.kind == "stop"] == ["budget", "done"]


@dataclass(frozen=True)
class Planner:
    """Plans two steps in the first round, answers in the second from what it remembers."""

    async def __call__(self, view: View, ctx: Context) -> Reply:
        if view.memory:
            return Reply(f"done after {view.memory}", answer="ok", stop="answered")
        plan = Team("plan", [Node("one", Caller()), Node("two", Caller())], [Edge(START, "one"), Edge("one", "two")])
        done = await plan(view, ctx.child("plan"))
        return replace(done, memory=done.content)


def test_hierarchical_plans_runs_and_answers():
    team = Team(
        "boss",
        [Node("planner", Planner())],
        [Edge(START, "planner"), Edge("planner", "planner", "temporal")],
        Said() | MaxRounds(5),
        last("planner"),
    )
    result = go(team)
    assert (result.answer, result.stopped_by, result.leaf.rounds, result.usage.calls) == ("ok", "answered", 2, 2)


def test_private_lines_reach_their_seat_alone():
    model = scripted_by_seat({"a": ["1", "1"], "b": ["2", "1"]})
    role = replace(ANSWERER, prompt=ANSWERER.prompt + " private={{ private }}")
    task = Task("t", "q", gold="g", private=FrozenMap({"a": "alpha", "b": "beta"}))
    talk = [Edge("a", "b"), Edge("b", "a", "temporal")]
    go(
        Team(
            "infonav",
            [Node("a", role(model, name="a")), Node("b", role(model, name="b"))],
            [Edge(START, "a"), *talk],
            Quorum(1 / 2) | MaxRounds(4),
            majority(),
        ),
        task,
    )
    texts = [c.messages[0][1] for c in model.calls]
    assert all(("alpha" in t) == t.startswith("a@") and ("beta" in t) == t.startswith("b@") for t in texts)
    assert not any("private=g" in t for t in texts)


def test_macnet_only_the_artefact_travels():
    def artefact(m):
        return replace(m, content=m.answer or "")

    model = Scripted(lambda r: f"{r.messages[0][1].split('@')[0]}|secret thoughts")
    team = Team(
        "dag",
        [Node(n, agent(model, n)) for n in "abc"],
        [Edge(START, "a"), Edge("a", "b", carry=artefact), Edge("b", "c", carry=artefact)],
        output=last("c"),
    )
    go(team)
    assert [c.messages[0][1] for c in model.calls] == ["a@0", "b@0 a=a", "c@0 b=b"]


def test_a_join_fires_on_a_prefix_and_cuts_the_rest_off():
    names = ["a", "b", "c"]
    two = Node("join", Caller(0), when=lambda inbox: len(inbox) >= 2)
    team = Team(
        "quorum-join",
        [*(Node(n, Caller()) for n in names), two],
        [*(Edge(START, n) for n in names), *(Edge(n, "join") for n in names)],
        output=last("join"),
    )
    for schedule in ("sequential", "speculative"):
        result = go(team, schedule=schedule)
        assert [m.sender for m in result.messages] == ["a", "b", "join"]
        assert result.messages[-1].saw == tuple(m.id for m in result.messages[:2])


def test_a_slow_sibling_delays_only_what_depends_on_it():
    finished = []

    @dataclass(frozen=True)
    class Slow:
        seconds: float

        async def __call__(self, view: View, ctx: Context) -> Reply:
            await asyncio.sleep(self.seconds)
            finished.append(view.seat)
            return Reply(view.seat)

    team = Team(
        "two branches",
        [Node("slow", Slow(0.05)), Node("fast", Slow(0)), Node("after-slow", Slow(0)), Node("after-fast", Slow(0))],
        [Edge(START, "slow"), Edge(START, "fast"), Edge("slow", "after-slow"), Edge("fast", "after-fast")],
    )
    result = go(team)
    assert finished == ["fast", "after-fast", "slow", "after-slow"]
    assert [m.sender for m in result.messages] == ["slow", "fast", "after-slow", "after-fast"]


def test_a_failed_debater_abstains_and_a_node_may_fail_the_run():
    def broken(request: Request) -> str:
        if "b@" in request.messages[0][1]:
            raise CallFailed("the model is gone")
        return "7"

    model = Scripted(broken)
    nodes = [Node(n, agent(model, n)) for n in "abc"]
    vote = Team("vote", nodes, [Edge(START, n) for n in "abc"], output=majority())
    result = go(vote)
    assert result.answer == "7" and [d.error for d in result.decisions] == [None, "the model is gone", None]
    strict = Team("vote", [replace(n, on_error="fail") for n in nodes], vote.edges, output=majority())
    assert go(strict).error == "the model is gone"


def test_one_failing_task_does_not_stop_the_others():
    def picky(request: Request) -> str:
        if "bad" in request.messages[0][1]:
            raise CallFailed("refused")
        return "5"

    results = asyncio.run(solo(generator(Scripted(picky))).map(["good", "bad", "good too"]))
    assert [r.answer for r in results] == ["5", None, "5"]


def test_a_writing_effect_waits_until_its_activation_is_the_oldest():
    order = []

    @dataclass(frozen=True)
    class Write:
        name: str
        writes: bool = True

    async def perform(effects):
        order.extend(e.name for e in effects)
        return ["ok"] * len(effects)

    @dataclass(frozen=True)
    class Writer:
        seconds: float

        async def __call__(self, view: View, ctx: Context) -> Reply:
            await asyncio.sleep(self.seconds)
            await ctx.do(Write(view.seat), perform)
            return Reply(view.seat)

    names = ["first", "second", "third"]
    team = Team(
        "writers", [Node(n, Writer(0.02 * (2 - i))) for i, n in enumerate(names)], [Edge(START, n) for n in names]
    )
    go(team)
    assert order == names


def test_overlapping_effects_of_one_activation_are_refused():
    @dataclass(frozen=True)
    class Hasty:
        async def __call__(self, view: View, ctx: Context) -> Reply:
            async def slow(effects):
                await asyncio.sleep(0)
                return [1]

            await asyncio.gather(ctx.do("x", slow), ctx.do("y", slow))
            return Reply()

    result = go(Team("t", [Node("n", Hasty())], [Edge(START, "n")]))
    assert "overlap" in result.events[0].text


@pytest.mark.live
def test_streaming_ends_with_the_trajectory():
    model = Scripted(["91", "yes", "91"])

    async def collect():
        return [
            item async for item in chain(generator(model), verifier(model), refiner(model)).stream("What is 34 + 57?")
        ]

    items = asyncio.run(collect())
    assert [i.kind for i in items[:-1] if i.kind in ("message", "stop")] == ["message"] * 3 + ["stop"]
    assert items[-1].answer == "91"


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_a_join_whose_condition_raises_fails_the_run_in_the_same_place(schedule):
    async def slow(view, ctx):
        await ctx.do(Request((("user", view.seat),)), draw)
        return Reply(view.seat)

    nodes = [*(Node(n, slow) for n in "abc"), Node("join", slow, when=lambda messages: messages[1].content == "b")]
    team = Team("t", nodes, [*(Edge(START, n) for n in "abc"), *(Edge(n, "join") for n in "abc")])
    with pytest.raises(BadTeam, match=r"t/join: its condition raised IndexError: .*; fix: `when`"):
        asyncio.run(run(team, "q", schedule=schedule))
