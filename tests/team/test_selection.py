"""Selections: TopK, Switch and Route."""

import asyncio
from dataclasses import dataclass

import pytest
from small_teams import ANSWERER, RANKER, Caller, agent, scripted_by_seat

from orchestra.engine import START, Context, Edge, MaxRounds, Node, last, majority, run
from orchestra.errors import BadTeam
from orchestra.models.scripted import Scripted
from orchestra.team import Route, Switch, Team, TopK
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


def test_a_switch_that_selects_nobody_ends_the_team_and_one_that_names_a_stranger_ignores_it():
    assert switched((), range(9), 3).leaf.rounds == 1
    assert {m.sender for m in switched(("z", "c"), range(9), 2).messages if m.round == 1} == {"c", "pick"}


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
