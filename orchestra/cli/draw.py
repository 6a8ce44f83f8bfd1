"""`orchestra draw`: a team's graph as text. No model is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from orchestra.cli.options import Team, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.teams import plan
from orchestra.engine.graph import START, Graph
from orchestra.errors import BadInput, UnknownName


@grouped
def draw(
    team: Team,
    options: TeamOptions,
    format: Annotated[str, typer.Option(help="mermaid or dot.")] = "mermaid",
    json: Json = False,
) -> None:
    """Draw a team: solid edges are of the same round, dotted ones go to the next."""
    if format == "svg":
        raise BadInput("--format svg is planned; fix: --format dot, and `dot -Tsvg` of Graphviz")
    if format not in ("mermaid", "dot"):
        raise UnknownName("format", format, ("mermaid", "dot"))
    graph = plan(team, options).sketch()
    text = graph.to_mermaid() if format == "mermaid" else dot(graph)
    result({"format": format, "text": text}, text, json)


def dot(graph: Graph) -> str:
    """The graph in Graphviz's language; a nested team is a cluster, entered and left at its point."""
    return "\n".join(["digraph {", "  rankdir=LR", *_lines(graph, "n", "  "), "}"])


def _lines(graph: Graph, prefix: str, indent: str) -> Iterator[str]:
    ids = {node.name: f"{prefix}_{number}" for number, node in enumerate(graph.nodes)}
    yield f"{indent}{prefix} [shape=point]"
    for node in graph.nodes:
        if isinstance(node.actor, Graph):
            yield f"{indent}subgraph cluster_{ids[node.name]} {{"
            yield f"{indent}  label={_quoted(node.name)}"
            yield from _lines(node.actor, ids[node.name], indent + "  ")
            yield f"{indent}}}"
        else:
            yield f"{indent}{ids[node.name]} [label={_quoted(node.name)}, shape={'box' if node.votes else 'hexagon'}]"
    for edge in graph.edges:
        source = prefix if edge.src == START else ids[edge.src]
        yield f"{indent}{source} -> {ids[edge.dst]}{' [style=dotted]' if edge.kind == 'temporal' else ''}"


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def register(app: typer.Typer) -> None:
    app.command()(draw)
