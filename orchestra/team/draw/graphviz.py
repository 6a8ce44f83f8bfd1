"""A team in Graphviz's language. A nested team is a cluster, entered and left at its point. Labels are quoted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestra.engine.graph import START, Edge, Graph, Node
from orchestra.team.draw.frames import framed
from orchestra.team.draw.overlay import Address, Overlay
from orchestra.team.draw.words import label, plain

_GREY = ("color=gray60", "fontcolor=gray60")


def dot(graph: Graph, overlay: Overlay | None = None) -> str:
    """The graph as DOT text; with an overlay, what every node did and how many messages every edge carried."""
    return "\n".join(["digraph {", "  rankdir=LR", *_team(graph, overlay, (), "n", "  "), "}"])


def _team(graph: Graph, overlay: Overlay | None, address: Address, prefix: str, indent: str) -> Iterator[str]:
    ids = {node.name: f"{prefix}_{number}" for number, node in enumerate(graph.nodes)}
    yield f"{indent}{prefix} [shape=point]"
    for node in graph.nodes:
        place, id = (*address, node.name), ids[node.name]
        grey = _GREY if overlay and not overlay.activity(place).activations else ()
        if (inner := framed(node.actor)) is not None:
            yield f"{indent}subgraph cluster_{id} {{"
            yield from (f"{indent}  {attribute}" for attribute in (f"label={_label(node, place, overlay)}", *grey))
            yield from _team(inner, overlay, place, id, indent + "  ")
            yield f"{indent}}}"
        else:
            shape = f"shape={'box' if node.votes else 'hexagon'}"
            yield f"{indent}{id} [{', '.join((f'label={_label(node, place, overlay)}', shape, *grey))}]"
    for number, edge in enumerate(graph.edges):
        source = prefix if edge.src == START else ids[edge.src]
        count = overlay.count(address, number) if overlay else None
        yield f"{indent}{source} -> {ids[edge.dst]}{_attributes(_edge(edge, count))}"


def _edge(edge: Edge, count: int | None) -> list[str]:
    dotted = ["style=dotted"] if edge.kind == "temporal" else []
    if count is None:
        return dotted
    return [*dotted, f'label="{count}"'] if count else [*dotted, _GREY[0]]


def _attributes(attributes: Sequence[str]) -> str:
    return f" [{', '.join(attributes)}]" if attributes else ""


def _label(node: Node, place: Address, overlay: Overlay | None) -> str:
    lines = label(node, overlay.activity(place) if overlay else None)
    return '"' + r"\n".join(plain(line, 80).replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'
