"""A run over its drawing: what is derived from the record against actors and edges that take notes while it runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest
from drawn_teams import Shaky, teams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_teams import ANSWERER, Caller, dylan

from orchestra.engine import START, Edge, Full, MaxRounds, Node, run
from orchestra.engine.graph import Graph
from orchestra.errors import BadInput, CallFailed
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.team import Map, Retry, Team
from orchestra.team.draw import Activity, overlay
from orchestra.topologies import chain
from orchestra.types import Reply, Usage

SCRIPT = ("The answer is 91.", "Yes.", "The answer is 92.")


def malt(model):
    return chain(generator(model), verifier(model), refiner(model))


def test_a_chain_by_hand():
    team = malt(Scripted(SCRIPT))
    result = team.run_sync("q")
    found = overlay(team, result)
    usage = [d.completion.usage for d in result.decisions]
    assert found.nodes == {
        ("generator",): Activity(1, (1,), usage[0], "91"),
        ("verifier",): Activity(1, (2,), usage[1], abstained=1),
        ("refiner",): Activity(1, (3,), usage[2], "92"),
    }
    assert found.carried == {((), edge): 1 for edge in range(4)}
    assert found.ended[:2] == ("ended: done, closed rounds: 1", "answer: 92")


def test_what_is_passed_on_counts_where_it_was_passed():
    """DyLAN, 11 calls: the ranker passes on four votes to each of four, then two votes to each of two."""
    team, _ = dylan({"a": ["1|"] * 3, "b": ["2|"] * 3, "c": ["1|"] * 3, "d": ["3|"] * 3}, rank=lambda shown: "01")
    result = team.run_sync("q")
    found = overlay(team, result)
    kept = [m.sender for m in result.messages if m.round == 2 and m.sender != "rank"]
    assert len(kept) == 2 and sum(a.usage.calls for a in found.nodes.values()) == 11
    by_edge = {(e.src, e.dst): found.count((), number) for number, e in enumerate(team.edges)}
    for name in "abcd":
        went_on = name in kept
        assert by_edge[START, name] == 1
        assert by_edge[name, "rank"] == (3 if went_on else 2)
        assert by_edge["rank", name] == (6 if went_on else 4)


def test_nested_teams_failures_and_silence():
    inner = Team("i", [Node("x", Caller(2)), Node("y", Caller(fails=True))], [Edge(START, "x"), Edge(START, "y")])
    team = Team(
        "t",
        [Node("first", Caller()), Node("group", inner), Node("idle", Caller())],
        [
            Edge(START, "first"),
            Edge("first", "group"),
            Edge("first", "idle", carry=lambda message: None),
            Edge("group", "first", "temporal"),
        ],
        MaxRounds(2),
    )
    found = overlay(team, team.run_sync("q"))
    assert found.activity(("idle",)) == Activity() and found.count((), 2) == 0
    assert found.activity(("group",)).usage == Usage(6, 18, 6)  # those of x and y, in both rounds
    assert found.activity(("group", "x")).turns == (2, 6)
    assert found.activity(("group", "y")).failed == 0  # its own rounds are counted anew in each visit
    assert found.carried == {((), 0): 1, ((), 1): 2, ((), 3): 1, (("group",), 0): 2, (("group",), 1): 2}


@pytest.mark.parametrize(("round", "suffix"), [(0, ""), (1, ":1")])
def test_tries_and_items_of_a_team_count_in_its_frame(round, suffix):
    inner = Team("i", [Node("x", Caller()), Node("y", Caller())], [Edge(START, "x"), Edge("x", "y")])
    each = Retry(Map(Retry(Shaky(inner), base=0), lambda view: ("one", "two")), base=0)
    waits = [Edge(START, "wait"), Edge("wait", "each", "temporal")] if round else [Edge(START, "each")]
    team = Team("t", [Node("each", each), *([Node("wait", Caller())] if round else [])], waits, MaxRounds(2))
    result = team.run_sync("q")
    tried = f"t/each/map{suffix}/item-2/try#2/x"
    assert tried in {decision.path for decision in result.decisions}
    found = overlay(team, result)
    assert [found.activity(("each", name)).activations for name in "xy"] == [4, 4]  # two items, two tries each
    assert [found.count(("each",), edge) for edge in (0, 1)] == [4, 4]
    assert found.activity(("each",)).activations == 1 and found.activity(("each",)).usage.calls == 8


@pytest.mark.parametrize("kind", ["spatial", "temporal"])
def test_what_was_heard_by_the_actor_around_a_team_came_with_the_task(kind):
    """x saw it and speaks to z alone: that y saw it too does not mean that x passed it on."""
    edges = [Edge(START, "x"), Edge(START, "y"), Edge("x", "y"), Edge("x", "z")]
    inner = Team("i", [Node("x", Aside("z")), Node("y", Caller()), Node("z", Caller())], edges)
    twice = Retry(Shaky(inner), base=0)
    around = [(inner, 1), (Retry(inner), 1), (twice, 2), (Retry(Map(twice, lambda view: ("one",))), 2)]
    for actor, times in around:
        team = Team("t", [Node("a", Caller()), Node("group", actor)], [Edge(START, "a"), Edge("a", "group", kind)],
                    MaxRounds(2))  # fmt: skip
        found = overlay(team, team.run_sync("q"))
        assert [found.count(("group",), edge) for edge in range(4)] == [times, times, 0, times]


@dataclass(frozen=True)
class Aside:
    """Speaks to one node alone."""

    to: str

    async def __call__(self, view, ctx):
        return Reply(sends={self.to: "psst"})


def test_failed_calls_and_failed_nodes_are_told_apart():
    def say(request):
        raise CallFailed("the server is down")

    team = malt(Scripted(say))
    found = overlay(team, team.run_sync("q"))
    assert found.activity(("generator",)) == Activity(1, usage=Usage(calls=1), failed=1, errors=1)
    assert found.activity(("verifier",)).activations == 0
    assert any("the server is down" in line for line in found.ended)


def test_of_a_tree_every_leaf_counts_and_what_leaves_share_counts_once():
    team = malt(Scripted(lambda request: "The answer is 1."))
    found = overlay(team, asyncio.run(team.grow("q", Full(3))))
    calls = [found.activity((name,)).usage.calls for name in ("generator", "verifier", "refiner")]
    assert calls == [3, 9, 27]
    assert found.carried == {((), 0): 3, ((), 1): 9, ((), 2): 27, ((), 3): 27}
    assert found.ended[0] == "a tree of 27 leaves, with 39 decisions"


def test_a_trajectory_of_another_team_is_refused():
    other = chain(ANSWERER(Scripted(["1"]), name="stranger"))
    with pytest.raises(BadInput, match="no node 'stranger'; fix: draw the team that ran"):
        overlay(malt(Scripted(SCRIPT)), other.run_sync("q"))


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(teams(), st.integers(0, 1 << 20))
def test_what_is_derived_is_what_was_heard(team, seed):
    result = go(team, seed)
    found = overlay(team, result)
    heard = Counter()
    spoken = go(noted(team, (), heard), seed)
    assert [(m.content, m.round) for m in spoken.messages] == [(m.content, m.round) for m in result.messages]
    assert dict(found.carried) == {place: count for place, count in heard.items() if isinstance(place[1], int)}
    activations = {address: found.activity(address).activations for address in found.nodes}
    assert activations == {place[0]: count for place, count in heard.items() if place[1] == "ran"}
    total = sum((leaf.usage for leaf in result.leaves), Usage())
    assert sum((found.nodes[a].usage for a in found.nodes if len(a) == 1), Usage()) == total


def test_control_counting_what_was_laid_differs():
    """That a node spoke does not tell that its successors heard: a count of words laid on edges is another number."""
    team = Team(
        "t",
        [Node("a", Caller()), Node("b", Caller())],
        [Edge(START, "a"), Edge("a", "b"), Edge("b", "a", "temporal")],
        MaxRounds(2),
    )
    found = overlay(team, team.run_sync("q"))
    laid = [len(found.activity((edge.src,)).turns) for edge in team.edges[1:]]
    assert laid == [2, 2] and [found.count((), edge) for edge in (1, 2)] == [2, 1]


def go(team, seed):
    return asyncio.run(run(team, "q", seed=seed))


@dataclass(frozen=True)
class Noted:
    """An actor that notes the edge on which everything in its inbox came; edges sign what they carry."""

    actor: Any
    team: tuple[str, ...]
    name: str
    entries: tuple[int, ...]
    heard: Counter

    async def __call__(self, view, ctx):
        self.heard[(*self.team, self.name), "ran"] += 1
        for edge in self.entries if view.round == 0 else ():
            self.heard[self.team, edge] += 1
        for message in view.inbox:
            signed_by, _, edge = message.id.rpartition("#")[2].partition("!")
            if signed_by == "/".join(self.team) and edge:
                self.heard[self.team, int(edge)] += 1
        return await self.actor(view, ctx)


def noted(graph, address, heard):
    """The same team, whose edges sign messages and whose nodes note what they hear."""
    nodes = []
    for number, node in enumerate(graph.nodes):
        actor = within(node.actor, lambda team, place=(*address, node.name): noted(team, place, heard))
        entries = tuple(edge for edge in graph.plan.ins[number] if graph.edges[edge].src == START)
        nodes.append(replace(node, actor=Noted(actor, address, node.name, entries, heard)))
    edges = [replace(edge, carry=signing(address, number)) for number, edge in enumerate(graph.edges)]
    return Team(graph.name, nodes, edges, graph.stop, graph.output)


def within(actor, change):
    """The actor with its team changed, if it is one or stands around one."""
    if isinstance(actor, Graph):
        return change(actor)
    return replace(actor, actor=within(actor.actor, change)) if hasattr(actor, "actor") else actor


def signing(address, number):
    return lambda message: replace(message, id=f"{message.id}>#{'/'.join(address)}!{number}")
