"""MacNet: the networks by hand and by networkx, artefacts alone on the edges, and tokens that grow with the edges."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.engine import Edge
from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, reviewer, solver
from orchestra.topologies import macnet, solo
from orchestra.topologies.macnet import network

KINDS = ("chain", "star", "tree", "mesh", "layered", "random")


def made(n, kind="chain", say=lambda r: "It took long. The answer is 4.", judge=lambda r: "[Agree]", **options):
    actors, critics = Scripted(say), Scripted(judge)
    agents = [solver(actors, name=f"v{i}") for i in range(n)]
    return macnet(agents, reviewer(critics), kind=kind, **options), actors, critics


def go(team, **options):
    return asyncio.run(team.run("q", **options))


def told(result, node):
    return [d.request.messages[-1][1] for d in result.decisions if d.path == f"macnet/{node}"]


@pytest.mark.parametrize(
    ("kind", "n", "links"),
    [
        ("chain", 4, "01 12 23"),
        ("star", 4, "01 02 03"),
        ("tree", 7, "01 02 13 14 25 26"),
        ("mesh", 4, "01 02 12 03 13 23"),
        ("layered", 2, "01"),
        ("layered", 4, "02 12 03 13"),
        ("layered", 8, "03 13 23 04 14 24 05 15 25 36 46 56 37 47 57"),
    ],
)
def test_networks_by_hand(kind, n, links):
    found = network(n, kind)
    assert [f"{a}{b}" for a, b in found] == sorted(links.split(), key=lambda link: link[::-1])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 16, 31, 64])
def test_networks_by_networkx(n):
    """A second derivation, and the number of layers of the public code, int(log2 n)."""
    made = {kind: nx.DiGraph(network(n, kind)) for kind in KINDS}
    for graph in made.values():
        graph.add_nodes_from(range(n))
        assert nx.is_directed_acyclic_graph(graph) and all(a < b for a, b in graph.edges)
    assert nx.utils.graphs_equal(made["chain"], nx.path_graph(n, nx.DiGraph))
    assert set(made["star"].edges) == {(0, i) for i in range(1, n)}
    assert set(made["mesh"].edges) == set(nx.complete_graph(n).edges)
    assert n == 1 or nx.is_arborescence(made["tree"])
    assert max(d for _, d in made["tree"].out_degree) <= 2
    layers = list(nx.topological_generations(made["layered"]))
    assert len(layers) == max(min(2, n), n.bit_length() - 1)
    assert max(map(len, layers)) - min(map(len, layers)) <= 1
    assert made["layered"].number_of_edges() == sum(len(a) * len(b) for a, b in pairwise(layers))
    assert n == 1 or nx.is_weakly_connected(made["random"])


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 30), density=st.floats(0, 1), seed=st.integers(0, 10**6))
def test_a_random_network_is_connected_and_the_same_again(n, density, seed):
    found = network(n, "random", density, seed)
    assert found == network(n, "random", density, seed)
    assert {b for _, b in found} == set(range(1, n)) and all(a < b for a, b in found)
    if density in (0, 1):
        assert len(found) == (n - 1 if density == 0 else n * (n - 1) // 2)


def test_the_density_of_random_networks_is_what_was_asked_for():
    """Of 780 pairs 39 are sure and the others have the density: within 4 standard errors. Other seeds are others."""
    for density in (0.3, 0.7):
        counts = [len(network(40, "random", density, seed)) for seed in range(20)]
        assert abs(sum(counts) / 20 - 39 - 741 * density) < 4 * (741 * density * (1 - density) / 20) ** 0.5
    assert len({tuple(network(40, "random", 0.5, seed)) for seed in range(20)}) == 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_calls_are_actors_and_edges(kind, n):
    team, actors, critics = made(n, kind)
    result = go(team)
    assert (len(actors.calls), len(critics.calls)) == (n, len(network(n, kind))) and result.answer == "4"
    assert result.usage.calls == n + len(network(n, kind)) and result.stopped_by == "done"


def test_only_the_artefact_travels_with_its_critique():
    words = iter(["First thoughts. The answer is 3.", "Second thoughts. The answer is 4.", "The answer is 5."])
    team, _, _ = made(3, "mesh", lambda r: next(words), lambda r: f"Of {r.messages[-1][1].split()[2]}: [Disagree]")
    result = go(team)
    assert told(result, "v0") == ["q"]
    assert told(result, "v1") == ["q\nv0: 3\nv0>v1: Of 3: [Disagree]\nUse this and give your answer."]
    assert told(result, "v2") == [
        "q\nv0: 3\nv0>v2: Of 3: [Disagree]\nv1: 4\nv1>v2: Of 4: [Disagree]\nUse this and give your answer."
    ]
    assert told(result, "v1>v2")[0].startswith("q\nProposed: 4\n") and result.answer == "5"


def test_without_an_artefact_nothing_travels_and_the_latest_one_stands():
    words = iter(["The answer is 3.", "I cannot tell.", "The answer is 5."])
    team, actors, critics = made(3, "chain", lambda r: next(words))
    result = go(team)
    assert (result.answer, len(actors.calls), len(critics.calls)) == ("3", 2, 1)


def test_the_last_actors_vote_and_no_other():
    """A star of 6: the hub says 1, three leaves 2, two leaves 3."""
    words = iter("122233")
    result = go(made(6, "star", lambda r: next(words))[0])
    assert result.answer == "2"


def tokens(team):
    return go(team).usage.tokens_in


def echo(request):
    """All that it was shown, and an answer."""
    return f"{request.messages[-1][1].replace('answer', '')} The answer is 4."


def chained(n):
    return made(n, "chain", echo)[0]


def with_all_words(team):
    """The control: edges that carry what was said."""
    return replace(team, edges=[Edge(e.src, e.dst, e.kind) for e in team.edges])


def test_tokens_grow_with_the_edges_and_not_with_the_paths():
    """In a chain each edge adds the same; with all words on the edges each adds twice what the one before it did."""
    bare = [tokens(chained(n)) for n in range(2, 10)]
    assert len({b - a for a, b in pairwise(bare)}) == 1
    full = [tokens(with_all_words(chained(n))) for n in range(2, 10)]
    steps = [b - a for a, b in pairwise(full)]
    assert all(b > a for a, b in pairwise(steps)) and full[-1] > 2 * bare[-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 6, 12])
def test_tokens_are_a_linear_function_of_actors_and_edges(kind, n):
    """Words that an actor reads: the task, 1, and 6 more to ask it if it hears anybody; of each edge `v0: 4` and
    `v0>v1: [Agree]`. A critic reads 1 + `Proposed: 4` + 11."""
    team, _, _ = made(n, kind)
    edges, usage = network(n, kind), go(team).usage
    hearing = len({b for _, b in edges})
    assert usage.tokens_in == n + 6 * hearing + len(edges) * (4 + 14)
    assert usage.tokens_out == 7 * n + len(edges)


def test_one_agent_is_solo():
    one = go(macnet([generator(Scripted(["4"]))], reviewer(Scripted([]))))
    alone = go(solo(generator(Scripted(["4"]))))
    assert (one.answer, one.usage, one.stopped_by) == (alone.answer, alone.usage, alone.stopped_by)


def test_independent_actors_fly_together():
    flying, most = [0], [0]

    class Watched(Scripted):
        async def generate(self, requests):
            flying[0] += 1
            most[0] = max(most[0], flying[0])
            await asyncio.sleep(0.002)
            flying[0] -= 1
            return await super().generate(requests)

    model = Watched(lambda r: "4")
    go(macnet([solver(model, name=f"v{i}") for i in range(5)], reviewer(Scripted(lambda r: "yes")), kind="star"))
    assert most[0] == 4


@pytest.mark.parametrize(
    ("n", "options"), [(0, {}), (3, {"kind": "ring"}), (3, {"kind": "random", "density": 1.5}), (3, {"density": -1})]
)
def test_what_cannot_be_meant_is_refused(n, options):
    with pytest.raises(BadInput, match="expected at least one agent, one of chain, star"):
        made(n, **options)
