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
    Timeout,
    grow,
    last,
    majority,
    run,
)
from orchestra.errors import BadInput, BadRole, CallFailed
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team import Role, Route, Switch, Team
from orchestra.team.actors.capped import Capped
from orchestra.team.actors.fallback import Fallback
from orchestra.team.actors.mapping import Map
from orchestra.team.actors.person import Person
from orchestra.team.actors.retry import Retry
from orchestra.team.actors.timed import Timed
from orchestra.topologies import chain, self_consistency, solo
from orchestra.trajectory.journal import Fork, MemoryJournal
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


# ── what runs ahead ──


async def until_cancelled(requests):
    await asyncio.Event().wait()


@dataclass(frozen=True)
class Hangs:
    """A call that never ends, where its inbox begins with these words."""

    words: str = ""

    async def __call__(self, view: View, ctx: Context) -> Reply:
        heard = view.inbox[0].content if view.inbox else ""
        said = await ctx.do(Request((("user", heard),)), until_cancelled if heard.startswith(self.words) else draw)
        return Reply(said.text, said.text)


def beside_a_cycle(actor):
    """A node, and one beside it that speaks to itself for three rounds."""
    nodes = [Node("a", actor), Node("b", Says(calls=1))]
    return Team("ahead", nodes, [*(Edge(START, n) for n in "ab"), Edge("b", "b", "temporal")], MaxRounds(3), last("b"))


def test_nothing_runs_ahead_into_rounds_that_are_never_reached():
    """While a took its time, b made calls for rounds without end."""
    result = go(beside_a_cycle(Says(turns=200)), schedule="speculative")
    assert result.waste.calls == 0 and len(result.decisions) == 3


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_question_beside_a_cycle_ends_the_run(schedule):
    async def main():
        return await asyncio.wait_for(run(beside_a_cycle(Person("ann")), "q", schedule=schedule), 5)

    assert [q.path for q in asyncio.run(main()).questions] == ["ahead/a"]


@pytest.mark.parametrize("turns", [0, 9])
def test_what_a_question_lets_run_on_depends_on_no_arrival(turns):
    """first says nothing to x, so m need not wait for it; with the question asked before that was known, m was lost."""
    actors = {"first": Says(turns=turns, sends=()), "ann": Person("ann"), "b": Says(), "x": Says(), "m": Says(calls=1)}
    edges = [*(Edge(START, n) for n in ("first", "ann", "b")), Edge("first", "x"), Edge("b", "m")]
    journal = MemoryJournal()
    team = Team("t", [Node(name, actor) for name, actor in actors.items()], edges, Said(("x",)))
    assert go(team, journal=journal).questions and len(journal.entries) == 1


def test_a_timeout_holds_while_a_question_waits():
    """The run waited for b without end, since only what is due was raced with the clock."""
    team = Team("t", [Node("ann", Person("ann")), Node("b", Hangs())], [Edge(START, "ann"), Edge(START, "b")])
    timed = replace(team, stop=Timeout(0.05))
    assert [q.path for q in asyncio.run(asyncio.wait_for(timed.run("q"), 5)).questions] == ["t/ann"]


@dataclass(frozen=True)
class Unsure(Says):
    """Cannot say what it will need."""

    def bound(self, view: View) -> Usage | None:
        raise ValueError("who knows")

    def speaker(self):
        raise AssertionError("asked only where the worst case is known")


def test_a_worst_case_that_cannot_be_told_fails_no_run():
    team = Team("t", [Node(n, Unsure(calls=1)) for n in "abc"], [Edge(START, n) for n in "abc"])
    result = go(team, budget=Budget(calls=9))
    assert (result.error, [m.sender for m in result.messages]) == (None, ["a", "b", "c"])


# ── clocks of branches and forks ──


@dataclass(frozen=True)
class Drawn:
    async def __call__(self, view: View, ctx: Context) -> Reply:
        return Reply((await ctx.do(Request((("user", "q"),)), draw)).text)


