"""Teams as networkx graphs, and networkx graphs as teams.

`to_networkx` keeps everything: actors are node attributes, START is a node, and an edge's key is its number, since the
order of edges is the order of an inbox. `from_networkx` gives the equal team back, and makes one of any other graph
whose nodes are given actors. This module alone imports networkx.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

import networkx as nx  # type: ignore[import-untyped]

from orchestra.engine.actor import Actor
from orchestra.engine.graph import START, Edge, Graph, Node
from orchestra.engine.outputs import Output
from orchestra.engine.stops import Stop
from orchestra.errors import BadTeam
from orchestra.team.team import Team

_OF_NODE: Final = tuple(f.name for f in fields(Node) if f.name != "name")
_OF_EDGE: Final = tuple(f.name for f in fields(Edge) if f.name not in ("src", "dst"))
LISTED: Final = 20
"""Nodes that one message names."""

Actors = Mapping[Any, Actor] | Callable[[Any], Actor]
Pairs = Collection[tuple[Any, Any]]


def to_networkx(team: Graph) -> nx.MultiDiGraph:
    """The team as a graph: name, stop and output on the graph, actor, votes, when and on_error on its nodes, kind and
    carry on its edges. A nested team stays the actor of its node.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator, refiner
    >>> from orchestra.topologies import chain
    >>> model = Scripted([])
    >>> list(to_networkx(chain(generator(model), refiner(model))).edges())
    [('start', 'generator'), ('generator', 'refiner')]
    """
    graph = nx.MultiDiGraph(name=team.name, stop=team.stop, output=team.output)
    graph.add_node(START)
    for node in team.nodes:
        graph.add_node(node.name, **{name: getattr(node, name) for name in _OF_NODE})
    for number, edge in enumerate(team.edges):
        graph.add_edge(edge.src, edge.dst, key=number, **{name: getattr(edge, name) for name in _OF_EDGE})
    return graph


def from_networkx(
    graph: nx.Graph,
    actors: Actors | None = None,
    *,
    name: str | None = None,
    temporal: Pairs | bool = False,
    stop: Stop | None = None,
    output: Output | None = None,
) -> Team:
    """The team that a graph of networkx describes; attributes that a team does not know are left aside.

    A node's actor is what `actors` has or gives for it, or else its attribute. Edges are of the same round, unless
    `temporal` (all, or the pairs named) or their attribute `kind` says that they go to the next; the attribute goes
    before. An undirected edge goes both ways. Where START is no node of the graph, the nodes that nothing of the same
    round leads to are the entries. A name, stop or output not given is read off the graph, or else is a Team's own
    default. Raises BadTeam for a cycle in one round, naming its nodes, and for whatever a Team is refused for.
    """
    arrows = list(_arrows(graph, temporal))
    _check_cycle(arrows)
    fed = {edge.dst for edge in arrows if edge.kind == "spatial"}
    entries = [] if START in graph else [Edge(START, str(node)) for node in graph if str(node) not in fed]
    said: dict[str, Any] = {"stop": stop or graph.graph.get("stop"), "output": output or graph.graph.get("output")}
    return Team(
        name or str(graph.graph.get("name") or "team"),
        _nodes(graph, actors),
        [*entries, *arrows],
        **{key: value for key, value in said.items() if value is not None},
    )


def _nodes(graph: nx.Graph, actors: Actors | None) -> list[Node]:
    found = {node: _actor(node, data, actors) for node, data in graph.nodes(data=True) if node != START}
    if bare := [repr(node) for node, actor in found.items() if actor is None]:
        more = f" and {len(bare) - LISTED} more" if len(bare) > LISTED else ""
        raise BadTeam(
            f"no actor for {', '.join(bare[:LISTED])}{more}; fix: add them to actors, or a node attribute 'actor'"
        )
    others = [name for name in _OF_NODE if name != "actor"]
    return [
        Node(str(node), actor, **{name: graph.nodes[node][name] for name in others if name in graph.nodes[node]})
        for node, actor in found.items()
        if actor is not None
    ]


def _actor(node: Any, data: Mapping[str, Any], actors: Actors | None) -> Actor | None:
    if isinstance(actors, Mapping):
        return actors.get(node, data.get("actor"))
    return data.get("actor") if actors is None else actors(node)


def _arrows(graph: nx.Graph, temporal: Pairs | bool) -> Iterator[Edge]:
    """The edges in their order; both ways of one that has no direction."""
    pairs = list(_pairs(graph))
    late = set() if isinstance(temporal, bool) else set(temporal)
    if unknown := late - {(src, dst) for src, dst, _ in pairs}:
        raise BadTeam(f"temporal names {_path(*min(unknown, key=str))}, which is no edge")
    for src, dst, data in pairs:
        usual = "temporal" if (src, dst) in late or (temporal is True and src != START) else "spatial"
        kind = data.get("kind", usual)
        if kind not in ("spatial", "temporal"):
            raise BadTeam(f"edge {_path(src, dst)}: expected its kind to be 'spatial' or 'temporal', got {kind!r}")
        yield Edge(str(src), str(dst), kind, data.get("carry"))


def _pairs(graph: nx.Graph) -> Iterator[tuple[Any, Any, Mapping[str, Any]]]:
    edges = list(graph.edges(data=True))
    if graph.is_multigraph() and _are_numbers(keys := [key for _, _, key in graph.edges(keys=True)]):
        edges = [edge for _, edge in sorted(zip(keys, edges, strict=True), key=lambda pair: pair[0])]
    for src, dst, data in edges:
        if graph.is_directed():
            yield src, dst, data
        else:
            yield from ((a, b, data) for a, b in dict.fromkeys([(src, dst), (dst, src)]) if b != START)


def _are_numbers(keys: list[Any]) -> bool:
    """Whether keys number all edges of a graph, as `to_networkx` has it; networkx itself numbers those of one pair."""
    return len(set(keys)) == len(keys) and all(type(key) is int for key in keys)


def _check_cycle(arrows: list[Edge]) -> None:
    try:
        cycle = nx.find_cycle(nx.DiGraph((edge.src, edge.dst) for edge in arrows if edge.kind == "spatial"))
    except nx.NetworkXNoCycle:
        return
    path = _path(*(src for src, _ in cycle), cycle[0][0])
    raise BadTeam(
        f"{path} is a cycle in one round; fix: name an edge of it in temporal=[...], or temporal=True for all"
    )


def _path(*nodes: Any) -> str:
    return " -> ".join(repr(str(node)) for node in nodes)
