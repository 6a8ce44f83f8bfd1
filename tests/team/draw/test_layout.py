"""Where things stand: a chain by hand, and of any graph no box on a box and no edge through one."""

from itertools import combinations, pairwise

import pytest
from drawn_teams import teams
from hypothesis import given, settings
from hypothesis import strategies as st
from small_teams import Caller

from orchestra.engine import START, Edge, MaxRounds, Node
from orchestra.errors import BadInput
from orchestra.team import Team
from orchestra.team.draw import layers
from orchestra.team.draw.layers import Item
from orchestra.team.draw.layout import Box, Point, arranged, spread

SIZES = st.lists(st.tuples(st.floats(20, 300), st.floats(20, 200)), min_size=8, max_size=8)


def graph(names, edges, **options):
    return Team("t", [Node(name, Caller()) for name in names], [Edge(START, names[0]), *edges], **options)


def test_a_chain_by_hand():
    """Layers stand 56 apart; the edge that passes the second box has a lane of 10 there, and both bend around it."""
    chain = graph("abc", [Edge("a", "b"), Edge("a", "c"), Edge("b", "c")])
    made = arranged(chain, [(100, 40)] * 3)
    assert made.entry == (0, 40, 12, 12)
    assert made.boxes == ((68, 26, 100, 40), (224, 9, 100, 40), (380, 26, 100, 40))
    assert made.routes[:2] == (((12, 46), (68, 46)), ((168, 46), (224, 29)))
    assert made.routes[2] == ((168, 46), (224, 63), (324, 63), (380, pytest.approx(26 + 80 / 3)))
    assert made.routes[3] == ((324, 29), (380, pytest.approx(26 + 40 / 3)))
    assert (made.width, made.height) == (480, 75)


def test_a_temporal_edge_returns_below():
    pair = graph("ab", [Edge("a", "b"), Edge("b", "a", "temporal")], stop=MaxRounds(2))
    made = arranged(pair, [(100, 40)] * 2)
    a, b = made.boxes
    out, down, along, up, into, end = made.routes[2]
    assert out == (b.x + b.width, b.y + b.height - 6) and end.x == a.x
    assert along.y == up.y > b.y + b.height and down.x == along.x > out.x and up.x == into.x < a.x


@settings(max_examples=300)
@given(teams(depth=0, most=8), SIZES)
def test_no_box_on_a_box_and_no_edge_through_a_box(team, sizes):
    made = arranged(team, sizes[: len(team.nodes)])
    everything = (made.entry, *made.boxes)
    assert not any(overlap(a, b) for a, b in combinations(everything, 2))
    for box in everything:
        assert box.x >= 0 and box.x + box.width <= made.width and box.y >= 0 and box.y + box.height <= made.height
    for route, late in zip(made.routes, team.plan.temporal, strict=True):
        assert not any(overlap(around(piece), box) for piece in pairwise(route) for box in everything)
        assert all(-0.1 <= x <= made.width + 0.1 and -0.1 <= y <= made.height + 0.1 for x, y in route)
        assert not late or all(a.x == b.x or a.y == b.y for a, b in pairwise(route))
    assert made == arranged(team, sizes[: len(team.nodes)])


def test_control_a_straight_line_would_run_through_a_box():
    row = graph("abc", [Edge("a", "b"), Edge("b", "c")])
    a, b, c = arranged(row, [(100, 40)] * 3).boxes
    straight = Point(a.x + a.width, a.y + 20), Point(c.x, c.y + 20)
    assert overlap(around(straight), b) and overlap(b, Box(b.x + 5, b.y + 5, 1, 1))


@settings(max_examples=100)
@given(teams(depth=0, most=8))
def test_sorting_layers_never_adds_crossings(team):
    layer = layers.layers_of(team)
    links = layers.links_of(team, layer)
    declared = layers.declared(layer, links)
    ordered = layers.ordered(declared, links)
    assert [set(items) for items in ordered] == [set(items) for items in declared]
    assert crossed(declared, links) == layers.crossings(declared, links)
    assert layers.crossings(ordered, links) <= layers.crossings(declared, links)


def test_what_is_too_large_for_a_picture_is_refused():
    names = [f"n{i}" for i in range(130)]
    dense = graph(names, [Edge(a, b) for i, b in enumerate(names) for a in names[:i]])
    with pytest.raises(BadInput, match="edges pass 366,146 layers, at most 300,000 are drawn; fix: the format dot"):
        arranged(dense, [(100, 40)] * 130)


def test_crossings_that_can_be_undone_are_undone():
    a, b, c, d = Item(0, 0), Item(1, 0), Item(2, 1), Item(3, 1)
    links = {a: [d], b: [c]}
    assert layers.crossings([[a, b], [c, d]], links) == 1
    assert layers.crossings(layers.ordered([[a, b], [c, d]], links), links) == 0


@given(st.lists(st.tuples(st.floats(-99, 99), st.floats(1, 50), st.floats(-99, 99)), min_size=1, max_size=7))
def test_centres_are_the_nearest_that_fit(rows):
    wanted, heights, other = zip(*rows, strict=True)
    best = spread(wanted, heights)
    room = [(a + b) / 2 for a, b in pairwise(heights)]
    assert all(b - a >= need - 1e-6 for (a, b), need in zip(pairwise(best), room, strict=True))
    fitting = [other[0]]
    for place, need in zip(other[1:], room, strict=True):
        fitting.append(max(place, fitting[-1] + need))
    for share in (0.01, 0.5, 1.0):  # every way from here to another that fits leads uphill
        mixed = [(1 - share) * a + share * b for a, b in zip(best, fitting, strict=True)]
        assert distance(best, wanted) <= distance(mixed, wanted) + 1e-6


def distance(places, wanted):
    return sum((a - b) ** 2 for a, b in zip(places, wanted, strict=True))


def crossed(items, links):
    """The slow way: every pair of links."""
    count = 0
    for here, there in pairwise(items):
        pairs = [(here.index(a), there.index(b)) for a in here for b in links.get(a, ())]
        count += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(pairs, 2))
    return count


def around(piece):
    """The box that a piece of a route stays in, bent or not."""
    (x, y), (u, v) = piece
    return Box(min(x, u), min(y, v), abs(u - x), abs(v - y))


def overlap(a, b):
    """Whether two boxes share more than a border, rounding aside."""
    wide = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    high = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    flat = min(a.width, a.height, b.width, b.height) == 0
    return (wide > 0.2 and high > 0.2) if not flat else _pierced(a, b)


def _pierced(line, box):
    """Whether a level or upright line runs inside a box."""
    return (
        line.x + line.width > box.x + 0.2 and line.x < box.x + box.width - 0.2
        and line.y + line.height > box.y + 0.2 and line.y < box.y + box.height - 0.2
    )  # fmt: skip
