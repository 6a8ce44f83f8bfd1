"""Selections: TopK, Switch and Route."""

import asyncio
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_teams import ANSWERER, RANKER, Caller, agent, scripted_by_seat

from orchestra.engine import START, Context, Edge, MaxRounds, Node, last, majority, run
from orchestra.errors import BadTeam, CallFailed
from orchestra.models.scripted import Scripted
from orchestra.team import Route, Switch, Team, TopK
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Reply, View

NAMES = ("a", "b", "c", "d")


def selected(rank, k=2):
    """Who goes on, by a ranker whose reply is made from the senders in the order that it was shown."""
    found = []

    @dataclass(frozen=True)
    class Watch:
        select: TopK

        async def __call__(self, view: View, ctx: Context) -> Reply:
            found.extend(await self.select(view, ctx))
            return Reply()

    model = Scripted(lambda request: rank(request.messages[-1][1].split()[1:]))
    answers = scripted_by_seat({n: [n] for n in NAMES})
    team = Team(
        "t",
        [*(Node(n, agent(answers, n)) for n in NAMES), Node("rank", Watch(TopK(RANKER(model), k)))],
        [*(Edge(START, n) for n in NAMES), *(Edge(n, "rank") for n in NAMES)],
    )
    asyncio.run(run(team, "q"))
    shown = model.calls[0].messages[-1][1].split()[1:]
    return found, shown


def test_top_k_reads_places_in_what_was_shown():
    found, shown = selected(lambda shown: "3 1")
    assert found == [shown[3], shown[1]] and sorted(shown) == list(NAMES) and shown != list(NAMES)


@pytest.mark.parametrize("reply", ["2 2", "2", "2 9 2", "2, 2, 2!"])
def test_top_k_counts_a_place_once_and_fills_up_in_the_order_shown(reply):
    found, shown = selected(lambda _: reply)
    assert found == [shown[2], shown[0]]


@pytest.mark.parametrize("reply", ["", "nobody", "9"])
def test_top_k_of_a_ranker_that_names_nobody_takes_the_first_shown(reply):
    found, shown = selected(lambda _: reply)
    assert found == shown[:2]


def test_top_k_of_more_than_there_are_takes_all():
    found, shown = selected(lambda _: "0", k=9)
    assert found == shown


def test_top_k_needs_one():
    with pytest.raises(BadTeam, match="expected k >= 1, got 0"):
        TopK(RANKER(Scripted([])), 0)


@dataclass(frozen=True)
class Keeps:
    names: tuple[str, ...]

    async def __call__(self, view: View, ctx: Context) -> tuple[str, ...]:
        return self.names


def switched(keep, rounds, total):
    model = scripted_by_seat({n: [n + str(i) for i in range(total)] for n in NAMES})
    team = Team(
        "t",
        [*(Node(n, agent(model, n)) for n in NAMES), Node("pick", Switch(Keeps(keep), NAMES, rounds), votes=False)],
        [
            *(Edge(START, n) for n in NAMES),
            *(Edge(n, "pick") for n in NAMES),
            *(Edge("pick", n, "temporal") for n in NAMES),
        ],
        MaxRounds(total),
        majority(),
    )
    return asyncio.run(run(team, "q"))


def test_a_switch_passes_those_selected_to_those_selected_and_lets_all_go_on_elsewhere():
    result = switched(("b", "d"), range(1, 2), 3)
    spoke = {r: [m.sender for m in result.messages if m.round == r and m.sender != "pick"] for r in range(3)}
    assert spoke == {0: list(NAMES), 1: list(NAMES), 2: ["b", "d"]}
    seen = {m.sender: m.saw for m in result.messages if m.round == 2 and m.sender != "pick"}
    ids = {m.sender: m.id for m in result.messages if m.round == 1}
    assert seen == {"b": (ids["b"], ids["d"]), "d": (ids["b"], ids["d"])}
    assert [e.text for e in result.events if e.kind == "selection"] == ["b, d"]


def test_a_switch_that_selects_nobody_ends_the_team():
    assert switched((), range(9), 3).leaf.rounds == 1


def test_a_selection_that_names_somebody_who_did_not_speak_is_an_error_that_names_both():
    made = switched(("z", "c"), range(9), 2)
    told = "Unparseable: t/pick: its selection names 'z', but those who spoke are ['a', 'b', 'c', 'd']"
    assert [e.text for e in made.events if e.kind == "failure"] == [told] and made.leaf.rounds == 1


