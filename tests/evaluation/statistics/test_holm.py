"""Holm's correction against statsmodels, and the chance of any false rejection."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import holm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_it_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    """Each hypothesis is adjusted to the largest Bonferroni p of all sets of hypotheses that it is in."""
    sets = [set(part) for size in range(1, len(p) + 1) for part in combinations(range(len(p)), size)]
    slow = [max(min(1.0, len(part) * min(p[j] for j in part)) for part in sets if i in part) for i in range(len(p))]
    assert holm(p) == pytest.approx(slow)


@pytest.fixture(scope="module")
def multipletests():
    """Of statsmodels, which takes a second to import."""
    return pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is of the extra dev").multipletests


@pytest.mark.slow
@settings(max_examples=10, deadline=None)  # theirs takes long
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_it_is_that_of_statsmodels(p: list[float], multipletests) -> None:
    assert holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]))


def test_any_false_rejection_is_rare_where_uncorrected_it_is_not() -> None:
    drawn = np.random.default_rng(0).random((2000, 8))
    assert np.mean([min(holm(row)) < 0.05 for row in drawn]) < 0.065
    assert np.mean(drawn.min(axis=1) < 0.05) > 0.25


def test_none_and_what_is_no_p() -> None:
    assert holm([]) == []
    with pytest.raises(BadInput, match="from 0 to 1"):
        holm([0.1, float("nan")])
