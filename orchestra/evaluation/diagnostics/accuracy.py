"""The interval of an accuracy over tasks: Wilson's where each is right or wrong, else Student's."""

from __future__ import annotations

from collections.abc import Sequence

from orchestra.evaluation.statistics import Interval, mean_interval, wilson


def accuracy(scores: Sequence[float]) -> Interval:
    """The mean of scores from 0 to 1, one a task.

    >>> accuracy([1.0, 0.0, 0.0]).ci_low > 0, accuracy([0.5, 0.0, 0.25]).mean
    (True, 0.25)
    """
    if {*scores} <= {0.0, 1.0}:
        return wilson(round(sum(scores)), len(scores))
    return mean_interval(scores)