@dataclass(frozen=True)
class Without:
    """All who spoke, save whom it names for the round."""

    out: tuple[str, ...]

    async def __call__(self, view: View, ctx: Context) -> tuple[str, ...]:
        out = self.out[view.round] if view.round < len(self.out) else ""
        return tuple(m.sender for m in view.inbox if m.sender not in out)


def benched(out, bench, rounds=range(9), total=5, model=None, **options):
    """A team of a, b and c, of which some are dropped each round, and those of the bench come in for them."""
    names = (*"abc", *bench)
    model = model or scripted_by_seat({n: [n + str(i) for i in range(total)] for n in names})
    team = Team(
        "t",
        [
            *(Node(n, agent(model, n)) for n in names),
            Node("pick", Switch(Without(out), tuple("abc"), rounds, bench), votes=False),
        ],
        [
            *(Edge(START, n) for n in "abc"),
            *(Edge(n, "pick") for n in names),
            *(Edge("pick", n, "temporal") for n in names),
        ],
        MaxRounds(total),
        majority(),
    )
    return asyncio.run(run(team, "q", **options))


def spoke(made, total=5):
    return ["".join(m.sender for m in made.messages if m.round == r and m.sender != "pick") for r in range(total)]


@pytest.mark.parametrize(
    ("out", "bench", "rounds", "said"),
    [
        (("c", "b"), ("d", "e"), range(9), ["abc", "abd", "ade", "ade", "ade"]),
        (("bc", "", "a"), ("d", "e"), range(9), ["abc", "ade", "ade", "de", "de"]),  # the bench is empty by then
        (("c", "d", "e"), ("d", "e"), range(9), ["abc", "abd", "abe", "ab", "ab"]),  # each once: d does not come again
        (("c", "b"), ("d", "e"), range(1), ["abc", "abd", "abd", "abd", "abd"]),  # nobody is dropped later
        (("c", "c"), ("d",), range(1, 2), ["abc", "abc", "abd", "abd", "abd"]),
        ((), ("d", "e"), range(9), ["abc"] * 5),
        (("abc",), ("d", "e"), range(9), ["abc", "", "", "", ""]),  # nobody goes on: the end
    ],
)
def test_who_speaks_is_exactly_who_was_selected_or_came_in(out, bench, rounds, said):
    for schedule in ("sequential", "speculative"):
        made = benched(out, bench, rounds, schedule=schedule)
        assert spoke(made) == said
        picked = [e.text.replace(", ", "") for e in made.events if e.kind == "selection"]
        selecting = [r for r in range(4) if r in rounds and said[r]]
        assert ["".join(sorted(text)) for text in picked[: len(selecting)]] == [said[r + 1] for r in selecting]


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(["", "a", "b", "c", "d", "e", "f", "ab", "cd", "ef", "abc"]), min_size=5, max_size=5),
    st.sampled_from(["", "d", "de", "def"]),
    st.sampled_from([range(5), range(1, 5), range(0, 5, 2), range(0)]),
    st.integers(0, 1 << 20),
)
def test_whoever_is_slow_the_same_speak(out, bench, rounds, seed):
    """A second derivation: names taken off a list and put on one, round by round."""
    now, left, expected = list("abc"), list(bench), []
    for number in range(5):
        expected.append("".join(sorted(now)))
        if number in rounds:
            dropped = [name for name in now if name in out[number]]
            now = [name for name in now if name not in dropped]
            for _ in dropped if now else ():
                now += [left.pop(0)] if left else []
        elif not bench:
            now = list("abc") if now else []  # without a bench a round without a selection lets all back in
    said = set()
    for schedule in ("sequential", "speculative"):
        noise = Random(seed)
        model = Scripted(lambda r: "7", delay=lambda r, noise=noise: noise.choice([0, 0, 0.0005]))
        said.add(tuple(spoke(benched(tuple(out), tuple(bench), rounds, model=model, schedule=schedule, seed=seed))))
    assert said == {tuple(expected)}


def test_who_comes_in_hears_what_those_selected_said_and_nothing_else():
    made = benched(("c",), ("d",), total=2)
    ids = {m.sender: m.id for m in made.messages if m.round == 0}
    seen = {m.sender: m.saw for m in made.messages if m.round == 1 and m.sender != "pick"}
    assert seen == dict.fromkeys("abd", (ids["a"], ids["b"]))


