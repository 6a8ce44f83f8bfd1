"""What k draws are worth, from n >= k draws that were made: exact expectations over all subsets of k.

    pass@k      at least one of k is right: 1 - C(n - c, k) / C(n, k) (Chen et al., arXiv 2107.03374)
    pass^k      all of k are right: C(c, k) / C(n, k) (Yao et al., arXiv 2406.12045)
    maj@k       the most frequent answer of k is right; of answers equally frequent the one drawn first wins

All three are unbiased where the draws are independent. Averaging over random subsets would give the same, with noise.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import comb

from orchestra.errors import BadInput


def pass_at_k(n: int, right: int, k: int) -> float:
    """The chance that k of n draws, `right` of which are right, hold a right one.

    >>> pass_at_k(4, 1, 2)
    0.5
    """
    _check(n, right, k)
    return 1 - comb(n - right, k) / comb(n, k)


def all_at_k(n: int, right: int, k: int) -> float:
    """The chance that k of n draws, `right` of which are right, are all right: pass^k.

    >>> all_at_k(4, 2, 2) == 1 / 6
    True
    """
    _check(n, right, k)
    return comb(right, k) / comb(n, k)


def majority_at_k(answers: Sequence[Hashable | None], scores: Sequence[float], k: int) -> float:
    """The expected score of the majority vote among k of these draws, each with its answer and its score.

    None abstains; where all abstain the score is 0. A class of equal answers is worth the mean score of its draws,
    since its first draw speaks for it and each is as likely to be the first.

    >>> round(majority_at_k(["a", "a", "b"], [1.0, 1.0, 0.0], 2), 4)  # (1 + 1/2 + 1/2) / 3
    0.6667
    """
    if len(answers) != len(scores):
        raise BadInput(f"expected a score for each of {len(answers)} answers, got {len(scores)}; fix: score every draw")
    _check(len(answers), 0, k)
    sizes = Counter(answer for answer in answers if answer is not None)
    worth: dict[Hashable, float] = defaultdict(float)
    for answer, score in zip(answers, scores, strict=True):
        if answer is not None:
            worth[answer] += score / sizes[answer]
    silent = len(answers) - sum(sizes.values())
    table = tuple(sorted(sizes.values()))
    return sum(worth[answer] * _wins(table, silent, size, k) for answer, size in sizes.items() if worth[answer])


@lru_cache(maxsize=65536)
def _wins(sizes: tuple[int, ...], silent: int, size: int, k: int) -> float:
    """The chance that a class of `size` wins the vote among k draws, where classes of all `sizes` and silence compete.

    For each number of votes that it may get, counts the ways in which no other class gets more, by how many get as
    many: of s + 1 such classes each is as likely to have been drawn first.
    """
    others = list(sizes)
    others.remove(size)
    total = 0.0
    for votes in range(1, min(size, k) + 1):
        ways = {(0, 0): 1}  # (draws taken, classes that tie) -> ways
        for other in others:
            after: dict[tuple[int, int], int] = defaultdict(int)
            for (taken, ties), count in ways.items():
                for more in range(min(other, votes, k - votes - taken) + 1):
                    after[taken + more, ties + (more == votes)] += count * comb(other, more)
            ways = after
        mine = comb(size, votes)
        for (taken, ties), count in ways.items():
            total += mine * count * comb(silent, k - votes - taken) / (ties + 1)
    return total / comb(sum(sizes) + silent, k)


def _check(n: int, right: int, k: int) -> None:
    if not (0 <= right <= n and 1 <= k <= n):
        raise BadInput(f"expected 0 <= right <= n and 1 <= k <= n, got n={n}, right={right}, k={k}; fix: more draws")
