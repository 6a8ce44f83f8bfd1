"""Leaf mean, soft and shared backups: by hand, where they agree with the nested mean, and where they must not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.credit import Annotation, Scored, confident, label, leaf_mean, nested_mean, shared, soft
from orchestra.errors import BadInput
from orchestra.types import Key


def values(rule, trajectory, rewards):
    (table,) = rule([Scored(trajectory, tuple({"task": reward} for reward in rewards))])
    return {key: row.value for key, row in table.rows.items()}


def test_on_a_balanced_tree_leaf_mean_is_nested_mean(build, chain):
    rewards = [float(i % 5 == 0) for i in range(27)]
    assert values(leaf_mean(), build(chain), rewards) == pytest.approx(values(nested_mean(), build(chain), rewards))


def test_where_a_search_went_leaf_mean_leans_and_nested_mean_does_not(build):
    # g0 leads to v0, searched with four right leaves, and to v1, tried once and wrong
    paths = [*((Key("g"), Key("v", 0), Key("r|0", r)) for r in range(4)), (Key("g"), Key("v", 1), Key("r|1"))]
    rewards = [1.0, 1.0, 1.0, 1.0, 0.0]
    assert values(leaf_mean(), build(paths), rewards)[Key("g")] == 0.8
    assert values(nested_mean(), build(paths), rewards)[Key("g")] == 0.5


def test_soft_by_hand(build):
    paths = [(Key("g", g), Key(f"r|{g}", r)) for g in range(2) for r in range(2)]
    found = values(soft(kappa=2.0), build(paths), [1.0, 0.0, 0.0, 0.0])
    assert found[Key("g", 0)] == pytest.approx(math.log((math.exp(2) + 1) / 2) / 2)
    assert found[Key("g", 1)] == 0.0


@given(st.lists(st.floats(-1, 1), min_size=27, max_size=27))
def test_soft_lies_between_the_mean_and_the_best(build, chain, rewards):
    mean, low, high = (
        values(rule, build(chain), rewards) for rule in (nested_mean(), soft(kappa=1e-6), soft(kappa=1e4))
    )
    for key, value in mean.items():
        below = [reward for path, reward in zip(chain, rewards, strict=True) if key in path]
        assert low[key] == pytest.approx(value, abs=1e-4)
        assert value - 1e-9 <= high[key] <= max(below) + 1e-9
        assert high[key] == pytest.approx(max(below), abs=1e-2)


@pytest.mark.parametrize("kappa", [0.0, math.inf, math.nan])
def test_no_kappa_at_its_limits(kappa):
    with pytest.raises(BadInput, match="kappa other than 0"):
        soft(kappa=kappa)


def test_shared_gives_all_the_same_and_leaves_out_the_unscored(build, chain):
    assert set(values(shared(), build(chain), [1.0, 0.0, *[None] * 25]).values()) == {0.5}
    assert set(values(shared(), build(chain), [None] * 27).values()) == {None}


def test_labels():
    assert label(Annotation(0.5)) is False, "a half counts as wrong"
    assert label(Annotation((0.1 + 0.2) / 0.6)) is False, "rounding does not make it right"
    assert confident(Annotation(0.8, None)) is None, "nothing is known of its error"
    assert confident(Annotation(0.8, 0.4), z=2) is None and confident(Annotation(0.8, 0.1), z=2) is True
    assert confident(Annotation(0.5, 0.0)) is False


def test_a_mean_of_leaves_has_its_error(build):
    paths = [(Key("g"), Key("r", r)) for r in range(4)]
    (table,) = leaf_mean()([Scored(build(paths), tuple({"task": r} for r in (1.0, 1.0, 0.0, 0.0)))])
    assert table.rows[Key("g")].stderr == pytest.approx((1 / 3) ** 0.5 / 2)
    assert table.rows[Key("r", 0)].stderr is None
