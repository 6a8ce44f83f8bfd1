"""Two systems on the same tasks: the paired difference, by the test that fits what the scores are.

    cluster_t   tasks come from enough families: cluster-robust t over families
    mcnemar     every task right or wrong: exact McNemar
    sign_flip   scores are fractions, such as means over samples: sign-flip permutation, interval of the paired t

Invariant: what is compared is the same tasks, by id; the test is chosen by the shape of the scores, not by its outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from orchestra.errors import BadInput
from orchestra.evaluation.result import clusters
from orchestra.evaluation.statistics import Difference, clustered_t, mcnemar, paired_t, sign_flip

Test = Literal["cluster_t", "mcnemar", "sign_flip"]


class Comparison(NamedTuple):
    """How much better a is than b on the same tasks."""

    delta: float
    ci_low: float
    ci_high: float
    p: float
    discordant: tuple[int, int]
    """Tasks on which a scored higher, and lower."""
    mde: float
    """Minimum detectable effect: the true delta that a test of this size finds with 80 % power."""
    n: int
    mid_p: float | None
    """Of McNemar's test alone."""
    test: Test
    clusters: int | None
    """Families, where they are clusters."""


def compare(a: Mapping[str, float], b: Mapping[str, float], families: Mapping[str, str]) -> Comparison:
    """Scores of each task under a and b, from 0 to 1; `families` of these tasks. Raises BadInput where tasks differ."""
    if a.keys() != b.keys() or not a:
        raise BadInput(
            f"expected the same tasks of both, got {len(a)} and {len(b)}; fix: compare tasks that they share"
        )
    first, second = list(a.values()), [b[task] for task in a]
    higher = sum(x > y for x, y in zip(first, second, strict=True))
    discordant = higher, sum(x < y for x, y in zip(first, second, strict=True))
    if labels := clusters([families.get(task, "") for task in a]):
        robust = clustered_t(first, second, labels)
        return _of(robust, robust.p, discordant, "cluster_t", len(set(labels)))
    if set(first) | set(second) <= {0.0, 1.0}:
        exact = mcnemar(first, second)
        return Comparison(*exact[:4], exact.discordant, exact.mde, exact.n, exact.mid_p, "mcnemar", None)
    student = paired_t(first, second)
    # The generator is fixed, so that a comparison repeated says the same.
    return _of(student, sign_flip(first, second, np.random.default_rng(0)), discordant, "sign_flip", None)


def _of(found: Difference, p: float, discordant: tuple[int, int], test: Test, groups: int | None) -> Comparison:
    low, high = max(-1.0, found.ci_low), min(1.0, found.ci_high)
    return Comparison(found.delta, low, high, p, discordant, found.mde, found.n, None, test, groups)
