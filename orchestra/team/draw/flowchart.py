"""A team as a Mermaid flowchart. Solid arrows are spatial edges, dotted ones temporal; a nested team is a box.

Every label is quoted and its signs are written as entities, so that none can end it and write a line of its own.
"""

from __future__ import annotations

from orchestra.engine.graph import START, Graph, Node
from orchestra.team.draw.frames import framed
from orchestra.team.draw.overlay import Address, Overlay
from orchestra.team.draw.words import label, plain

_ENTITIES = {"&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;", "#": "#35;", "%": "#37;", "`": "#96;", "\\": "#92;"}
"""Percent signs too: a label with %%{init}%% would be read as a directive wherever it stands."""


def mermaid(graph: Graph, overlay: Overlay | None = None) -> str:
    """The graph as Mermaid text; with an overlay, what every node did and how many messages every edge carried."""
    chart = _Chart(overlay)
    chart.team(graph, (), "", "  ")
    return "\n".join(["flowchart LR", *chart.lines, *chart.silence()])


class _Chart:
    """Lines of a flowchart; edges are counted, since their style goes by number."""

    def __init__(self, overlay: Overlay | None) -> None:
        self.overlay = overlay
        self.lines: list[str] = []
        self.silent_nodes: list[str] = []
        self.silent_edges: list[str] = []
        self._edges = 0

    def team(self, graph: Graph, address: Address, prefix: str, indent: str) -> None:
        ids = {node.name: f"{prefix}n{i}" for i, node in enumerate(graph.nodes)}
        self.lines.append(f"{indent}{prefix}in(( ))")
        for node in graph.nodes:
            place, id = (*address, node.name), ids[node.name]
            if self.overlay and not self.overlay.activity(place).activations:
                self.silent_nodes.append(id)
            if (inner := framed(node.actor)) is not None:
                self.lines.append(f'{indent}subgraph {id} ["{self._label(node, place)}"]')
                self.team(inner, place, f"{id}_", indent + "  ")
                self.lines.append(f"{indent}end")
            else:
                left, right = ("[", "]") if node.votes else ("{{", "}}")
                self.lines.append(f'{indent}{id}{left}"{self._label(node, place)}"{right}')
        for number, edge in enumerate(graph.edges):
            source = f"{prefix}in" if edge.src == START else ids[edge.src]
            arrow = "-.->" if edge.kind == "temporal" else "-->"
            self.lines.append(f"{indent}{source} {arrow}{self._count(address, number)} {ids[edge.dst]}")

    def silence(self) -> list[str]:
        """Style of what the run never used."""
        lines = []
        if self.silent_nodes:
            lines += [
                "  classDef silent fill:none,stroke:#999,color:#999",
                f"  class {','.join(self.silent_nodes)} silent",
            ]
        if self.silent_edges:
            lines.append(f"  linkStyle {','.join(self.silent_edges)} stroke:#999,opacity:0.5")
        return lines

    def _label(self, node: Node, place: Address) -> str:
        lines = label(node, self.overlay.activity(place) if self.overlay else None)
        return "<br/>".join("".join(_ENTITIES.get(c, c) for c in plain(line, 80)) for line in lines)

    def _count(self, address: Address, edge: int) -> str:
        number, self._edges = self._edges, self._edges + 1
        if self.overlay is None:
            return ""
        if count := self.overlay.count(address, edge):
            return f"|{count}|"
        self.silent_edges.append(str(number))
        return ""
