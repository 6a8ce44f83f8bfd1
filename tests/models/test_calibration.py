"""Calibration error and Brier score: by hand, by a slower derivation, and where the error is known in the limit."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.models.calibration import brier, calibration_error

SURE = [0.9, 0.9, 0.9, 0.9, 0.9]


@pytest.mark.parametrize(
    ("confidences", "right", "bins", "expected"),
    [
        ([1.0, 1.0], [True, True], 15, 0.0),
        ([1.0, 1.0], [False, False], 15, 1.0),
        ([0.5, 0.5], [True, False], 15, 0.0),
        (SURE, [True, True, True, False, False], 15, 0.3),  # one bin, however many there may be
        ([0.6, 0.6, 0.8, 0.8], [True, False, True, True], 2, 0.15),  # (2 x 0.1 + 2 x 0.2) / 4
        ([0.6, 0.6, 0.8, 0.8], [True, False, True, True], 1, 0.05),  # |0.75 - 0.7|: errors of one bin cancel
        ([0.2, 0.4, 0.6, 0.8], [False, True, False, True], 4, 0.4),  # (0.2 + 0.6 + 0.6 + 0.2) / 4
        ([0.2, 0.4, 0.6, 0.8], [False, True, False, True], 2, 0.2),  # |0.5 - 0.3| and |0.5 - 0.7|
    ],
)
def test_known_answers(confidences: list[float], right: list[bool], bins: int, expected: float) -> None:
    assert calibration_error(confidences, right, bins) == pytest.approx(expected)


ANSWERS = st.lists(st.tuples(st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9, 1.0]) | st.floats(0, 1), st.booleans()))


@given(ANSWERS.filter(bool), st.integers(1, 20), st.randoms())
def test_it_agrees_with_bins_that_are_filled_one_by_one(
    answers: list[tuple[float, bool]], bins: int, shuffler: random.Random
) -> None:
    by_bin: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for confidence, hit in answers:
        below, equal = (
            sum(other < confidence for other, _ in answers),
            sum(other == confidence for other, _ in answers),
        )
        middle = Fraction(2 * below + equal, 2 * len(answers))
        by_bin[min(int(middle * bins), bins - 1)].append((confidence, hit))
    gaps = [
        len(held) / len(answers) * abs(sum(h for _, h in held) / len(held) - sum(c for c, _ in held) / len(held))
        for held in by_bin
        if held
    ]
    found = calibration_error(*map(list, zip(*answers, strict=True)), bins)  # type: ignore[arg-type]
    assert found == pytest.approx(sum(gaps), abs=1e-9)
    assert 0.0 <= found <= 1.0
    shuffler.shuffle(answers)
    assert calibration_error(*map(list, zip(*answers, strict=True)), bins) == pytest.approx(found, abs=1e-9)  # type: ignore[arg-type]


@given(st.integers(1, 200), st.integers(1, 20))
def test_bins_of_different_confidences_hold_equally_many(n: int, bins: int) -> None:
    """Seen from outside: an answer's own gap is +-1, so a bin that holds k of them adds at most k / n."""
    confidences = [(i + 1) / (n + 1) for i in range(n)]
    sizes = [sum(int(bins * (i + 0.5) / n) == b for i in range(n)) for b in range(bins)]
    assert max(sizes) - min(sizes) <= 1
    assert calibration_error(confidences, [False] * n, bins) == pytest.approx(sum(confidences) / n)


def test_honest_probabilities_have_a_small_error_and_boasts_a_large_one() -> None:
    """20,000 answers that are right as often as they say, and the same said with more confidence: p -> 1 - (1 - p) / 2,
    whose error is the mean of (1 - p) / 2 = 1/8."""
    rng = random.Random(7)
    honest = [rng.uniform(0.5, 1.0) for _ in range(20_000)]
    right = [rng.random() < p for p in honest]
    assert calibration_error(honest, right) < 0.02
    assert calibration_error([1 - (1 - p) / 2 for p in honest], right) == pytest.approx(1 / 8, abs=0.01)


@pytest.mark.parametrize(
    ("rows", "truths", "expected"),
    [
        ([(1.0, 0.0)], [0], 0.0),
        ([(1.0, 0.0)], [1], 2.0),
        ([(0.5, 0.5)], [1], 0.5),
        ([(0.7, 0.2, 0.1)], [0], 0.09 + 0.04 + 0.01),
        ([(0.7, 0.2, 0.1), (1.0, 0.0, 0.0)], [2, 0], (0.49 + 0.04 + 0.81) / 2),
    ],
)
def test_brier_by_hand(rows: list[tuple[float, ...]], truths: list[int], expected: float) -> None:
    assert brier(rows, truths) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [1.1, -0.1, float("nan")])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(BadInput, match="expected probabilities from 0 to 1"):
        calibration_error([0.5, wrong], [True, True])
    with pytest.raises(BadInput, match="expected probabilities from 0 to 1"):
        brier([(0.5, wrong)], [0])


def test_answers_without_outcomes_are_refused() -> None:
    for right in ([], [True]):
        with pytest.raises(BadInput, match="as many outcomes as answers"):
            calibration_error([0.5] * (2 * len(right)), right)
        with pytest.raises(BadInput, match="as many outcomes as answers"):
            brier([(0.5, 0.5)] * (2 * len(right)), [0] * len(right))
    with pytest.raises(BadInput, match="at least one bin"):
        calibration_error([0.5], [True], 0)
