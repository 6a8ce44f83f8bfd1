"""Holm's step-down correction of several tests (Holm (1979), Scand. J. Stat. 6, 65): the chance that any true null
hypothesis among them is rejected stays below the level, however they depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestra.errors import BadInput


def holm(p: Sequence[float]) -> list[float]:
    """The adjusted p of each test, in the order given: reject where it is below the level.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    if not all(0 <= value <= 1 for value in p):
        raise BadInput(
            f"expected values of p from 0 to 1, got {list(p)[:5]!r}; fix: leave out tests that were not made"
        )
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = highest
    return adjusted
