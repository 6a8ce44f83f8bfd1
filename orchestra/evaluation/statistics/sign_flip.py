"""The sign-flip permutation test: were a and b alike, each difference could as well have had the other sign.

p is the share of all sign assignments whose sum is at least as far from 0 as the one seen. It assumes no distribution,
and serves where scores are fractions or few. Up to EXACT differences that are not 0 all assignments are gone through;
beyond, `draws` random ones and the one seen are (Phipson, Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9, 39), so that p
is never 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestra.evaluation.statistics.difference import check_paired

EXACT = 20
"""2^20 sums are gone through at once."""
SLACK = 1e-9
"""Relative; sums that are equal on paper count as equal."""


def sign_flip(a: Sequence[float], b: Sequence[float], rng: np.random.Generator, draws: int = 10_000) -> float:
    """Two-sided p of the paired differences a[i] - b[i]; 1.0 where all are 0. Raises BadInput where lengths differ.

    >>> sign_flip([1, 1, 1, 1], [0, 0, 0, 0], np.random.default_rng(0))
    0.125
    """
    check_paired(a, b)
    differences = np.asarray(a, float) - np.asarray(b, float)
    differences = differences[differences != 0]
    seen = abs(differences.sum()) * (1 - SLACK)
    if len(differences) <= EXACT:
        sums = np.zeros(1)
        for value in differences:
            sums = np.concatenate([sums + value, sums - value])
        return float(np.mean(np.abs(sums) >= seen))
    further = 0
    for start in range(0, draws, 1000):  # a block at a time, for memory
        signs = rng.integers(0, 2, (min(1000, draws - start), len(differences)), dtype=np.int8) * 2.0 - 1
        further += int(np.sum(np.abs(signs @ differences) >= seen))
    return (further + 1) / (draws + 1)
