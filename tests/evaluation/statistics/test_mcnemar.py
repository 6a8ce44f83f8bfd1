"""McNemar's test against published values, SciPy, and exact enumeration of what can happen."""

from __future__ import annotations

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import Paired, mcnemar, minimum_detectable


def paired(b: int, c: int, n: int, level: float = 0.95) -> Paired:
    """McNemar of n tasks, b right for the first system alone and c for the second alone."""
    both = [True] * (n - b - c)
    return mcnemar([True] * b + [False] * c + both, [False] * b + [True] * c + both, level)


def test_mcnemar_on_the_published_example() -> None:
    """Airway hyper-responsiveness of 21 children before and after a transplantation, 1 against 7 discordant (Bentur et
    al. 2009), as tested in Fagerland et al. (2013): exact 0.070, mid-p 0.039."""
    result = paired(1, 7, 21)
    assert result.discordant == (1, 7)
    assert (result.delta, result.n) == (-6 / 21, 21)
    assert result.p == 2 * (1 + 8) / 2**8
    assert result.mid_p == pytest.approx(0.0390625)


def test_the_interval_is_that_of_bonett_and_price() -> None:
    """The worked example of `ci.prop.ps` in the R package statpsych, whose author is Bonett: 26 against 4 of 48."""
    result = paired(26, 4, 48)
    assert result[1:3] == pytest.approx((0.2548067, 0.6251933), abs=5e-8)
    assert result.delta == 22 / 48


@given(st.integers(0, 60), st.integers(0, 60))
def test_p_is_the_two_sided_binomial_test(b: int, c: int) -> None:
    result, other = paired(b, c, b + c + 5), paired(c, b, b + c + 5)
    assert result.p == pytest.approx(stats.binomtest(b, b + c).pvalue if b + c else 1.0, rel=1e-9)
    upper = stats.binom.sf(max(b, c), b + c, 0.5) + stats.binom.pmf(max(b, c), b + c, 0.5) / 2
    assert result.mid_p == pytest.approx(min(1.0, 2 * upper), rel=1e-9)
    assert (other.p, other.mid_p, other.delta) == (result.p, result.mid_p, -result.delta)
    assert (other.ci_low, other.ci_high) == pytest.approx((-result.ci_high, -result.ci_low))


def test_two_systems_alike_and_two_systems_apart() -> None:
    alike, apart = paired(0, 0, 50), paired(50, 0, 50)
    assert (alike.delta, alike.p, alike.mid_p, alike.discordant) == (0.0, 1.0, 1.0, (0, 0))
    assert alike.ci_low < 0 < alike.ci_high
    assert alike.mde > 0  # no discordant pair in 50 is no proof that none can be
    assert apart.p == 2 / 2**50
    assert 0.85 < apart.ci_low < apart.ci_high <= 1.0


OUTCOMES = [(b, c) for b, c in product(range(41), repeat=2) if b + c <= 40]


@pytest.mark.parametrize(("p12", "p21"), [(0.15, 0.15), (0.3, 0.1), (0.05, 0.05), (0.4, 0.4), (0.25, 0.02)])
def test_coverage_and_level_by_enumeration(p12: float, p21: float) -> None:
    """Every outcome of 40 pairs with its probability: the interval covers, and the exact test rejects a true null in at
    most 5 % of cases."""
    covered = rejected = 0.0
    for b, c in OUTCOMES:
        mass = stats.multinomial.pmf([b, c, 40 - b - c], 40, [p12, p21, 1 - p12 - p21])
        result = paired(b, c, 40)
        covered += mass * (result.ci_low <= p12 - p21 <= result.ci_high)
        rejected += mass * (result.p < 0.05)
    assert 0.93 < covered < 0.99
    assert p12 != p21 or rejected <= 0.05
    assert p12 == p21 or rejected > 0.3


def test_an_effect_of_the_detectable_size_is_found_in_four_of_five_studies() -> None:
    n, discordant = 200, 0.3
    mde = minimum_detectable(math.sqrt(discordant), n)  # for a delta that is small beside the discordance
    p12 = (discordant + mde) / 2
    rng = random.Random(1)
    kinds = [rng.choices("bc=", [p12, p12 - mde, 1 - discordant], k=n) for _ in range(600)]
    found = sum(paired(k.count("b"), k.count("c"), n).mid_p < 0.05 for k in kinds) / 600
    assert 0.74 < found < 0.88
    assert paired(round(p12 * n), round((p12 - mde) * n), n).mde == pytest.approx(mde, abs=0.01)


@pytest.mark.parametrize(
    "call",
    [
        lambda: mcnemar([], []),
        lambda: mcnemar([True], [True, False]),
        lambda: mcnemar([True, 0.5], [True, False]),
        lambda: mcnemar([True, None], [True, False]),  # type: ignore[list-item]
        lambda: mcnemar([math.nan], [1.0]),
    ],
)
def test_what_has_no_meaning_is_refused(call: object) -> None:
    with pytest.raises(BadInput, match="expected"):
        call()  # type: ignore[operator]
