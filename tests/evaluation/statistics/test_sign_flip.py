"""The sign-flip test against SciPy's permutation test, and its level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import mcnemar, sign_flip

FRACTIONS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=9)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@settings(max_examples=40)
@given(FRACTIONS)
def test_few_differences_are_gone_through_as_scipy_does(pairs: list[tuple[int, int]]) -> None:
    a, b = [x / 4 for x, _ in pairs], [y / 4 for _, y in pairs]
    differences = np.array(a) - np.array(b)
    theirs = stats.permutation_test(
        (differences,), lambda x, axis: np.sum(x, axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(a, b, rng()) == pytest.approx(theirs.pvalue)


def test_of_right_and_wrong_it_is_mcnemar() -> None:
    a, b = [1.0] * 9 + [0.0] * 2 + [1.0] * 30, [0.0] * 9 + [1.0] * 2 + [1.0] * 30
    assert sign_flip(a, b, rng()) == pytest.approx(mcnemar(a, b).p)


def test_many_are_drawn_and_agree_with_the_exact_test() -> None:
    a, b = [1.0] * 22 + [0.0] * 9, [0.0] * 22 + [1.0] * 9
    drawn = sign_flip(a, b, rng())
    assert drawn == pytest.approx(mcnemar(a, b).p, rel=0.2)
    assert drawn == sign_flip(a, b, rng())
    assert sign_flip([1.0] * 40, [0.0] * 40, rng(), draws=999) == 1 / 1000  # never 0


def test_a_true_null_is_rejected_in_five_of_a_hundred_at_most() -> None:
    draws = np.random.default_rng(1).integers(-2, 3, (300, 12)) / 4
    share = np.mean([sign_flip(row, np.zeros(12), rng()) < 0.05 for row in draws])
    assert share <= 0.08
    shifted = np.mean([sign_flip(row + 0.5, np.zeros(12), rng()) < 0.05 for row in draws])
    assert shifted > 0.9


def test_nothing_differs_and_nothing_given() -> None:
    assert sign_flip([0.5, 0.5], [0.5, 0.5], rng()) == 1.0
    with pytest.raises(BadInput, match="expected as many"):
        sign_flip([1.0], [], rng())
