"""Drawings of a team. Each is text, and needs nothing but this file."""

from __future__ import annotations

from collections.abc import Iterator

from orchestra.engine.graph import START, Graph


def mermaid(graph: Graph) -> str:
    """Solid arrows are spatial edges, dotted ones temporal; a nested team is a box of its own.

    Names are quoted, so that no name can end a label and write a line of its own.
    """
    return "\n".join(["flowchart LR", *_mermaid_lines(graph, "", "  ")])


def _mermaid_lines(graph: Graph, prefix: str, indent: str) -> Iterator[str]:
    ids = {node.name: f"{prefix}n{i}" for i, node in enumerate(graph.nodes)}
    yield f"{indent}{prefix}in(( ))"
    for node in graph.nodes:
        if isinstance(node.actor, Graph):
            yield f'{indent}subgraph {ids[node.name]} ["{_label(node.name)}"]'
            yield from _mermaid_lines(node.actor, ids[node.name] + "_", indent + "  ")
            yield f"{indent}end"
        else:
            left, right = ("[", "]") if node.votes else ("{{", "}}")
            yield f'{indent}{ids[node.name]}{left}"{_label(node.name)}"{right}'
    for edge in graph.edges:
        source = f"{prefix}in" if edge.src == START else ids[edge.src]
        yield f"{indent}{source} {'-.->' if edge.kind == 'temporal' else '-->'} {ids[edge.dst]}"


def _label(name: str) -> str:
    return name.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def dot(graph: Graph) -> str:
    """The graph in Graphviz's language; a nested team is a cluster, entered and left at its point."""
    return "\n".join(["digraph {", "  rankdir=LR", *_dot_lines(graph, "n", "  "), "}"])


def _dot_lines(graph: Graph, prefix: str, indent: str) -> Iterator[str]:
    ids = {node.name: f"{prefix}_{number}" for number, node in enumerate(graph.nodes)}
    yield f"{indent}{prefix} [shape=point]"
    for node in graph.nodes:
        if isinstance(node.actor, Graph):
            yield f"{indent}subgraph cluster_{ids[node.name]} {{"
            yield f"{indent}  label={_quoted(node.name)}"
            yield from _dot_lines(node.actor, ids[node.name], indent + "  ")
            yield f"{indent}}}"
        else:
            yield f"{indent}{ids[node.name]} [label={_quoted(node.name)}, shape={'box' if node.votes else 'hexagon'}]"
    for edge in graph.edges:
        source = prefix if edge.src == START else ids[edge.src]
        yield f"{indent}{source} -> {ids[edge.dst]}{' [style=dotted]' if edge.kind == 'temporal' else ''}"


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
