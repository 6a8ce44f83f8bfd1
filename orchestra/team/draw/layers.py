"""The nodes of one graph in layers by spatial rank, each layer in an order with few crossings.

An edge that passes a layer has a lane in it, which the edges of one source share.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from orchestra.engine.graph import Graph
from orchestra.errors import BadInput

SWEEPS = 8
LONGEST = 300_000
"""Layers that all spatial edges pass together, at most; a picture of more takes minutes and no viewer opens it."""
START = -1
"""The entry, where nodes go by number."""


class Item(NamedTuple):
    """What takes room in a layer: a node, the entry, or a lane for the edges of a node of an earlier layer."""

    node: int
    layer: int


Layers = list[list[Item]]
Links = Mapping[Item, Sequence[Item]]
"""From each item to those of the next layer that spatial edges lead to, or back to those of the layer before."""


def layers_of(graph: Graph) -> dict[int, int]:
    """The layer of each node: one more than the longest spatial path to it; the entry is in layer 0.

    Raises BadInput for a graph that is too large for a picture.
    """
    plan, layer = graph.plan, {START: 0}
    for node in plan.order:
        before = (layer[plan.source[edge]] for edge in plan.ins[node] if not plan.temporal[edge])
        layer[node] = 1 + max(before, default=0)
    _check_size(graph, layer)
    return layer


def links_of(graph: Graph, layer: Mapping[int, int]) -> dict[Item, list[Item]]:
    """The links of every spatial edge, each link once."""
    plan = graph.plan
    links: dict[Item, dict[Item, None]] = defaultdict(dict)
    for source, target, late in zip(plan.source, plan.target, plan.temporal, strict=True):
        if not late:
            for item, after in pairwise(way_of(source, target, layer)):
                links[item][after] = None
    return {item: list(following) for item, following in links.items()}


def declared(layer: Mapping[int, int], links: Links) -> Layers:
    """Nodes in order of declaration, then lanes."""
    items = {Item(node, at) for node, at in layer.items()} | set(links)
    layers: Layers = [[] for _ in range(1 + max(layer.values()))]
    for item in sorted(items, key=lambda item: (item.layer != layer[item.node], item.node)):
        layers[item.layer].append(item)
    return layers


def ordered(layers: Layers, links: Links) -> Layers:
    """Layers with few crossings: of several barycentre sweeps, there and back, the best; never worse than given."""
    back = turned(links)
    best, fewest, tried = layers, crossings(layers, links), layers
    for sweep in range(SWEEPS):
        if not fewest:
            break
        tried = _swept(tried, back) if sweep % 2 == 0 else _swept(tried[::-1], links)[::-1]
        if (count := crossings(tried, links)) < fewest:
            best, fewest = tried, count
    return best


def crossings(layers: Layers, links: Links) -> int:
    """How many pairs of links between neighbouring layers cross."""
    count = 0
    for here, there in pairwise(layers):
        place = {item: at for at, item in enumerate(there)}
        passed: list[int] = []
        for item in here:
            ends = sorted(place[after] for after in links.get(item, ()))
            count += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return count


def way_of(source: int, target: int, layer: Mapping[int, int]) -> list[Item]:
    """The items that a spatial edge visits."""
    return [*(Item(source, at) for at in range(layer[source], layer[target])), Item(target, layer[target])]


def turned(links: Links) -> Links:
    """The same links from their other ends."""
    back: dict[Item, list[Item]] = defaultdict(list)
    for item, following in links.items():
        for after in following:
            back[after].append(item)
    return back


def mean_of(tied: Sequence[Item], place: Mapping[Item, float], otherwise: float) -> float:
    """The mean place of some items, if there are any."""
    return sum(place[item] for item in tied) / len(tied) if tied else otherwise


def _swept(layers: Layers, neighbours: Links) -> Layers:
    """Each layer after the first sorted by the mean place of what each item is tied to in the layer before."""
    swept = [layers[0]]
    for items in layers[1:]:
        place = {item: at for at, item in enumerate(swept[-1])}
        own = {item: at for at, item in enumerate(items)}
        means = {item: mean_of(neighbours.get(item, ()), place, own[item]) for item in items}
        swept.append(sorted(items, key=means.__getitem__))
    return swept


def _check_size(graph: Graph, layer: Mapping[int, int]) -> None:
    plan = graph.plan
    ends = zip(plan.source, plan.target, plan.temporal, strict=True)
    length = sum(layer[target] - layer[source] for source, target, late in ends if not late)
    if length > LONGEST:
        raise BadInput(
            f"team {graph.name!r} is too large for a picture: its edges pass {length:,} layers, at most {LONGEST:,} "
            "are drawn; fix: the format dot"
        )
