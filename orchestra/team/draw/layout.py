"""Where the nodes and edges of one graph stand: layers from left to right, by spatial rank.

No two boxes overlap, and no edge runs through a box: a spatial edge that passes a layer has a lane of its own there,
shared by the edges of its source, and bends only between layers; a temporal one returns below all boxes. The same graph
and sizes give the same numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from orchestra.engine.graph import Graph
from orchestra.team.draw.layers import (
    START,
    Item,
    Layers,
    Links,
    declared,
    layers_of,
    links_of,
    mean_of,
    ordered,
    turned,
    way_of,
)

GAP = 18.0
"""Between boxes of a layer."""
SPACE = 56.0
"""Between layers, beside the tracks of temporal edges."""
TRACK = 7.0
"""From one temporal source's way to the next."""
LANE = 10.0
"""Height of a lane."""
ENTRY = 12.0
"""Size of the entry."""


class Point(NamedTuple):
    x: float
    y: float


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float


Route = tuple[Point, ...]
"""Corners of an edge from its source to its target. On a slope between two of them a spatial edge bends."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes by number of node, routes by number of edge; the top left corner is (0, 0)."""

    width: float
    height: float
    entry: Box
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]


def arranged(graph: Graph, sizes: Sequence[tuple[float, float]]) -> Layout:
    """The layout of a graph whose boxes have these widths and heights, rounded up to whole pixels.

    Raises BadInput for a graph that is too large for a picture.
    """
    sizes = [(ceil(width), ceil(height)) for width, height in sizes]
    layer = layers_of(graph)
    links = links_of(graph, layer)
    layers = ordered(declared(layer, links), links)
    heights = {item: _height(item, layer, sizes) for items in layers for item in items}
    centres = _centres(layers, links, heights)
    bottom = max(centre + heights[item] / 2 for item, centre in centres.items())
    return _Drawing(graph, sizes, layer, layers, centres, bottom).layout()


