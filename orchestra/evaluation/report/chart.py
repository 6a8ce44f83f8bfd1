"""Accuracy against cost as SVG text of our own: a dot with its bands for a system, a line with its band for a series.

Names are escaped and cut; nothing that they hold can add an element. The same curve gives the same text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any, Final, NamedTuple

from orchestra.team.draw.words import plain

WIDTH, HEIGHT = 860.0, 380.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 250.0, 16.0, 48.0
"""Room around the plot; to the right stands the legend."""
COLOURS: Final = ("#0b5cad", "#b3261e", "#1a7f37", "#8250df", "#9a6700", "#0f766e", "#bf3989", "#57606a")
TICKS: Final = 6

Row = Mapping[str, Any]
"""A point of `Curve.summary`."""


class Frame(NamedTuple):
    """What the plot shows: cost and accuracy from 0 to these."""

    cost: float
    accuracy: float

    def x(self, cost: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(cost / self.cost, 1.0)

    def y(self, accuracy: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(accuracy / self.accuracy, 1.0)


def chart(points: Sequence[Row], unit: str = "tokens") -> str:
    """SVG text of the points of a curve."""
    frame = Frame(
        _round_up(max(point["cost"]["ci_high"] for point in points)),
        min(1.0, _round_up(max(point["accuracy"]["ci_high"] for point in points))),
    )
    series: dict[str, list[Row]] = defaultdict(list)
    for point in points:
        series[point["series"] or f"\0{point['name']}"].append(point)
    drawn = [
        line
        for number, (name, found) in enumerate(series.items())
        for line in _entry(frame, number, name.removeprefix("\0"), found)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" class="chart">',
            f"<title>Accuracy against {escape(unit)} a task</title>",
            *_axes(frame, unit),
            *drawn,
            "</svg>",
        ]
    )


def _axes(frame: Frame, unit: str) -> Iterator[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for number in range(TICKS):
        share = number / (TICKS - 1)
        x, y = frame.x(share * frame.cost), frame.y(share * frame.accuracy)
        yield f'<path class="grid" d="M{x:.1f} {TOP:g}V{bottom:g}M{LEFT:g} {y:.1f}H{right:g}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 18:g}" text-anchor="middle">{share * frame.cost:,.4g}</text>'
        yield f'<text x="{LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{100 * share * frame.accuracy:.3g} %</text>'
    middle = (LEFT + right) / 2
    yield f'<text x="{middle:g}" y="{HEIGHT - 8:g}" text-anchor="middle">{escape(unit)} a task</text>'


def _entry(frame: Frame, number: int, name: str, points: Sequence[Row]) -> Iterator[str]:
    """A system or a series: its band, its line, its dots and its line of the legend."""
    colour = COLOURS[number % len(COLOURS)]
    row = TOP + 14 + 20 * number
    yield f'<g fill="{colour}" stroke="{colour}"><title>{escape(plain(name, 80))}</title>'
    if len(points) > 1:
        yield from _line(frame, sorted(points, key=lambda point: float(point["cost"]["mean"])))
    else:
        yield from _arms(frame, points[0])
    for point in points:
        x, y = frame.x(point["cost"]["mean"]), frame.y(point["accuracy"]["mean"])
        hollow = "" if point["front"] else ' class="behind"'
        yield f'<circle{hollow} cx="{x:.1f}" cy="{y:.1f}" r="{4 if len(points) == 1 else 3}"/>'
    front = " (on the front)" if len(points) == 1 and points[0]["front"] else ""
    yield f'<circle cx="{WIDTH - RIGHT + 24:g}" cy="{row - 4:g}" r="4"/></g>'
    yield f'<text x="{WIDTH - RIGHT + 36:g}" y="{row:g}">{escape(plain(name, 20))}{front}</text>'


def _line(frame: Frame, points: Sequence[Row]) -> Iterator[str]:
    at = [frame.x(point["cost"]["mean"]) for point in points]
    means, low, high = ([frame.y(point["accuracy"][end]) for point in points] for end in ("mean", "ci_low", "ci_high"))
    around = [*zip(at, high, strict=True), *reversed(list(zip(at, low, strict=True)))]
    yield f'<polygon class="band" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in around)}"/>'
    yield f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in zip(at, means, strict=True))}"/>'


def _arms(frame: Frame, point: Row) -> Iterator[str]:
    cost, accuracy = point["cost"], point["accuracy"]
    x, y = frame.x(cost["mean"]), frame.y(accuracy["mean"])
    yield f'<path class="arm" d="M{frame.x(cost["ci_low"]):.1f} {y:.1f}H{frame.x(cost["ci_high"]):.1f}'
    yield f'M{x:.1f} {frame.y(accuracy["ci_low"]):.1f}V{frame.y(accuracy["ci_high"]):.1f}"/>'


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten.

    >>> _round_up(1369.4), _round_up(0.36), _round_up(0.0)
    (2000.0, 0.5, 1.0)
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return float(next(step * power for step in (1, 2, 2.5, 5, 10) if ceil(value / power * 1e9) / 1e9 <= step))
