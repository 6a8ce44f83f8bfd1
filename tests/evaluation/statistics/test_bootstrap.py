"""The paired cluster bootstrap against SciPy, its clusters, and its pairing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from orchestra.errors import BadInput
from orchestra.evaluation.statistics import bootstrap_interval, cluster_interval, mean_interval, resample

VALUES = np.random.default_rng(0).normal(3, 2, 60)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_percentile_interval_is_that_of_scipy() -> None:
    theirs = stats.bootstrap((VALUES,), np.mean, method="percentile", n_resamples=20_000, rng=rng(2))
    ours = bootstrap_interval(VALUES, rng(), draws=20_000)
    assert ours[1:] == pytest.approx(tuple(theirs.confidence_interval), abs=0.03)
    assert ours.mean == pytest.approx(VALUES.mean())
    assert bootstrap_interval(VALUES, rng()) == bootstrap_interval(VALUES, rng())


def test_the_spread_is_the_standard_deviation_of_the_means_and_not_their_error() -> None:
    """Defect of a public harness: it divided by the root of the number of draws once more."""
    spread = resample(VALUES.reshape(-1, 1), rng())[:, 0].std()
    assert spread == pytest.approx(VALUES.std() / np.sqrt(60), rel=0.05)


def test_whole_clusters_are_drawn() -> None:
    thrice, groups = np.tile(VALUES, 3), np.tile(np.arange(60), 3)
    clustered = bootstrap_interval(thrice, rng(), clusters=groups.tolist())
    assert clustered[1:] == pytest.approx(mean_interval(list(VALUES))[1:], abs=0.08)
    naive = bootstrap_interval(thrice, rng())
    assert naive.ci_high - naive.ci_low < 0.65 * (clustered.ci_high - clustered.ci_low)


def test_clusters_of_different_size_agree_with_the_robust_error() -> None:
    draw = rng(3)
    groups = np.repeat(np.arange(80), draw.integers(1, 8, 80))
    values = draw.normal(0, 1, 80)[groups] + draw.normal(0, 0.5, len(groups))
    ours = bootstrap_interval(values, rng(), clusters=groups.tolist())
    assert ours[1:] == pytest.approx(cluster_interval(values.tolist(), groups.tolist())[1:], abs=0.04)


def test_columns_are_drawn_together() -> None:
    """b is a less 0.1 on every task: no draw sees another difference, though each alone varies."""
    found = resample(np.column_stack([VALUES, VALUES - 0.1]), rng())
    assert found[:, 0] - found[:, 1] == pytest.approx(0.1)
    assert found[:, 0].std() > 0.1


@pytest.mark.parametrize("columns", [np.zeros((0, 1)), np.zeros(3), np.array([[np.nan]])])
def test_what_has_no_meaning_is_refused(columns: np.ndarray) -> None:
    with pytest.raises(BadInput, match="expected finite columns"):
        resample(columns, rng())


def test_a_cluster_for_every_task() -> None:
    with pytest.raises(BadInput, match="a cluster for each of 2"):
        resample(np.zeros((2, 1)), rng(), clusters=["a"])