def test_one_that_failed_is_replaced_too():
    def say(request):
        if request.messages[-1][1].startswith("b@"):
            raise CallFailed("down")
        return "7"

    assert spoke(benched((), ("d",), total=3, model=Scripted(say)), 3) == ["ac", "acd", "acd"]


def test_a_bench_resumes_where_it_was():
    whole = MemoryJournal()
    first = benched(("c", "b"), ("d", "e"), journal=whole)
    for kept in range(0, len(whole.entries), 3):
        part = MemoryJournal()
        part.entries = dict(list(whole.entries.items())[:kept])
        assert benched(("c", "b"), ("d", "e"), journal=part) == first


def test_a_switch_of_before_loads_and_a_bench_is_saved():
    model = Scripted([])
    for switch in (
        Switch(TopK(RANKER(model), 1), ("a",), range(1)),
        Switch(TopK(RANKER(model), 1), (), range(1), ("a",)),
    ):
        team = Team(
            "t", [Node("a", ANSWERER(model)), Node("s", switch)],
            [Edge(START, "a"), Edge(START, "s"), Edge("s", "a", "temporal")], MaxRounds(2),
        )  # fmt: skip
        form = team.save()["team"]["nodes"][1]["actor"]
        assert Team.load(team.save(), model).nodes[1].actor.bench == switch.bench
        assert set(form) == {"$", "select", "to", "rounds", *(["bench"] if switch.bench else [])}


@pytest.mark.parametrize(("to", "bench"), [(("a", "b"), ("b",)), (("a",), ("c", "c")), (("a", "a"), ("b",))])
def test_nobody_stands_twice_in_a_team_and_its_bench(to, bench):
    with pytest.raises(BadTeam, match="switch: expected different names"):
        Switch(Keeps(()), to, range(1), bench)


def test_a_route_needs_two_branches_and_passes_its_inbox_on():
    model = Scripted(lambda r: r.messages[-1][1], preference=lambda r, o: 50.0 * (o == "y"))
    with pytest.raises(BadTeam, match="at least two different branches"):
        Route(ANSWERER(model), ("x", "x"))
    team = Team(
        "t",
        [Node("a", Caller(0)), Node("route", Route(ANSWERER(model, name="router"), ("x", "y")), votes=False),
         Node("x", agent(model, "x")), Node("y", agent(model, "y"))],
        [Edge(START, "a"), Edge("a", "route"), Edge("route", "x"), Edge("route", "y")],
        output=last("x", "y"),
    )  # fmt: skip
    result = asyncio.run(run(team, "q"))
    assert [m.sender for m in result.messages] == ["a", "route", "y"]
    assert result.messages[2].content.startswith("y@0 a=a0()")


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_a_route_reads_no_words_and_not_basic_does_not_go_to_basic(schedule):
    """MDAgents looks for the name of a branch in a reply, so 'not basic' goes to basic; here nothing is replied."""
    model = Scripted(lambda r: "This is not basic.", preference=lambda r, option: 60.0 * (option == "advanced"))
    names = ("basic", "intermediate", "advanced")
    team = Team(
        "t",
        [Node("route", Route(ANSWERER(model, name="router"), names), votes=False),
         *(Node(n, agent(model, n)) for n in names)],
        [Edge(START, "route"), *(Edge("route", n) for n in names)],
        output=last(*names),
    )  # fmt: skip
    for seed in range(20):
        made = asyncio.run(run(team, "q", seed=seed, schedule=schedule))
        assert [m.sender for m in made.messages] == ["route", "advanced"]
        assert made.decisions[0].completion.text == "advanced" and made.decisions[0].request.options == names


def test_a_route_never_leaves_its_set():
    """Whatever the scores are: only the branches are drawn, and each of them sometimes."""
    model = Scripted(lambda r: "elsewhere")
    names = ("basic", "not basic", "advanced")
    team = Team(
        "t",
        [Node("route", Route(ANSWERER(model), names), votes=False), *(Node(n, agent(model, n)) for n in names)],
        [Edge(START, "route"), *(Edge("route", n) for n in names)],
    )
    chosen = [asyncio.run(run(team, "q", seed=seed)).messages[-1].sender for seed in range(40)]
    assert set(chosen) == set(names)
