"""A team as an SVG picture: boxes for nodes, hexagons for those that have no vote, a frame for a nested team.

Plain text of our own that any browser shows, on a light or a dark screen; nothing that was said in a run can add an
element to it. The same team gives the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import NamedTuple

from orchestra.engine.graph import START, Graph, Node
from orchestra.team.draw.frames import framed, manners
from orchestra.team.draw.layout import Box, Layout, Point, Route, arranged
from orchestra.team.draw.overlay import Address, Overlay
from orchestra.team.draw.words import caption, columns, counted, notes, plain, troubles

CHARACTER, LINE = 7.3, 16.0
"""Width of a character and height of a line of the font, in pixels."""
PORT = 11.0
"""Least distance between two edges that enter a node, up to PORTS of them."""
PORTS = 8
MARGIN, PAD, TITLE = 24.0, 18.0, 8.0
DENSE = 60
"""Edges from which on they are drawn fainter."""
CORNER = 5.0

_STYLE = """\
text{font:12px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1b1f24}
.page{fill:#fff}.box{fill:#f3f6fa;stroke:#47566b}.frame{fill:none;stroke:#8593a8}.name{font-weight:bold}
.entry,.tip{fill:#47566b}.edge{fill:none;stroke:#47566b;stroke-width:1.2}.temporal{stroke-dasharray:2 4}
.count{font-size:10px;fill:#0b5cad;stroke:#fff;stroke-width:3px;paint-order:stroke}
.trouble{fill:#b3261e}.dense{stroke-opacity:.45}
.silent .box,.silent>.frame,.edge.silent{opacity:.35}.silent>text{opacity:.55}
@media (prefers-color-scheme:dark){text{fill:#e3e8ef}.page{fill:#14181d}.box{fill:#222a34;stroke:#9fb0c6}
.frame{stroke:#71809a}.entry,.tip{fill:#9fb0c6}.edge{stroke:#9fb0c6}.count{fill:#7fb8f5;stroke:#14181d}.trouble{fill:#ff9a90}}"""

_TIP = """\
<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path class="tip" d="M0 0.8L8 4L0 7.2z"/></marker></defs>"""


def svg(graph: Graph, overlay: Overlay | None = None) -> str:
    """The graph as SVG text; with an overlay, what every node did and how many messages every edge carried."""
    team = _sized(graph, overlay, ())
    words = caption(graph, overlay)
    width = max(team.layout.width, *(CHARACTER * columns(line) for line in words)) + 2 * MARGIN
    height = team.layout.height + LINE * len(words) + 3 * MARGIN
    top = team.layout.height + 2 * MARGIN + LINE / 2
    size = f'width="{_n(width)}" height="{_n(height)}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_n(width)} {_n(height)}" role="img">',
            f"<title>{_text(graph.name)}</title>",
            f"<style>\n{_STYLE}\n</style>",
            _TIP,
            f'<rect class="page" {size}/>',
            f'<g transform="translate({_n(MARGIN)} {_n(MARGIN)})">',
            *_drawn(team, overlay),
            "</g>",
            *(_line(MARGIN, top + LINE * at, Line(line, "" if at else "name")) for at, line in enumerate(words)),
            "</svg>",
        ]
    )


class Line(NamedTuple):
    """A line of text and its class in the style sheet."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class _Team:
    """A graph with its layout, and those of the teams within it."""

    graph: Graph
    address: Address
    layout: Layout
    labels: tuple[tuple[Line, ...], ...]
    inner: dict[int, _Team]


def _sized(graph: Graph, overlay: Overlay | None, address: Address) -> _Team:
    labels = tuple(_label(node, (*address, node.name), overlay) for node in graph.nodes)
    inner = {
        number: _sized(team, overlay, (*address, node.name))
        for number, node in enumerate(graph.nodes)
        if (team := framed(node.actor)) is not None
    }
    sizes = [_size(graph, number, labels[number], inner.get(number)) for number in range(len(graph.nodes))]
    return _Team(graph, address, arranged(graph, sizes), labels, inner)


def _label(node: Node, place: Address, overlay: Overlay | None) -> tuple[Line, ...]:
    title = (Line(plain(node.name), "name"), *(Line(plain(manner)) for manner in manners(node.actor)))
    if overlay is None:
        return title
    activity = overlay.activity(place)
    return (*title, *map(Line, notes(activity)), *(Line(line, "trouble") for line in troubles(activity)))


def _size(graph: Graph, number: int, label: Sequence[Line], inner: _Team | None) -> tuple[float, float]:
    width = CHARACTER * max(columns(line.text) for line in label) + 2 * PAD
    height = max(LINE * len(label) + 2 * TITLE, PORT * (1 + min(len(graph.plan.ins[number]), PORTS)))
    if inner is None:
        return width, height
    return max(width, inner.layout.width + 2 * PAD), LINE * len(label) + inner.layout.height + TITLE + 2 * PAD


def _drawn(team: _Team, overlay: Overlay | None) -> Iterator[str]:
    layout, graph = team.layout, team.graph
    x, y, size, _ = layout.entry
    yield f'<circle class="entry" cx="{_n(x + size / 2)}" cy="{_n(y + size / 2)}" r="{_n(size / 2)}"/>'
    for number in range(len(graph.edges)):
        yield _edge(team, number, overlay)
    for number, box in enumerate(layout.boxes):
        yield from _node(team, number, box, overlay)
    if overlay:
        yield from _counts(team, overlay)


def _node(team: _Team, number: int, box: Box, overlay: Overlay | None) -> Iterator[str]:
    node, label, inner = team.graph.nodes[number], team.labels[number], team.inner.get(number)
    silent = overlay is not None and not overlay.activity((*team.address, node.name)).activations
    yield f'<g class="node{" silent" if silent else ""}"><title>{_text(node.name)}</title>'
    yield _hexagon(box) if inner is None and not node.votes else _rectangle(box, "box" if inner is None else "frame")
    top = box.y + TITLE + LINE / 2 if inner else box.y + (box.height - LINE * len(label)) / 2 + LINE / 2
    for at, line in enumerate(label):
        left = box.x + PAD if inner else box.x + box.width / 2
        yield _line(left, top + LINE * at + 4, line, middle=inner is None)
    if inner:
        yield f'<g transform="translate({_n(box.x + PAD)} {_n(box.y + TITLE + LINE * len(label) + PAD)})">'
        yield from _drawn(inner, overlay)
        yield "</g>"
    yield "</g>"


def _rectangle(box: Box, kind: str) -> str:
    x, y, width, height = map(_n, box)
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'


def _hexagon(box: Box) -> str:
    x, y, width, height = box
    cut = PAD / 3
    corners = [(x, y + height / 2), (x + cut, y), (x + width - cut, y)]
    corners += [(2 * x + width - a, 2 * y + height - b) for a, b in corners]
    return f'<polygon class="box" points="{" ".join(f"{_n(a)},{_n(b)}" for a, b in corners)}"/>'


def _edge(team: _Team, number: int, overlay: Overlay | None) -> str:
    edge, route = team.graph.edges[number], team.layout.routes[number]
    count = overlay.count(team.address, number) if overlay else None
    kinds = ["edge", edge.kind]
    kinds += ["dense"] if len(team.graph.edges) > DENSE else []
    kinds += ["silent"] if count == 0 else []
    path = _square(route) if edge.kind == "temporal" else _bent(route)
    said = "" if count is None else f": {counted(count, 'message')}"
    title = f"{'task' if edge.src == START else edge.src} -> {edge.dst}{said}"
    return f'<path class="{" ".join(kinds)}" d="{path}" marker-end="url(#tip)"><title>{_text(title)}</title></path>'


def _counts(team: _Team, overlay: Overlay) -> Iterator[str]:
    """What the edges carried, where each enters its node, if there is room."""
    plan = team.graph.plan
    for number, route in enumerate(team.layout.routes):
        count = overlay.count(team.address, number)
        if count and len(plan.ins[plan.target[number]]) <= PORTS:
            yield _line(route[-1].x - 13, route[-1].y - 3, Line(str(count), "count"), middle=True)


def _bent(route: Route) -> str:
    """Level pieces straight, slopes as curves that begin and end level."""
    parts = [f"M{_n(route[0].x)} {_n(route[0].y)}"]
    for here, there in pairwise(route):
        if here.y == there.y:
            parts.append(f"H{_n(there.x)}")
        else:
            half = _n((here.x + there.x) / 2)
            parts.append(f"C{half} {_n(here.y)} {half} {_n(there.y)} {_n(there.x)} {_n(there.y)}")
    return "".join(parts)


def _square(route: Route) -> str:
    """Straight pieces with rounded corners."""
    parts = [f"M{_n(route[0].x)} {_n(route[0].y)}"]
    for before, corner, after in zip(route, route[1:], route[2:], strict=False):
        near, far = _towards(corner, before), _towards(corner, after)
        parts.append(f"L{_n(near.x)} {_n(near.y)}Q{_n(corner.x)} {_n(corner.y)} {_n(far.x)} {_n(far.y)}")
    parts.append(f"L{_n(route[-1].x)} {_n(route[-1].y)}")
    return "".join(parts)


def _towards(corner: Point, other: Point) -> Point:
    """The point CORNER away from a corner, or halfway where the other end is near."""
    far = max(abs(other.x - corner.x), abs(other.y - corner.y))
    share = min(CORNER / far, 0.5) if far else 0.0
    return Point(corner.x + share * (other.x - corner.x), corner.y + share * (other.y - corner.y))


def _line(x: float, y: float, line: Line, *, middle: bool = False) -> str:
    named = f' class="{line.kind}"' if line.kind else ""
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text{named} x="{_n(x)}" y="{_n(y)}"{anchor}>{_text(line.text)}</text>'


def _text(text: str) -> str:
    return escape(plain(text, 200))


def _n(number: float) -> str:
    """
    >>> _n(2.0), _n(1 / 3)
    ('2', '0.3')
    """
    return f"{round(number, 1):g}"
