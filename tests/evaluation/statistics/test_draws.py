"""pass@k, pass^k and maj@k against every subset, in every order."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import all_at_k, majority_at_k, pass_at_k

DRAWN = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.booleans()), min_size=1, max_size=6)


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_any_and_all_of_k_by_going_through_the_subsets(case: tuple[int, int, int]) -> None:
    n, right, k = case
    subsets = list(combinations([True] * right + [False] * (n - right), k))
    assert pass_at_k(n, right, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))
    assert all_at_k(n, right, k) == pytest.approx(sum(map(all, subsets)) / len(subsets))


def voted(order: tuple[tuple[str | None, float], ...]) -> float:
    """The score of the first of the most frequent answers, as the vote of a team has it."""
    answers = [answer for answer, _ in order if answer is not None]
    best = max(answers, key=answers.count, default=None)  # of equals the first
    return next((score for answer, score in order if answer == best and best is not None), 0.0)


@settings(max_examples=60)
@given(DRAWN, st.data())
def test_the_majority_of_k_by_going_through_every_order(drawn: list[tuple[str | None, bool]], data) -> None:
    k = data.draw(st.integers(1, len(drawn)))
    draws = [(answer, float(score)) for answer, score in drawn]
    orders = list(permutations(draws, k))
    expected = Fraction(int(sum(map(voted, orders))), len(orders))
    assert majority_at_k([a for a, _ in draws], [s for _, s in draws], k) == pytest.approx(float(expected))


def test_one_draw_is_the_mean_and_all_draws_the_vote() -> None:
    answers, scores = ["7", "7", "9", None, "9", "9"], [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert majority_at_k(answers, scores, 1) == pytest.approx(2 / 6)
    assert majority_at_k(answers, scores, 6) == 0.0
    assert majority_at_k([None, None], [0.0, 0.0], 2) == 0.0


def test_the_majority_of_five_at_sixty_percent() -> None:
    """Of two answers and draws beyond number it is P(Binomial(5, 0.6) >= 3) = 0.68256."""
    n = 4000
    answers = ["right"] * (n * 6 // 10) + ["wrong"] * (n * 4 // 10)
    scores = [float(answer == "right") for answer in answers]
    assert majority_at_k(answers, scores, 5) == pytest.approx(0.68256, abs=3e-4)


def test_the_estimate_is_unbiased_where_the_plain_one_is_not() -> None:
    """pass@4 of draws right with probability 0.2 is 1 - 0.8^4 = 0.5904; 1 - (1 - c/n)^4 is biased low."""
    rights = np.random.default_rng(0).binomial(8, 0.2, 20_000)
    assert np.mean([pass_at_k(8, c, 4) for c in rights]) == pytest.approx(1 - 0.8**4, abs=0.01)
    assert np.mean([1 - (1 - c / 8) ** 4 for c in rights]) < 0.56


@pytest.mark.parametrize(
    "call",
    [
        lambda: pass_at_k(4, 5, 1),
        lambda: pass_at_k(4, 1, 5),
        lambda: all_at_k(4, 1, 0),
        lambda: majority_at_k(["a"], [1.0, 0.0], 1),
        lambda: majority_at_k(["a"], [1.0], 2),
    ],
)
def test_what_has_no_meaning_is_refused(call: object) -> None:
    with pytest.raises(BadInput, match="expected"):
        call()  # type: ignore[operator]