def drawn_then(actor, stop):
    return Team("t", [Node("a", Drawn()), Node("b", actor)], [Edge(START, "a"), Edge("a", "b")], stop)


def first_draw():
    return go(drawn_then(Says(), MaxRounds(1))).messages[0].content


def test_one_leaf_that_runs_out_of_time_does_not_stop_the_others():
    """Races were named by their number alone, so that all leaves shared those of the first."""
    first = first_draw()
    tree = asyncio.run(grow(drawn_then(Hangs(first), Timeout(0.05)), "q", Full(2)))
    assert len({d.completion.text for d in tree.decisions if d.path == "t/a"}) == 2
    assert [leaf.stopped_by for leaf in tree.leaves] == ["timeout", "done", "done"]


def test_another_draw_has_its_time_anew():
    journal, first = MemoryJournal(), first_draw()
    team = drawn_then(Hangs(first), Timeout(0.05))
    kept = go(team, journal=journal)
    assert (kept.stopped_by, go(team, journal=journal).stopped_by) == ("timeout", "timeout")
    assert go(team, journal=journal, start={kept.decisions[0].key.state: 1}).stopped_by == "done"


def test_a_fork_has_its_time_anew():
    """A faster team on the journal of a slow one was stopped at once, by the other's clock."""
    below = MemoryJournal()
    assert go(drawn_then(Hangs(), Timeout(0.05)), journal=below).stopped_by == "timeout"
    fork = Fork(below, MemoryJournal())
    faster = go(drawn_then(Says(calls=1), Timeout(0.05)), journal=fork)
    assert faster.stopped_by == "done" and go(drawn_then(Says(calls=1), Timeout(0.05)), journal=fork) == faster


# ── failures ──


@dataclass(frozen=True)
class Cancels:
    """Raises a CancelledError that nobody asked for, itself or in its call."""

    in_call: bool

    async def __call__(self, view: View, ctx: Context) -> Reply:
        if self.in_call:
            await ctx.do(Request((("user", "q"),)), self._raise)
        await self._raise(())
        return Reply()

    async def _raise(self, requests):
        await asyncio.sleep(0)
        raise asyncio.CancelledError


@pytest.mark.parametrize("in_call", [True, False])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_cancels_itself_is_a_failure_and_not_the_end_of_the_run(in_call, schedule):
    team = Team("t", [Node("a", Says()), Node("b", Cancels(in_call))], [Edge(START, "a"), Edge(START, "b")])
    result = go(team, schedule=schedule)
    assert [m.sender for m in result.messages] == ["a"] and "cancelled itself" in result.events[0].text


@pytest.mark.parametrize("ticks", range(0, 40, 3))
def test_a_run_that_is_cancelled_ends_and_leaves_nothing_behind(ticks):
    async def main():
        running = asyncio.ensure_future(run(joined(3, 3), "q", schedule="speculative"))
        for _ in range(ticks):
            await asyncio.sleep(0)
        was_done, _ = running.done(), running.cancel()
        await asyncio.wait([running])
        return running.cancelled() != was_done, asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == (True, set())


def test_an_actor_that_gives_no_reply_is_told_so():
    async def nothing(view, ctx):
        return None

    result = go(Team("t", [Node("a", nothing)], [Edge(START, "a")]))
    assert result.events[0].text.startswith("TypeError: t/a: expected a Reply, got None")


def test_an_answer_that_needed_no_call_is_no_failed_run():
    async def down(requests):
        raise ConnectionError("down")

    async def remote(view, ctx):
        return Reply((await ctx.do(Request((("user", "q"),)), down)).text)

    result = go(Team("t", [Node("a", Fallback([remote, Says("4", "4")]))], [Edge(START, "a")]))
    assert (result.answer, result.error, result.decisions[0].error) == ("4", None, "ConnectionError: down")
    alone = go(Team("t", [Node("a", remote)], [Edge(START, "a")]))
    assert (alone.answer, alone.error) == (None, "ConnectionError: down")


