"""Cluster-robust means: tasks of one template or passage stand or fall together, so they count as one.

With G clusters and u_c = sum over the tasks of cluster c of (x_i - mean), the variance of the mean of n tasks is
G / (G - 1) sum_c u_c^2 / n^2 (Liang, Zeger (1986), Biometrika 73, 13, with the correction for few clusters), on G - 1
degrees of freedom. With one task a cluster it is the t interval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from math import fsum, sqrt

from orchestra.errors import BadInput
from orchestra.evaluation.statistics.difference import Difference, check_paired, of_error
from orchestra.evaluation.statistics.interval import Interval, standard_error


def cluster_interval(values: Sequence[float], clusters: Sequence[Hashable], level: float = 0.95) -> Interval:
    """The mean over all values, with an interval that holds where those of one cluster are alike.

    Raises BadInput unless every value has its cluster and there are at least two clusters.

    >>> [round(x, 3) for x in cluster_interval([1, 1, 0, 0, 1, 1], "aabbcc")]
    [0.667, -0.768, 2.101]
    """
    found = clustered_t(values, [0.0] * len(values), clusters, level)
    return Interval(found.delta, found.ci_low, found.ci_high)


def clustered_t(
    a: Sequence[float], b: Sequence[float], clusters: Sequence[Hashable], level: float = 0.95
) -> Difference:
    """The mean of a[i] - b[i] with a cluster-robust interval and test on G - 1 degrees of freedom. Raises as above.

    Promises its level where there are many clusters; below some ten of them it rejects too often.
    """
    check_paired(a, b)
    differences = [x - y for x, y in zip(a, b, strict=True)]
    n, number = len(differences), len(set(clusters))
    if len(clusters) != n or number < 2:
        raise BadInput(
            f"expected a cluster for each of {n} values, and two clusters or more, got {len(clusters)} labels and "
            f"{number} clusters; fix: leave the clusters out"
        )
    mean, _ = standard_error(differences)
    deviations: dict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(differences, clusters, strict=True):
        deviations[cluster].append(value - mean)
    error = sqrt(number / (number - 1) * fsum(fsum(part) ** 2 for part in deviations.values())) / n
    return of_error(mean, error, n, df=number - 1, level=level)
