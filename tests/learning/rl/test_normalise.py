"""Weights by hand, against a loop over all rows, and split, ordered and masked in every way."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestra.learning.rl.normalise import Normalise, Share, weights

WAYS: tuple[Normalise, ...] = get_args(Normalise)
LONGEST = 16

SHARES = [Share("a", "solver", 3), Share("a", "critic", 1), Share("a", "critic", 0), Share("b", "solver", 2)]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("rollout", [1 / 8, 1 / 8, 0, 1 / 4]),  # a has 4 tokens, b has 2, each half of the step
        ("token", [1 / 6, 1 / 6, 0, 1 / 6]),
        ("sequence", [1 / 9, 1 / 3, 0, 1 / 6]),
        ("constant", [1 / 48, 1 / 48, 0, 1 / 48]),
        ("agent", [1 / 10, 1 / 2, 0, 1 / 10]),  # the solver has 5 tokens, the critic 1
    ],
)
def test_by_hand(how: Normalise, expected: list[float]) -> None:
    assert weights(SHARES, how, longest=LONGEST) == pytest.approx(expected)
    assert weights([], how, longest=LONGEST) == []


def test_masses_are_shares_of_their_rollout() -> None:
    """A state with two draws, one of which goes on to two more; a run without branches beside it weighs as much."""
    tree = [Share("tree", "solver", 4, 0.5), Share("tree", "solver", 4, 0.5)]
    below = [Share("tree", "critic", 2, 0.25), Share("tree", "critic", 6, 0.25)]
    plain = [Share("run", "solver", 5), Share("run", "critic", 1)]
    given = weights([*tree, *below, *plain], "rollout", longest=LONGEST)
    assert given == pytest.approx([1 / 24, 1 / 24, 1 / 48, 1 / 48, 1 / 12, 1 / 12])  # 4/2 + 4/2 + 2/4 + 6/4 = 6
    given = weights([*tree, *plain], "token", longest=LONGEST)
    assert given == pytest.approx([0.5 / 10, 0.5 / 10, 1 / 10, 1 / 10])  # two halves of 4 tokens, and 5, and 1
    given = weights([*tree, *plain], "sequence", longest=LONGEST)
    assert given == pytest.approx([0.5 / 3 / 4, 0.5 / 3 / 4, 1 / 3 / 5, 1 / 3])  # a state's draws weigh as one reply


def shares() -> st.SearchStrategy[list[Share]]:
    return st.lists(
        st.builds(
            Share,
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from(["solver", "critic"]),
            st.integers(0, 9),
            st.sampled_from([1.0, 0.5, 0.25, 1 / 3]),
        ),
        max_size=10,
    )


def slow(rows: list[Share], row: int, how: Normalise) -> float:
    """The weight of one row, by asking every other."""
    own, taught = rows[row], [other for other in rows if other.tokens]
    if not own.tokens:
        return 0.0
    alike = {
        "rollout": [other for other in taught if other.rollout == own.rollout],
        "agent": [other for other in taught if other.agent == own.agent],
    }.get(how, taught)
    parts = {"rollout": len({o.rollout for o in taught}), "agent": len({o.agent for o in taught})}.get(how, 1)
    if how in ("sequence", "constant"):
        return own.mass / sum(other.mass for other in taught) / (own.tokens if how == "sequence" else LONGEST)
    return own.mass / sum(other.mass * other.tokens for other in alike) / parts


@given(shares(), st.sampled_from(WAYS))
def test_weights_are_those_of_a_loop(rows: list[Share], how: Normalise) -> None:
    expected = [slow(rows, row, how) for row in range(len(rows))]
    assert weights(rows, how, longest=LONGEST) == pytest.approx(expected)


def test_the_loop_tells_the_ways_apart() -> None:
    found = {how: weights(SHARES, how, longest=LONGEST) for how in WAYS}
    for how in WAYS:
        expected = [slow(SHARES, row, how) for row in range(len(SHARES))]
        assert [other for other in WAYS if found[other] == pytest.approx(expected)] == [how]


@given(shares(), st.sampled_from([how for how in WAYS if how != "constant"]))
def test_the_tokens_of_a_step_weigh_one_in_all(rows: list[Share], how: Normalise) -> None:
    assume(any(row.tokens for row in rows))
    given = weights(rows, how, longest=LONGEST)
    assert sum(row.tokens * weight for row, weight in zip(rows, given, strict=True)) == pytest.approx(1)


@given(shares(), st.integers(0, 9), st.integers(1, 8))
def test_a_decision_split_into_more_rows_weighs_what_it_did(rows: list[Share], at: int, first: int) -> None:
    """Agent Lightning's rule: nothing that a rollout's rows are cut by changes what its tokens count."""
    assume(at < len(rows) and first < rows[at].tokens)
    own = rows[at]
    split = [*rows[:at], own._replace(tokens=first), own._replace(tokens=own.tokens - first), *rows[at + 1 :]]
    before = weights(rows, "rollout", longest=LONGEST)
    assert weights(split, "rollout", longest=LONGEST) == pytest.approx([*before[: at + 1], *before[at:]])


@pytest.mark.parametrize(("how", "held"), [("rollout", 1 / 3), ("sequence", 3 / 5)])
def test_rows_that_weigh_alike_do_not_keep_what_a_rollout_weighs(how: Normalise, held: float) -> None:
    """Three rollouts, one of them cut into three rows: a third of the step, or three fifths of it."""
    rows = [Share("a", "solver", tokens) for tokens in (2, 3, 4)] + [Share("b", "solver", 9), Share("c", "solver", 1)]
    given = weights(rows, how, longest=LONGEST)
    assert sum(row.tokens * weight for row, weight in zip(rows[:3], given, strict=False)) == pytest.approx(held)


@given(shares(), st.sampled_from(WAYS), st.integers(0, 9), st.sampled_from([0.0, 1.0]))
def test_rows_without_tokens_or_mass_count_nowhere(rows: list[Share], how: Normalise, at: int, mass: float) -> None:
    at = min(at, len(rows))
    idle = Share("d", "judge", 0 if mass else 5, mass)
    before = weights(rows, how, longest=LONGEST)
    found = weights([*rows[:at], idle, *rows[at:]], how, longest=LONGEST)
    assert found == pytest.approx([*before[:at], 0.0, *before[at:]])


@given(st.permutations(range(6)), st.sampled_from(WAYS))
def test_the_order_of_rows_does_not_matter(order: list[int], how: Normalise) -> None:
    rows = [*SHARES, Share("c", "judge", 7, 0.5), Share("c", "critic", 4, 0.5)]
    before = weights(rows, how, longest=LONGEST)
    assert weights([rows[at] for at in order], how, longest=LONGEST) == pytest.approx([before[at] for at in order])
