"""Corners where schedules, names, budgets and trees once came apart: each test failed before its line in the engine."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from small_teams import ANSWERER, Caller, agent, draw, scripted_by_seat

from orchestra.engine import (
    START,
    Budget,
    Context,
    Edge,
    Full,
    MaxRounds,
    Node,
    Quorum,
    Said,
    Spoken,
    Stop,
    grow,
    last,
    majority,
    run,
)
from orchestra.errors import BadInput, BadRole, CallFailed
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team import Role, Route, Switch, Team
from orchestra.topologies import chain, self_consistency, solo
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Completion, Message, Reply, Request, Task, Usage, View

SCHEDULES = ("sequential", "speculative")


def go(team, task="q", **options):
    return asyncio.run(run(team, task, **options))


def story(result):
    return repr((result.decisions, result.messages, result.leaves, result.events))


@dataclass(frozen=True)
class Says:
    """Says the same thing each time, after some turns of the event loop."""

    text: str = "x"
    answer: str | None = None
    turns: int = 0
    calls: int = 0
    remembers: bool = False
    sends: tuple[str, ...] | None = None
    stop: str | None = None

    async def __call__(self, view: View, ctx: Context) -> Reply:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        for _ in range(self.calls):
            await ctx.do(Request((("user", view.seat),)), draw)
        said = f"{self.text}{view.memory or ''}"
        sends = None if self.sends is None else dict.fromkeys(self.sends, said)
        return Reply(said, self.answer, sends=sends, memory=said if self.remembers else None, stop=self.stop)


# ── joins ──


def two(inbox):
    return len(inbox) >= 2


def joined(slow, late):
    """a, b and c feed a join of two; c is cut off, and speaks again in the next round."""
    return Team(
        "joined",
        [
            Node("a", Says(turns=slow, calls=1)),
            Node("b", Says(turns=slow, calls=1)),
            Node("c", Says("c", turns=late, calls=1, remembers=True)),
            Node("join", Says("j"), when=two),
        ],
        [
            *(Edge(START, n) for n in "abc"),
            *(Edge(n, "join") for n in "abc"),
            *(Edge("join", n, "temporal") for n in "ac"),
        ],
        MaxRounds(3),
        last("join"),
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("slow", "late"), [(0, 0), (0, 4), (4, 0), (2, 2)])
def test_what_a_join_cuts_off_leaves_nothing_behind(schedule, slow, late):
    """c was done before the join fired: its memory stayed, and its node was let go on twice."""
    result = go(joined(slow, late), schedule=schedule)
    said = [(m.sender, m.round, m.content) for m in result.messages]
    assert said == [("a", 0, "x"), ("b", 0, "x"), ("join", 0, "j"), ("a", 1, "x"), ("c", 1, "c"), ("join", 1, "j"),
                    ("a", 2, "x"), ("c", 2, "cc"), ("join", 2, "j")]  # fmt: skip


def test_sequential_does_not_start_what_a_join_may_cut_off():
    result = go(joined(3, 0))
    assert result.waste == Usage() and [d.agent for d in result.decisions].count("c") == 2


def test_a_join_in_the_next_round_waits_for_its_own_memory():
    """Its inbox of round 1 is complete while it still speaks in round 0."""
    names = ("a", "b")
    join = Node("join", Says("j", turns=9, remembers=True), when=two)
    team = Team(
        "again",
        [*(Node(n, Says()) for n in names), join],
        [
            *(Edge(START, n) for n in names),
            *(Edge(n, "join") for n in names),
            *(Edge(n, "join", "temporal") for n in names),
        ],
        MaxRounds(2),
        last("join"),
    )
    for schedule in SCHEDULES:
        assert go(team, schedule=schedule).leaf.content == "jj"


# ── names ──


def test_a_team_that_is_visited_twice_names_its_effects_apart():
    """Nothing is drawn between the visits, so the past alone does not tell them apart."""
    inner = Team("inner", [Node("c", Caller())], [Edge(START, "c")])
    team = Team(
        "outer",
        [Node("tick", Says()), Node("inner", inner)],
        [Edge(START, "tick"), Edge("tick", "tick", "temporal"), Edge("tick", "inner")],
        MaxRounds(3),
    )
    result = go(team)
    assert len({d.key for d in result.decisions}) == 3 == len({m.id for m in result.messages if m.sender == "c"})
    assert [d.path for d in result.decisions] == ["outer/inner/c", "outer/inner:1/c", "outer/inner:2/c"]


def test_two_children_of_one_name_name_their_effects_apart():
    @dataclass(frozen=True)
    class Twins:
        async def __call__(self, view: View, ctx: Context) -> Reply:
            children = [ctx.child("twin"), ctx.child("twin")]
            await asyncio.gather(*(Caller()(view, child) for child in children))
            return Reply()

    result = go(Team("t", [Node("n", Twins())], [Edge(START, "n")]))
    assert [d.path for d in result.decisions] == ["t/n/twin", "t/n/twin#2"]
    assert len({d.key for d in result.decisions}) == 2


def test_an_empty_batch_keeps_the_past():
    @dataclass(frozen=True)
    class Empty:
        async def __call__(self, view: View, ctx: Context) -> Reply:
            past = ctx.past
            assert await ctx.all([], draw) == []
            return Reply(str(ctx.past == past != ""))

    result = go(Team("t", [Node("a", Caller()), Node("b", Empty())], [Edge(START, "a"), Edge("a", "b")]))
    assert result.leaf.content == "True"


@dataclass(frozen=True)
class Gathers:
    """Calls two actors at once; opens their contexts before, or while one of them already waits for an answer."""

    before: bool

    async def __call__(self, view: View, ctx: Context) -> Reply:
        opened = {n: ctx.child(n) for n in "ab"} if self.before else {}

        async def one(name):
            return await Caller()(view, opened.get(name) or ctx.child(name))

        said = await asyncio.gather(*(one(n) for n in "ab"))
        return Reply(" ".join(reply.content for reply in said))


async def slow_draw(requests):
    await asyncio.sleep(0)
    return await draw(requests)


def test_children_that_run_together_are_opened_before(monkeypatch):
    """Answered by a journal the first is done before the second opens, and the second would have another past."""
    monkeypatch.setattr("small_teams.draw", slow_draw)
    journal, team = MemoryJournal(), Team("t", [Node("n", Gathers(before=True))], [Edge(START, "n")])
    first = go(team, journal=journal)
    assert len(first.decisions) == 2 and go(team, journal=journal) == first and len(journal.entries) == 2
    late = go(Team("t", [Node("n", Gathers(before=False))], [Edge(START, "n")]))
    assert "open children before any of them runs" in late.events[0].text


# ── stops ──


def test_said_listens_to_those_it_names():
    team = Team(
        "t",
        [Node("clerk", Says("c", stop="enough")), Node("boss", Says("b"))],
        [Edge(START, "clerk"), Edge("clerk", "boss")],
        Said(("boss",)),
    )
    result = go(team)
    assert (result.stopped_by, [m.sender for m in result.messages]) == ("done", ["clerk", "boss"])


def crowd(answers, stop, **sends):
    """All are called at once; each makes one call."""
    return Team(
        "crowd",
        [Node(n, Says(n, a, calls=1, turns=2, sends=sends.get(n))) for n, a in answers.items()],
        [Edge(START, n) for n in answers],
        stop,
        majority(),
    )


def test_a_conjunction_fires_no_later_than_it_says():
    """The first half holds already and goes on holding, so only the second half bounds it."""
    for first in (Spoken(("a",)), Said()):
        nodes = crowd(dict.fromkeys("abcd", "1"), first & Quorum(0.5))
        team = replace(nodes, nodes=[replace(n, actor=replace(n.actor, stop="said")) for n in nodes.nodes])
        result = go(team)
        assert (len(result.messages), result.waste.calls) == (3, 0)
    talk = [Edge(a, b, "temporal") for a in "abcd" for b in "abcd"]
    team = crowd({"a": "1", "b": "2", "c": "3", "d": "4"}, MaxRounds(1) & Spoken(("b",)))
    result = go(replace(team, edges=[*team.edges, *talk], stop=(MaxRounds(1) & _Said2()) | MaxRounds(3)))
    assert (result.leaf.rounds, result.usage.calls, result.waste.calls) == (1, 6, 0)


class _Said2(Stop):
    """Six have spoken."""

    def __call__(self, history):
        return "six" if len(history.messages) >= 6 else None

    def soonest(self, history):
        return max(1, 6 - len(history.messages))


def test_both_bounds_rounds_where_both_parts_do():
    bounded = (Quorum(0.5) | MaxRounds(2)) & (Said() | MaxRounds(4))
    assert bounded.rounds == 4 and (bounded & MaxRounds(7)).rounds == 7 and (bounded & Said()).rounds == float("inf")
    loop = Team("loop", [Node("a", Says("a", "1"))], [Edge(START, "a"), Edge("a", "a", "temporal")], bounded)
    assert go(loop).leaf.rounds == 4


def test_a_quorum_reckons_with_voters_that_fall_silent():
    """Of four voters three were needed; d is not routed to, and of three two suffice: c must not have been started."""
    team = Team(
        "q",
        [Node("a", Says("a", "1", calls=1, turns=2, sends=("c",))), Node("b", Says("b", "1", calls=1)),
         Node("e", Says("e", "2", calls=1)), Node("c", Says("c", "1")), Node("d", Says("d", "1"))],
        [Edge(START, "a"), Edge(START, "b"), Edge(START, "e"), Edge("a", "c"), Edge("a", "d")],
        Quorum(0.5),
        majority(),
    )  # fmt: skip
    quiet = replace(team, nodes=[replace(team.nodes[0], actor=replace(team.nodes[0].actor, sends=())), *team.nodes[1:]])
    for made, spoke in ((team, ["a", "b", "e", "c"]), (quiet, ["a", "b"])):
        result = go(made)
        assert ([m.sender for m in result.messages], result.waste.calls) == (spoke, 0)
        assert story(go(made, schedule="speculative")).partition("waste")[0] == story(result).partition("waste")[0]


# ── votes ──


@dataclass(frozen=True)
class Keeps:
    """A selection that is written down."""

    names: tuple[str, ...]

    async def __call__(self, view: View, ctx: Context) -> tuple[str, ...]:
        return self.names


def shouted(message: Message) -> Message:
    return replace(message, content=message.content.upper())


@pytest.mark.parametrize("carry", [None, shouted])
def test_what_is_held_back_no_longer_stands_though_an_edge_changed_it(carry):
    names = ("a", "b", "c")
    team = Team(
        "t",
        [*(Node(n, Says(n, (n in "ab" and "1") or "2")) for n in names),
         Node("pick", Switch(Keeps(("c",)), names, range(9)), votes=False)],
        [*(Edge(START, n) for n in names), *(Edge(n, "pick", carry=carry) for n in names),
         *(Edge("pick", n, "temporal") for n in names)],
        MaxRounds(1),
        majority(),
    )  # fmt: skip
    assert go(team).answer == "2"


def test_only_a_node_that_does_not_vote_holds_votes_back():
    """A voter that passes messages on is an answer like any other; else a quorum could fire sooner than it foresees."""

    @dataclass(frozen=True)
    class Forwards:
        async def __call__(self, view: View, ctx: Context) -> Reply:
            return Reply("f", "2", sends={"z": view.inbox[:1]})

    nodes = [Node("a", Says("a", "1")), Node("b", Says("b", "1")), Node("f", Forwards()), Node("z", Says("z", "2"))]
    edges = [Edge(START, "a"), Edge(START, "b"), Edge("a", "f"), Edge("b", "f"), Edge("f", "z")]
    assert go(Team("t", nodes, edges, output=majority())).answer == "1"
    clerk = replace(nodes[2], votes=False)
    assert (
        go(Team("t", [*nodes[:2], clerk, replace(nodes[3], actor=Says("z"))], edges, output=majority())).answer == "1"
    )


# ── budgets ──


def test_a_route_reserves_the_tokens_of_its_choice():
    model = Scripted(lambda r: "4")
    team = Team(
        "r",
        [Node("route", Route(ANSWERER(model, name="router"), ("x", "y")), votes=False),
         Node("x", agent(model, "x")), Node("y", agent(model, "y"))],
        [Edge(START, "route"), Edge("route", "x"), Edge("route", "y")],
    )  # fmt: skip
    result = go(team, budget=Budget(tokens=1))
    assert (result.stopped_by, result.usage.tokens, model.calls) == ("budget", 0, [])


def test_the_cap_of_a_child_ends_the_child_and_not_the_team():
    @dataclass(frozen=True)
    class Boxed:
        async def __call__(self, view: View, ctx: Context) -> Reply:
            return await Caller(3)(view, ctx.child("box", budget=Budget(calls=2)))

    team = Team("t", [Node("a", Boxed()), Node("b", Caller())], [Edge(START, "a"), Edge(START, "b")], output=last("b"))
    for budget in (None, Budget(calls=9)):
        result = go(team, budget=budget)
        assert (result.stopped_by, [m.sender for m in result.messages], result.usage.calls) == ("done", ["b"], 3)
    assert go(team, budget=Budget(calls=1)).stopped_by == "budget"


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
@pytest.mark.parametrize("slow", ["a1", "a2", None])
def test_nothing_runs_ahead_of_one_whose_need_is_not_known_yet(calls, slow):
    """b2 is ready before b1, which waits for a slow a2 and is owed the third call."""
    model = Scripted(lambda r: "1", delay=lambda r: 0.005 if slow and r.messages[0][1].startswith(slow) else 0.0)
    names = ("a1", "a2", "b1", "b2")
    team = Team(
        "pairs",
        [Node(n, agent(model, n)) for n in names],
        [Edge(START, "a1"), Edge(START, "a2"), Edge("a2", "b1"), Edge("a1", "b2")],
    )
    result = go(team, budget=Budget(calls=calls))
    assert [m.sender for m in result.messages] == list(names[:calls])
    assert len(model.calls) == result.usage.calls == calls and result.waste == Usage()


@pytest.mark.parametrize("cap", [{"seconds": 1.5}, {"cost": 1.5}])
def test_a_cap_whose_worst_case_nobody_knows_lets_nothing_run_ahead(cap):
    class Dear(Scripted):
        async def generate(self, requests):
            return [replace(c, usage=replace(c.usage, seconds=1.0, cost=1.0)) for c in await super().generate(requests)]

    model = Dear(lambda r: "4")
    result = go(self_consistency(generator(model), n=5), budget=Budget(**cap))
    assert (result.stopped_by, len(model.calls), len(result.messages)) == ("budget", 2, 2)


# ── the door ──


def test_a_model_that_raises_a_plain_error_is_a_failed_decision():
    def broken(request):
        raise RuntimeError("CUDA fell over")

    journal = MemoryJournal()
    result = go(solo(generator(Scripted(broken))), journal=journal)
    assert "RuntimeError: CUDA fell over" in result.decisions[0].error
    assert go(solo(generator(Scripted(["never asked"]))), journal=journal) == result


def test_bad_input_of_a_model_is_not_taken_for_a_failed_call():
    def refuses(request):
        raise BadInput("no such adapter")

    with pytest.raises(BadInput, match="no such adapter"):
        go(solo(generator(Scripted(refuses))))


def test_a_transform_that_fails_is_a_failure_of_its_node_in_every_schedule():
    def broken(message):
        raise ValueError("bad transform")

    team = Team(
        "t",
        [Node("a", Says("a", "1", turns=3)), Node("b", Says("b", "1")), Node("c", Says("c"))],
        [Edge(START, "a"), Edge(START, "b"), Edge("b", "c", carry=broken)],
        Spoken(("a",)),
        last("a"),
    )
    results = [go(team, schedule=s) for s in SCHEDULES]
    assert [r.answer for r in results] == ["1", "1"] and results[0].error is None is results[1].error
    through = go(replace(team, stop=MaxRounds(1), output=majority()))
    assert through.error is None and [m.sender for m in through.messages] == ["a"]
    assert "bad transform" in through.events[0].text


def test_a_prompt_that_grows_too_long_is_a_failed_call():
    model = Scripted(["x" * 150_000, "y" * 100_000, "short"])
    result = go(chain(generator(model, name="a"), generator(model, name="b"), ANSWERER(model, name="c")))
    assert [m.sender for m in result.messages] == ["a", "b"] and "the prompt grew past" in result.events[0].text


# ── trees ──


def test_a_tree_raises_what_is_wrong_with_it_and_leaves_no_task_behind():
    role = Role("r", "{{ inbox[0].content }}")

    async def main():
        with pytest.raises(BadRole):
            await grow(chain(generator(Scripted(lambda r: "1")), role(Scripted([]))).nodes[1].actor, "q", Full(2))
        with pytest.raises(BadRole):
            await solo(role(Scripted([]))).map(["q", "q"])
        with pytest.raises(BadRole):
            _ = [item async for item in solo(role(Scripted([]))).stream("q")]
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()


def test_a_tree_that_is_cancelled_stops_drawing():
    started, ended = [], []

    class Slow(Scripted):
        async def generate(self, requests):
            started.append(len(requests))
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(len(requests))

    async def main():
        growing = asyncio.ensure_future(grow(self_consistency(generator(Slow([])), n=1), "q", Full(3)))
        for _ in range(9):
            await asyncio.sleep(0)
        growing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await growing
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set() and ended == started == [3]


def test_a_tree_draws_model_calls_and_performs_the_rest_once():
    done = []

    async def tool(effects):
        done.extend(effects)
        return ["ok"] * len(effects)

    @dataclass(frozen=True)
    class UsesTool:
        async def __call__(self, view: View, ctx: Context) -> Reply:
            await ctx.do("write", tool)
            return await Caller()(view, ctx)

    tree = asyncio.run(grow(Team("t", [Node("n", UsesTool())], [Edge(START, "n")]), "q", Full(3)))
    assert (done, len(tree.leaves), len(tree.decisions)) == (["write"], 3, 3)


def test_the_cap_of_a_tree_on_tokens_is_hard():
    model = Scripted(lambda r: "word " * 9)
    role = replace(generator, max_tokens=9)
    tree = asyncio.run(grow(chain(role(model, name="a"), role(model, name="b")), "q", Full(2), cap=Budget(tokens=25)))
    spent = sum(d.completion.usage.tokens for d in tree.decisions)
    assert spent <= 25 and {leaf.stopped_by for leaf in tree.leaves} == {"budget"}


@pytest.mark.parametrize("calls", [5, 9, 14, 20, 27])
def test_the_cap_of_a_tree_lets_the_same_leaves_go_on_whatever_arrives_first(calls):
    def tree(shift):
        model = Scripted(lambda r: str(r.seed % 7), delay=lambda r: 0.001 * ((r.seed + shift) % 3))
        team = chain(*(generator(model, name=n) for n in "abc"))
        made = asyncio.run(grow(team, "q", Full(3), cap=Budget(calls=calls)))
        assert len(model.calls) <= calls
        return made

    grown = [tree(shift) for shift in range(3)]
    assert grown[0] == grown[1] == grown[2]


def test_a_failed_draw_is_charged_to_the_cap_of_its_tree():
    tried = []

    def broken(request):
        tried.append(request)
        raise CallFailed("gone")

    names = [f"n{i}" for i in range(9)]
    model = Scripted(broken)
    team = Team("t", [Node(n, agent(model, n)) for n in names], [Edge(START, n) for n in names], output=majority())
    tree = asyncio.run(grow(team, "q", Full(2), cap=Budget(calls=4)))
    assert tree.leaves[0].stopped_by == "budget" and len(model.calls) == 4


# ── streams ──


@pytest.mark.live
def test_a_stream_that_is_left_early_ends_its_run():
    ended = []

    class Slow(Scripted):
        async def generate(self, requests):
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)

    async def main():
        stream = solo(generator(Slow([]))).stream("q")
        async for notice in stream:
            assert notice.kind == "started"
            break
        await asyncio.sleep(0)
        await stream.aclose()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set() and ended == [True]


def test_private_lines_pass_into_a_nested_team():
    model = scripted_by_seat({"c": ["1"]})
    role = replace(ANSWERER, prompt=ANSWERER.prompt + " told={{ private }}")
    inner = Team("inner", [Node("c", role(model, name="c"))], [Edge(START, "c")])
    go(Team("outer", [Node("seat", inner)], [Edge(START, "seat")]), Task("t", "q", private={"seat": "alpha"}))
    assert model.calls[0].messages[0][1].endswith("told=alpha")


def test_completions_of_other_types_keep_their_usage_in_the_budget():
    @dataclass(frozen=True)
    class Twice:
        async def __call__(self, view: View, ctx: Context) -> Reply:
            both: list[Completion] = await ctx.all([Request((("user", str(i)),)) for i in range(2)], draw)
            return Reply(" ".join(c.text for c in both))

    team = Team("t", [Node("n", Twice())], [Edge(START, "n")])
    assert go(team, budget=Budget(calls=1)).stopped_by == "budget" and go(team, budget=Budget(calls=2)).usage.calls == 2
