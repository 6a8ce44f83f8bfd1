"""Which test compares two systems: by the shape of the scores, and with the figures of that test."""

from __future__ import annotations

import numpy as np
import pytest

from orchestra.errors import BadInput
from orchestra.evaluation.comparison import compare
from orchestra.evaluation.statistics import clustered_t, mcnemar, paired_t

RNG = np.random.default_rng(0)
A, B = (RNG.random((2, 60)) < [[0.7], [0.5]]).astype(float)


def scores(values: object) -> dict[str, float]:
    return {str(i): float(value) for i, value in enumerate(values)}  # type: ignore[arg-type]


def test_right_and_wrong_are_compared_by_mcnemar() -> None:
    found, exact = compare(scores(A), scores(B), {}), mcnemar(A.tolist(), B.tolist())
    assert (found.test, found.clusters) == ("mcnemar", None)
    assert found[:7] == (*exact[:4], exact.discordant, exact.mde, exact.n)
    assert found.mid_p == exact.mid_p


def test_fractions_are_compared_by_flipping_signs() -> None:
    a, b = (A + B) / 2, B
    found, student = compare(scores(a), scores(b), {}), paired_t(a.tolist(), b.tolist())
    assert found.test == "sign_flip"
    assert found[:3] == pytest.approx(student[:3])
    assert found.p == pytest.approx(student.p, abs=0.02)
    assert found.discordant == (int(sum(a > b)), int(sum(a < b)))
    assert compare(scores(a), scores(b), {}) == found


def test_templates_are_clusters() -> None:
    families = {str(i): f"t{i % 12}" for i in range(60)}
    found = compare(scores(A), scores(B), families)
    robust = clustered_t(A.tolist(), B.tolist(), [f"t{i % 12}" for i in range(60)])
    assert (found.test, found.clusters, found.p) == ("cluster_t", 12, robust.p)


def test_a_difference_on_a_few_templates_alone_is_not_called_one() -> None:
    """A gains on two of twelve templates, on all five tasks of each: McNemar, the control, is far too sure."""
    families = {str(i): f"t{i // 5}" for i in range(60)}
    gain = [1.0 if i < 10 else 0.0 for i in range(60)]
    assert compare(scores(gain), scores([0.0] * 60), families).p > 0.1
    assert compare(scores(gain), scores([0.0] * 60), {}).p < 0.01


def test_tasks_are_paired_by_name_whatever_their_order() -> None:
    backwards = dict(reversed(scores(B).items()))
    assert compare(scores(A), backwards, {}) == compare(scores(A), scores(B), {})
    with pytest.raises(BadInput, match="the same tasks"):
        compare(scores(A), scores(B[:-1]), {})
