"""Accuracy against cost: points with bootstrap bands, the Pareto front, and how surely one system dominates another.

Invariant: every draw of the bootstrap takes the same tasks for all systems, and for accuracy and cost alike, so bands,
front and dominance are paired over tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from orchestra.errors import BadInput
from orchestra.evaluation.result import clusters
from orchestra.evaluation.statistics import Interval, resample
from orchestra.evaluation.statistics.bootstrap import Array


class Track(NamedTuple):
    """A system, or one point of a series, on tasks."""

    name: str
    scores: Mapping[str, float]
    """Task id -> score, 0 to 1."""
    costs: Mapping[str, float]
    """Task id -> what it spent there."""
    series: str = ""
    """Points of one series are joined by a line, such as self-consistency over k."""


class Point(NamedTuple):
    """Where a track stands."""

    name: str
    series: str
    accuracy: Interval
    cost: Interval
    front: bool
    """No other is at least as accurate and no dearer, and better in one of them."""
    on_front: float
    """Share of the bootstrap's draws in which that holds."""


@dataclass(frozen=True, slots=True)
class Curve:
    """All points on the same tasks."""

    points: tuple[Point, ...]
    dominates: Mapping[str, Mapping[str, float]]
    """a -> b -> share of the draws in which a is at least as accurate as b and no dearer; of tracks in no series."""

    def summary(self) -> dict[str, Any]:
        """JSON."""
        points = [
            {**point._asdict(), "accuracy": point.accuracy._asdict(), "cost": point.cost._asdict()}
            for point in self.points
        ]
        return {"points": points, "dominates": {a: dict(b) for a, b in self.dominates.items()}}


def curve(
    tracks: Sequence[Track], families: Mapping[str, str], rng: np.random.Generator, *, draws: int = 10_000
) -> Curve:
    """Points of all tracks, with 95 % percentile bands over tasks, or over families where these are clusters.

    Raises BadInput unless all tracks have the same tasks.
    """
    tasks = list(tracks[0].scores) if tracks else []
    if not tasks or any({*track.scores} != {*tasks} or not {*tasks} <= {*track.costs} for track in tracks):
        raise BadInput("expected tracks over the same tasks, at least one; fix: compare tasks that all share")
    columns = np.array([[side[task] for task in tasks] for track in tracks for side in (track.scores, track.costs)]).T
    drawn = resample(columns, rng, clusters=clusters([families.get(task, "") for task in tasks]), draws=draws)
    seen = columns.mean(axis=0, keepdims=True)
    front, on_front = _front(seen)[0], _front(drawn).mean(axis=0)
    points = tuple(
        Point(
            track.name,
            track.series,
            _band(seen[0, 2 * i], drawn[:, 2 * i]),
            _band(seen[0, 2 * i + 1], drawn[:, 2 * i + 1]),
            bool(front[i]),
            float(on_front[i]),
        )
        for i, track in enumerate(tracks)
    )
    alone = [i for i, track in enumerate(tracks) if not track.series]
    dominates = {
        tracks[i].name: {tracks[j].name: float(_no_worse(drawn, i, j).mean()) for j in alone if j != i} for i in alone
    }
    return Curve(points, dominates)


def _band(mean: float, drawn: Array) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(mean), float(low), float(high))


def _no_worse(drawn: Array, a: int, b: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Of each draw, whether a is at least as accurate as b and no dearer. Columns: accuracy and cost of each track."""
    return np.asarray((drawn[:, 2 * a] >= drawn[:, 2 * b]) & (drawn[:, 2 * a + 1] <= drawn[:, 2 * b + 1]))


def _front(drawn: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(draws, tracks): whether no other track is no worse without being equal."""
    accuracy, cost = drawn[:, 0::2], drawn[:, 1::2]
    kept = np.ones(accuracy.shape, dtype=bool)
    for other in range(accuracy.shape[1]):
        acc, paid = accuracy[:, other : other + 1], cost[:, other : other + 1]
        kept &= ~((acc >= accuracy) & (paid <= cost) & ((acc > accuracy) | (paid < cost)))
    return kept
