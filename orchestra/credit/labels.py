"""From values to labels: good enough to imitate, not so, or too uncertain to say."""

from __future__ import annotations

from orchestra.credit.credit import Annotation

ROUNDING = 1e-9
"""Two values this close are equal: a mean of means that is one half on paper must not pass as more than that."""


def label(row: Annotation, over: float = 0.5) -> bool | None:
    """MALT's (arXiv 2412.01928): good if the value is strictly over the threshold; None where there is no value.

    >>> label(Annotation(0.5)), label(Annotation(2 / 3)), label(Annotation(None))
    (False, True, None)
    """
    return None if row.value is None else row.value - over > ROUNDING


def confident(row: Annotation, over: float = 0.5, z: float = 1.0) -> bool | None:
    """Good if value - z stderr is over the threshold, not good if value + z stderr is not; else None, and so too where
    the standard error is not known.

    >>> confident(Annotation(0.9, 0.1)), confident(Annotation(0.6, 0.2)), confident(Annotation(0.2, 0.1))
    (True, None, False)
    """
    if row.value is None or row.stderr is None:
        return None
    if row.value - z * row.stderr - over > ROUNDING:
        return True
    return None if row.value + z * row.stderr - over > ROUNDING else False