def spread(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Centres in this order, without overlap, with the least squares of distances from where they are wanted.

    >>> spread([0, 0], [10, 10]), spread([0, 20], [10, 10])
    ([-5.0, 5.0], [0.0, 20.0])
    """
    below = [0.0]
    for upper, lower in pairwise(heights):
        below.append(below[-1] + (upper + lower) / 2)
    blocks: list[tuple[float, int]] = []  # isotonic regression by pooling neighbours that are out of order
    for want, offset in zip(wanted, below, strict=True):
        mean, size = want - offset, 1
        while blocks and blocks[-1][0] >= mean:
            other, more = blocks.pop()
            mean, size = (other * more + mean * size) / (more + size), more + size
        blocks.append((mean, size))
    starts = [mean for mean, size in blocks for _ in range(size)]
    return [start + offset for start, offset in zip(starts, below, strict=True)]


def _height(item: Item, layer: Mapping[int, int], sizes: Sequence[tuple[float, float]]) -> float:
    """With the room above and below it."""
    if item.layer != layer[item.node]:
        return LANE
    return GAP + (ENTRY if item.node == START else sizes[item.node][1])


def _centres(layers: Layers, links: Links, heights: Mapping[Item, float]) -> dict[Item, float]:
    """Heights of the items' centres: each near the mean of those that it is tied to; the topmost item at 0."""
    back = turned(links)
    centre: dict[Item, float] = {}
    for items in layers:
        centre.update(zip(items, spread([0.0] * len(items), [heights[item] for item in items]), strict=True))
    for neighbours, sweep in ((back, layers), (links, layers[::-1]), (back, layers)):
        for items in sweep:
            wanted = [mean_of(neighbours.get(item, ()), centre, centre[item]) for item in items]
            centre.update(zip(items, spread(wanted, [heights[item] for item in items]), strict=True))
    top = min(middle - heights[item] / 2 for item, middle in centre.items())
    return {item: round(middle - top, 1) for item, middle in centre.items()}


class _Drawing:
    """From layers and centres to boxes and routes."""

    def __init__(
        self,
        graph: Graph,
        sizes: Sequence[tuple[float, float]],
        layer: Mapping[int, int],
        layers: Layers,
        centres: Mapping[Item, float],
        bottom: float,
    ) -> None:
        self.plan, self.layer, self.layers, self.centres, self.bottom = graph.plan, layer, layers, centres, bottom
        self.sizes = {START: (ENTRY, ENTRY), **dict(enumerate(sizes))}
        late = [edge for edge, temporal in enumerate(self.plan.temporal) if temporal]
        place = self.plan.place.__getitem__
        self.returning = sorted({self.plan.source[edge] for edge in late}, key=place)
        """Sources of temporal edges; each has a track of its own beside and below the boxes."""
        self.leaving: dict[int, list[int]] = _distinct((layer[self.plan.source[e]], self.plan.source[e]) for e in late)
        self.coming: dict[int, list[int]] = _distinct((layer[self.plan.target[e]], self.plan.source[e]) for e in late)
        self.left, self.right = self._columns()
        self.boxes = {node: self._box(node) for node in layer}

    def layout(self) -> Layout:
        ports = self._ports()
        routes = tuple(
            self._return(edge, ports[edge]) if late else self._forward(edge, ports[edge])
            for edge, late in enumerate(self.plan.temporal)
        )
        width = self.right[-1] + (
            TRACK * (1 + len(self.leaving.get(len(self.layers) - 1, ()))) if self.returning else 0
        )
        height = self.bottom + TRACK * len(self.returning)
        boxes = tuple(self.boxes[node] for node in range(len(self.plan.order)))
        return Layout(width, height, self.boxes[START], boxes, routes)

    def _columns(self) -> tuple[list[float], list[float]]:
        """Left and right side of each layer."""
        left, right, x = [], [], 0.0
        for at, items in enumerate(self.layers):
            x += TRACK * len(self.coming.get(at, ()))
            left.append(x)
            x += max((self.sizes[item.node][0] for item in items if self.layer[item.node] == at), default=0.0)
            right.append(x)
            x += SPACE + TRACK * len(self.leaving.get(at, ()))
        return left, right

    def _box(self, node: int) -> Box:
        at = self.layer[node]
        width, height = self.sizes[node]
        x = (self.left[at] + self.right[at] - width) / 2
        return Box(x, self.centres[Item(node, at)] - height / 2, width, height)

    def _ports(self) -> dict[int, float]:
        """The height at which each edge enters its target: in the order of where they come from, temporal ones last."""
        ports = {}
        for target, edges in enumerate(self.plan.ins):
            box = self.boxes[target]
            coming = sorted(edges, key=lambda edge: (self.plan.temporal[edge], self._last_height(edge), edge))
            step = box.height / (len(edges) + 1)
            ports.update({edge: box.y + step * number for number, edge in enumerate(coming, start=1)})
        return ports

    def _last_height(self, edge: int) -> float:
        return self.centres[self._way(edge)[-2]] if not self.plan.temporal[edge] else 0.0

    def _way(self, edge: int) -> list[Item]:
        return way_of(self.plan.source[edge], self.plan.target[edge], self.layer)

    def _forward(self, edge: int, port: float) -> Route:
        """Level through layers, sloping only between them."""
        first, *lanes, last = self._way(edge)
        box, target = self.boxes[first.node], self.boxes[last.node]
        y = self.centres[first]
        points = [Point(box.x + box.width, y), Point(self.right[first.layer], y)]
        for lane in lanes:
            points += [Point(x, self.centres[lane]) for x in (self.left[lane.layer], self.right[lane.layer])]
        points += [Point(self.left[last.layer], port), Point(target.x, port)]
        return _without_repeats(points)

    def _return(self, edge: int, port: float) -> Route:
        """Out to the right, down, along below all boxes, up and in from the left; all turns are right angles."""
        source, target = self.plan.source[edge], self.plan.target[edge]
        box, end = self.boxes[source], self.boxes[target]
        out = self.right[self.layer[source]] + TRACK * (1 + self.leaving[self.layer[source]].index(source))
        into = self.left[self.layer[target]] - 2 * TRACK - TRACK * self.coming[self.layer[target]].index(source)
        under = self.bottom + TRACK * self.returning.index(source)
        y = box.y + box.height - min(6.0, box.height / 4)
        points = [
            Point(box.x + box.width, y), Point(out, y), Point(out, under), Point(into, under), Point(into, port),
            Point(end.x, port),
        ]  # fmt: skip
        return _without_repeats(points)


def _distinct(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """Layer -> nodes, each once."""
    groups: dict[int, dict[int, None]] = defaultdict(dict)
    for layer, node in pairs:
        groups[layer][node] = None
    return {layer: sorted(nodes) for layer, nodes in groups.items()}


def _without_repeats(points: Sequence[Point]) -> Route:
    return tuple(point for at, point in enumerate(points) if at == 0 or point != points[at - 1])
