"""Which rows meet in an optimiser step, and which process reads them: a pure function of rows and settings.

Every row is read once an epoch. Rows that answer one prompt of a run follow each other, so that a tree can share it;
otherwise the order is random, by seed and epoch. The number of processes does not change the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from random import Random

from orchestra.learning.packing import costs, read
from orchestra.learning.row import IGNORED, Row
from orchestra.learning.settings import Settings


def steps(rows: Sequence[Row], settings: Settings) -> list[list[int]]:
    """Indices of the rows of each step, all epochs; the last step of an epoch may be smaller."""
    siblings: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for index, row in enumerate(rows):
        siblings.setdefault((row.run, _prompt(row)), []).append(index)
    planned: list[list[int]] = []
    for epoch in range(settings.epochs):
        groups = list(siblings.values())
        Random(f"{settings.seed}/{epoch}").shuffle(groups)
        order = [index for group in groups for index in group]
        planned += (order[at : at + settings.batch] for at in range(0, len(order), settings.batch))
    return planned


def share(rows: Sequence[Row], rank: int, processes: int) -> list[int]:
    """Places of the rows that one process reads of a step: a stretch in the order of what they read, of about equal
    cost.

    A stretch may be empty; together they hold every row once.
    """
    ordered = sorted(range(len(rows)), key=lambda place: read(rows[place]))
    ends = list(accumulate(costs([rows[place] for place in ordered])))
    total = max(ends[-1] if ends else 0, 1)
    before = [0, *ends[:-1]]
    return [
        place
        for place, at in zip(ordered, before[: len(ordered)], strict=True)
        if min(at * processes // total, processes - 1) == rank
    ]


def _prompt(row: Row) -> tuple[int, ...]:
    """What stands before the first label."""
    first = next((at for at, label in enumerate(row.labels) if label != IGNORED), len(row.labels))
    return row.input_ids[:first]
