"""networkx and back: nothing is lost, and any graph becomes a team or is told why not."""

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_teams import teams
from small_teams import Caller

from orchestra.engine import START, Edge, MaxRounds, Node, everything, majority
from orchestra.errors import BadTeam
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Team
from orchestra.team.convert import from_networkx, to_networkx
from orchestra.topologies import chain, debate

MODEL = Scripted([])


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(teams())
def test_there_and_back_a_team_is_equal(team):
    again = from_networkx(to_networkx(team))
    assert again == team and again.digest == team.digest and again.plan == team.plan


def test_a_graph_shows_what_a_team_is_by_hand():
    team = debate([debater(MODEL, name=n) for n in "ab"], rounds=3)
    graph = to_networkx(team)
    assert list(graph) == [START, "a", "b"] and graph.nodes[START] == {}
    assert graph.nodes["b"] == {"actor": team.nodes[1].actor, "when": None, "votes": True, "on_error": "abstain"}
    assert list(graph.edges(keys=True)) == [(START, "a", 0), (START, "b", 1), ("a", "b", 2), ("b", "a", 3)]
    assert graph.edges["a", "b", 2] == {"kind": "temporal", "carry": None}
    assert graph.graph == {"name": "debate", "stop": team.stop, "output": team.output}


def test_algorithms_of_networkx_apply():
    graph = to_networkx(chain(generator(MODEL), verifier(MODEL), refiner(MODEL)))
    assert nx.dag_longest_path(nx.DiGraph(graph)) == [START, "generator", "verifier", "refiner"]
    graph.remove_edge("generator", "refiner")
    assert [(e.src, e.dst) for e in from_networkx(graph).edges] == [
        (START, "generator"),
        ("generator", "verifier"),
        ("verifier", "refiner"),
    ]


def test_the_order_of_edges_is_kept_across_sources():
    """The order of an inbox; networkx lists edges by source, which would be another."""
    edges = [Edge(START, "b"), Edge(START, "a"), Edge("b", "c"), Edge("a", "c")]
    team = Team("t", [Node(n, Caller()) for n in "abc"], edges)
    graph = to_networkx(team)
    assert [(src, dst) for src, dst in graph.edges()] != [(e.src, e.dst) for e in edges]
    assert from_networkx(graph).edges == tuple(edges)


@settings(max_examples=150)
@given(st.integers(1, 7), st.data())
def test_any_dag_is_a_team_whose_sources_are_its_entries(n, data):
    pairs = [(i, j) for i in range(n) for j in range(i) if data.draw(st.booleans())]
    graph = nx.DiGraph(pairs)
    graph.add_nodes_from(range(n))
    team = from_networkx(graph, {i: generator(MODEL, name=f"g{i}") for i in range(n)}, name="dag")
    assert {e.dst for e in team.edges if e.src == START} == {str(i) for i in range(n) if graph.in_degree(i) == 0}
    assert {(e.src, e.dst) for e in team.edges if e.src != START} == {(str(i), str(j)) for i, j in pairs}
    assert all(e.kind == "spatial" for e in team.edges) and team.name == "dag"
    ranks = {node: rank for rank, layer in enumerate(nx.topological_generations(graph)) for node in layer}
    order = [int(team.nodes[i].name) for i in team.plan.order]
    assert [ranks[node] for node in order] == sorted(ranks.values())


def test_actors_come_from_a_mapping_a_function_or_the_nodes():
    graph = nx.DiGraph([("a", "b")])
    by_name = {name: generator(MODEL, name=name) for name in "ab"}
    expected = from_networkx(graph, by_name)
    assert from_networkx(graph, lambda node: by_name[node]) == expected
    nx.set_node_attributes(graph, by_name, "actor")
    assert from_networkx(graph) == expected
    other = generator(MODEL, name="other")
    assert from_networkx(graph, {"b": other}).nodes[1].actor == other
    team = from_networkx(graph, output=everything())
    assert (team.name, team.output) == ("team", everything())


def test_teams_are_actors_too():
    inner = chain(generator(MODEL))
    outer = from_networkx(nx.DiGraph([("x", "y")]), {"x": inner, "y": refiner(MODEL)})
    assert outer.nodes[0].actor is inner and from_networkx(to_networkx(outer)) == outer


