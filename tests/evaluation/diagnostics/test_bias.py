"""The runs test against every order there is, and series that are biased by construction."""

import random
from itertools import pairwise, product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.evaluation.diagnostics import order_effect, recency, together
from orchestra.evaluation.diagnostics.bias import run_counts
from orchestra.evaluation.statistics import mcnemar


def runs(series):
    return 1 + sum(a != b for a, b in pairwise(series))


@pytest.mark.parametrize("n", range(1, 11))
def test_exact_p_against_all_orders(n):
    """A slower way: every series with as many of each is equally likely."""
    everything = list(product([False, True], repeat=n))
    for series in everything[:: max(1, len(everything) // 64)]:
        same = [runs(other) for other in everything if sum(other) == sum(series)]
        found = recency(series)
        counts = {r: same.count(r) for r in set(same)}
        assert found.expected == pytest.approx(sum(same) / len(same))
        assert found.p_more == pytest.approx(sum(r >= runs(series) for r in same) / len(same))
        assert found.p == pytest.approx(sum(c for c in counts.values() if c <= counts[runs(series)]) / len(same))


@given(st.integers(0, 40), st.integers(0, 40))
def test_every_order_is_counted_once(a, b):
    assert sum(run_counts(a, b).values()) == comb(a + b, a)


def test_gamblers_fallacy_is_found_and_true_randomness_is_not():
    """Series that repeat a choice with 30 % are told from random ones, which are told so in 5 % of cases at most."""
    rng = random.Random(1)

    def series(repeat):
        found = [rng.random() < 0.5]
        while len(found) < 60:
            found.append(found[-1] if rng.random() < repeat else not found[-1])
        return found

    found = {repeat: sum(recency(series(repeat)).p_more < 0.05 for _ in range(400)) for repeat in (0.3, 0.5, 0.7)}
    assert found[0.3] > 300
    assert found[0.5] <= 30  # 5 % of 400 and three standard errors above
    assert found[0.7] == 0


def test_edges():
    assert recency([True]).alternation is None and recency([True]).p == 1.0
    assert recency([False] * 9) == (9, 0, 1, 1.0, 0.0, 1.0, 1.0)
    with pytest.raises(BadInput, match="got none"):
        recency([])


def test_order_effect_by_hand():
    """Ten questions: six by content, three take the first place both times, one the second."""
    shown = [True] * 3 + [False] * 3 + [True] * 3 + [False]
    swapped = [False] * 3 + [True] * 3 + [True] * 3 + [False]
    found = order_effect(shown, swapped)
    assert (found.n, found.by_content, found.by_place) == (10, pytest.approx(0.6), pytest.approx(0.4))
    assert found.first == pytest.approx((6 + 6) / 20)
    assert found.p == pytest.approx(mcnemar([1, 1, 1, 0], [0, 0, 0, 1]).p)
    always_first = order_effect([True] * 12, [True] * 12)
    assert always_first.by_place == 1.0 and always_first.p < 0.001


def test_together_by_hand():
    separate, batched = [True, True, False, True], [True, False, True, False]
    found = together(separate, batched)
    assert found.agreement == 0.25
    assert found.rates.delta == pytest.approx(-0.25) and found.rates.discordant == (1, 2)
    assert found.batched.alternation == 1.0 and found.separate.alternation == pytest.approx(2 / 3)
    with pytest.raises(BadInput):
        together(separate, batched[:3])