def test_what_follows_a_failed_team_is_named_by_its_draws():
    """The second attempts of two branches were one and the same."""

    async def failing(view, ctx):
        said = (await ctx.do(Request((("user", "q"),)), draw)).text
        if "#" not in ctx.path:
            raise ValueError("once")
        return Reply(said)

    inner = Team("inner", [Node("f", failing, on_error="fail")], [Edge(START, "f")])
    team = Team("t", [Node("a", Retry(inner, attempts=2, base=0))], [Edge(START, "a")])
    tree = asyncio.run(grow(team, "q", Full(2)))
    assert (len(tree.leaves), len(tree.decisions), len({d.key.state for d in tree.decisions})) == (4, 6, 3)


# ── caps and memories of what is nested ──


def callers(name, calls):
    nodes = [Node(n, Says(calls=1)) for n in "abc"[:calls]]
    return Team(name, nodes, [Edge(START, node.name) for node in nodes])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda team: team,
        lambda team: Capped(team, Budget(calls=9)),
        lambda team: Retry(Capped(Capped(team, Budget(calls=9)), Budget(tokens=99))),
    ],
)
def test_the_cap_of_a_run_that_is_met_within_a_cap_ends_the_run(wrap):
    """The run went on, and said that it was done."""
    nodes = [Node("n", wrap(callers("inner", 3))), Node("after", Says())]
    team = Team("t", nodes, [Edge(START, "n"), Edge("n", "after")])
    result = go(team, budget=Budget(calls=2))
    assert (result.stopped_by, [m.sender for m in result.messages]) == ("budget", ["a", "b", "n"])
    own = replace(team, nodes=[Node("n", Capped(callers("inner", 3), Budget(calls=2))), nodes[1]])
    assert go(own, budget=Budget(calls=9)).stopped_by == "done"


def test_a_team_that_is_built_anew_with_fewer_nodes_remembers_those():
    """The memory of an item that was gone was a KeyError."""

    async def fewer(view, ctx):
        return Reply("x\ny\nz" if not view.round else "x")

    nodes = [Node("list", fewer), Node("map", Map(Says("s", remembers=True)))]
    edges = [Edge(START, "list"), Edge("list", "map"), Edge("map", "list", "temporal")]
    result = go(Team("t", nodes, edges, MaxRounds(2)))
    items = [(m.sender, m.content) for m in result.messages if m.sender.startswith("item")]
    assert items == [("item-1", "s"), ("item-2", "s"), ("item-3", "s"), ("item-1", "ss")]


def test_a_question_that_takes_its_time_ends_a_run_that_is_rebuilt():
    """A call that was done while the question was under way waited for a rebuild that nobody began."""
    nodes = [Node("ann", Timed(Person("ann"), seconds=99)), Node("b", Says(calls=1))]
    team = Team("t", nodes, [Edge(START, "ann"), Edge(START, "b")])
    journal = MemoryJournal()
    rebuilt = asyncio.run(asyncio.wait_for(run(team, "q", journal=journal, rebuild=True), 5))
    assert [q.path for q in rebuilt.questions] == ["t/ann"] and len(journal.entries) == 1


def test_what_a_cap_lets_be_drawn_stands_on_the_record_whatever_arrives_first():
    """The second call of a batch did not fit, and the first was cut short, or not."""

    async def slowly(requests):
        await asyncio.sleep(0.01)
        return await draw(requests)

    async def both(view, ctx):
        await ctx.all([Request((("user", "q"),))] * 2, slowly)

    tree = asyncio.run(grow(both, "q", Full(2), cap=Budget(calls=2)))
    assert [leaf.stopped_by for leaf in tree.leaves] == ["budget"] and len(tree.decisions) == 2