def test_attributes_of_ours_are_read_and_others_left_aside():
    graph = nx.DiGraph(name="mine", colour="red")
    graph.add_node("a", actor=Caller(), votes=False, on_error="fail", weight=3)
    graph.add_node("b", actor=Caller(), when=_two)
    graph.add_edge("a", "b", weight=2)
    graph.add_edge("b", "a", kind="temporal")
    team = from_networkx(graph, stop=MaxRounds(2))
    assert team.nodes == (Node("a", Caller(), votes=False, on_error="fail"), Node("b", Caller(), when=_two))
    assert team.edges == (Edge(START, "a"), Edge("a", "b"), Edge("b", "a", "temporal")) and team.name == "mine"


def _two(inbox):
    return len(inbox) >= 2


def test_an_undirected_graph_is_who_talks_with_whom():
    """Every neighbour reads every neighbour's last word: debate on that graph, seen twice."""
    ring = nx.cycle_graph(4)
    agents = [debater(MODEL, name=str(i)) for i in range(4)]
    ours = debate(agents, rounds=2, graph="ring")
    team = from_networkx(ring, agents.__getitem__, name="debate", temporal=True, stop=ours.stop, output=majority())
    assert team.nodes == ours.nodes and set(team.edges) == set(ours.edges) and len(team.edges) == len(ours.edges)


def test_an_undirected_graph_may_have_its_entry():
    star = nx.Graph([(START, "a"), ("a", "b"), ("b", "b")])
    team = from_networkx(star, lambda node: Caller(), temporal=True, stop=MaxRounds(2))
    assert team.edges == (
        Edge(START, "a"), Edge("a", "b", "temporal"), Edge("b", "a", "temporal"), Edge("b", "b", "temporal"),
    )  # fmt: skip


def test_some_edges_of_a_cycle_go_to_the_next_round():
    loop = nx.DiGraph([("write", "review"), ("review", "write")])
    team = from_networkx(loop, lambda node: Caller(), temporal=[("review", "write")], stop=MaxRounds(3))
    assert team.edges == (Edge(START, "write"), Edge("write", "review"), Edge("review", "write", "temporal"))


def make(graph, **options):
    return from_networkx(graph, lambda node: Caller(), **options)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: make(nx.DiGraph([(1, 2), (2, 3), (3, 1)])), "'1' -> '2' -> '3' -> '1' is a cycle in one round; fix: "),
        (lambda: make(nx.DiGraph([("a", "a")])), "'a' -> 'a' is a cycle in one round"),
        (lambda: make(nx.Graph([("a", "b")])), "'a' -> 'b' -> 'a' is a cycle in one round"),
        (lambda: make(nx.Graph([("a", "b")]), temporal=True), "no bound on rounds; add | MaxRounds(n)"),
        (lambda: make(nx.DiGraph([("a", "b")]), temporal=[("b", "a")]), "temporal names 'b' -> 'a', which is no edge"),
        (lambda: make(nx.DiGraph([("a", "b", {"kind": "friend"})])), "edge 'a' -> 'b': expected its kind to be"),
        (lambda: from_networkx(nx.path_graph(3, nx.DiGraph)), "no actor for 0, 1, 2; fix: add them to actors"),
        (lambda: from_networkx(nx.path_graph(3, nx.DiGraph), {0: Caller()}), "no actor for 1, 2"),
        (lambda: from_networkx(nx.path_graph(99, nx.DiGraph)), "18, 19 and 79 more; fix"),
        (lambda: make(nx.DiGraph()), "it has no nodes"),
        (lambda: make(nx.DiGraph([("a/b", "c")])), "node name 'a/b'"),
        (lambda: make(nx.DiGraph([(1, 2), ("1", 2)])), "two nodes are called '1'"),
        (lambda: make(nx.DiGraph([(START, "a"), ("b", "c")])), "no path from 'start' to 'b', 'c'"),
        (lambda: make(nx.DiGraph([("a", "b"), ("b", START)])), "edge 'b' -> 'start': no node 'start'"),
    ],
)
def test_what_is_no_team_is_told(made, said):
    with pytest.raises(BadTeam) as caught:
        made()
    assert said in str(caught.value) and "\n" not in str(caught.value)
