"""The promotion gate on results made by hand: both outcomes of both tests, and a second derivation of the p value."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.evaluation.gate import better, no_worse
from orchestra.evaluation.result import Item, Result
from orchestra.types import Usage


def result(right: Sequence[bool], said: Sequence[int] | int = 10) -> Result:
    words = [said] * len(right) if isinstance(said, int) else said
    return Result(
        "s",
        "b",
        tuple(
            Item(f"t{i}", f"r{i}", float(r), float(r), True, None, "end", Usage(calls=1, tokens_out=w))
            for i, (r, w) in enumerate(zip(right, words, strict=True))
        ),
    )


def split(gains: int, losses: int, n: int) -> tuple[Result, Result]:
    """A candidate and what stands, which differ on so many tasks."""
    rest = n - gains - losses
    return (
        result([True] * gains + [False] * losses + [True] * rest),
        result([False] * gains + [True] * losses + [True] * rest),
    )


@pytest.mark.parametrize(
    ("gains", "losses", "p", "promoted"),
    [(8, 1, 10 / 512, True), (5, 1, 7 / 64, False), (5, 0, 1 / 32, True), (4, 0, 1 / 16, False)],
)
def test_better_is_a_one_sided_exact_test(gains: int, losses: int, p: float, promoted: bool) -> None:
    decision = better(*split(gains, losses, 20))
    assert decision.p == pytest.approx(p)
    assert decision.promoted is promoted
    assert decision.delta == pytest.approx((gains - losses) / 20)
    assert str(decision).startswith("promoted: " if promoted else "refused: ")


@given(st.integers(0, 12), st.integers(0, 12), st.sampled_from((0.01, 0.05, 0.2)))
def test_better_agrees_with_the_sum_over_the_binomial(gains: int, losses: int, level: float) -> None:
    candidate, standing = split(gains, losses, 30)
    n = gains + losses
    tail = sum(comb(n, k) for k in range(gains, n + 1)) / 2**n
    decision = better(candidate, standing, level=level)
    assert decision.promoted == (tail < level)
    assert not (decision.promoted and better(standing, candidate, level=level).promoted)


def test_saying_less_at_equal_accuracy_is_enough_where_there_are_tasks_enough() -> None:
    right = [True, False] * 100
    assert no_worse(result(right, 5), result(right, 10)).promoted
    assert not no_worse(result(right, 10), result(right, 10)).promoted, "as many words"
    assert not no_worse(result(right[:20], 5), result(right[:20], 10)).promoted, "twenty tasks show no such thing"
    assert no_worse(result(right[:20], 5), result(right[:20], 10), margin=0.3).promoted


def test_saying_less_does_not_pay_for_being_worse() -> None:
    right = [True] * 200
    worse = [False] * 10 + [True] * 190
    decision = no_worse(result(worse, 1), result(right, 10))
    assert not decision.promoted
    assert (decision.accuracy, decision.before, decision.tokens) == (0.95, 1.0, -9.0)


def test_being_better_is_enough_also_with_more_words() -> None:
    assert no_worse(result([True] * 20, 30), result([False] * 20, 10)).promoted


def test_fewer_words_must_be_shown_too() -> None:
    """Half the tasks much shorter and half much longer: the mean is lower, its interval is not."""
    right = [True] * 200
    noisy = [1, 18] * 100
    decision = no_worse(result(right, noisy), result(right, 10))
    assert decision.tokens < 0 < decision.tokens_high
    assert not decision.promoted


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, -1.0])
def test_a_level_that_would_let_anything_through_is_refused(level: float) -> None:
    with pytest.raises(BadInput, match=r"expected a level above 0 and below 0\.5"):
        better(*split(3, 1, 8), level=level)


def test_other_tasks_cannot_be_compared() -> None:
    with pytest.raises(BadInput, match="expected the same tasks"):
        better(result([True] * 4), result([True] * 5))
