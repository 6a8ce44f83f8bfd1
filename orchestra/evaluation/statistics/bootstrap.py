"""The paired cluster bootstrap: whole clusters of tasks are drawn anew, all columns together.

Efron, Tibshirani (1993), An Introduction to the Bootstrap, ch. 13 (percentile interval); clusters as units: Davison,
Hinkley (1997), ch. 3.8. Columns are systems or their costs on the same tasks: since every draw takes the same tasks for
all of them, what is made of two columns of a draw is paired.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from orchestra.errors import BadInput
from orchestra.evaluation.statistics.interval import Interval

Array = npt.NDArray[np.float64]

DRAWS = 10_000


def resample(
    columns: Array, rng: np.random.Generator, *, clusters: Sequence[Hashable] | None = None, draws: int = DRAWS
) -> Array:
    """Means (draws, m) of columns (n, m), each draw over tasks drawn with replacement; by whole clusters where given.

    Raises BadInput unless every row has its cluster and all is finite.
    """
    columns = np.asarray(columns, float)
    if columns.ndim != 2 or not columns.size or not np.isfinite(columns).all():
        raise BadInput(f"expected finite columns (n, m), n and m >= 1, got shape {columns.shape}; fix: score a task")
    labels = range(len(columns)) if clusters is None else clusters
    if len(labels) != len(columns):
        raise BadInput(f"expected a cluster for each of {len(columns)} tasks, got {len(labels)}; fix: one a task")
    number: dict[Hashable, int] = {}
    place = np.array([number.setdefault(label, len(number)) for label in labels])
    sums = np.zeros((len(number), columns.shape[1] + 1))  # the last column counts tasks
    np.add.at(sums, place, np.column_stack([columns, np.ones(len(columns))]))
    drawn = [_draw(sums, rng, min(1000, draws - start)) for start in range(0, draws, 1000)]  # in blocks, for memory
    return np.concatenate(drawn)


def bootstrap_interval(
    values: Sequence[float],
    rng: np.random.Generator,
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    draws: int = DRAWS,
) -> Interval:
    """The mean with its percentile interval. Of paired differences this is the paired bootstrap."""
    column = np.asarray(values, float).reshape(-1, 1)
    found = resample(column, rng, clusters=clusters, draws=draws)[:, 0]
    low, high = np.quantile(found, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(column.mean()), float(low), float(high))


def _draw(sums: Array, rng: np.random.Generator, draws: int) -> Array:
    """`draws` times as many rows as there are, with replacement: the means of their columns."""
    groups = len(sums)
    drawn = rng.integers(0, groups, (draws, groups)) + groups * np.arange(draws)[:, None]
    times = np.bincount(drawn.ravel(), minlength=draws * groups).reshape(draws, groups)
    totals = times @ sums
    return np.asarray(totals[:, :-1] / totals[:, -1:])
