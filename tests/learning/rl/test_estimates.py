"""What a critic's values say of a batch: by hand, along trees, and a slower second way."""

from __future__ import annotations

from random import Random

import pytest

from orchestra.learning.rl.estimates import estimated
from orchestra.learning.rl.experience import Batch
from tests.learning.rl.batches import Leaf, experience


def chain(*tokens: int, local: tuple[float, ...] = ()) -> Batch:
    """One path of decisions of so many tokens, which earns 1."""
    pay = local or (0.0,) * len(tokens)
    found = tuple(experience((5,), (7,) * n, name=str(k), local=pay[k]) for k, n in enumerate(tokens))
    return Batch(found, (Leaf(tuple(range(len(tokens))), 1.0),))


def test_a_chain_of_agents_by_hand() -> None:
    """training.md (e) 2: V = .5, .4, .2 and a reward of 1 at the end, undiscounted."""
    values = {0: [0.5, 9.0], 1: [0.4], 2: [0.2, 9.0, 9.0]}  # at action level later tokens' values do not count
    found = estimated(chain(2, 1, 3), values, "action", 1.0, 1.0)
    assert [each[0] for each in found.advantages] == pytest.approx([0.5, 0.6, 0.8])
    assert [len(each) for each in found.advantages] == [2, 1, 3]
    assert found.advantages[2] == pytest.approx([0.8] * 3)
    assert all(goal == pytest.approx([1.0] * len(goal)) for goal in found.returns.values())


def test_tokens_of_a_decision_are_steps_of_their_own() -> None:
    values = {0: [0.5, 0.4], 1: [0.2]}
    found = estimated(chain(2, 1), values, "token", 0.5, 0.0)
    # Within a decision nothing is discounted, from one to the next by gamma; lambda 0: the change of value alone.
    assert found.advantages[0] == pytest.approx([0.4 - 0.5, 0.5 * 0.2 - 0.4])
    assert found.advantages[1] == pytest.approx([1 - 0.2])
    assert found.returns[0] == pytest.approx([0.4, 0.1])


@pytest.mark.parametrize("level", ["action", "token"])
def test_local_rewards_come_right_after_their_decision(level: str) -> None:
    values = {0: [0.0], 1: [0.0], 2: [0.0]}
    found = estimated(chain(1, 1, 1, local=(2.0, 0.0, 4.0)), values, level, 0.5, 1.0)  # type: ignore[arg-type]
    assert [each[0] for each in found.advantages] == pytest.approx([2 + 0.5 * (0 + 0.5 * 5), 0.5 * 5, 5.0])


@pytest.mark.parametrize("level", ["action", "token"])
def test_a_decision_on_several_paths_has_their_mean_and_one_on_none_nothing(level: str) -> None:
    found = tuple(experience((5,), (7,), name=str(place)) for place in range(4))
    batch = Batch(found, (Leaf((0, 1), 1.0), Leaf((0, 2), 0.0), Leaf((), 1.0)))
    values = {place: [0.25] for place in range(4)}
    got = estimated(batch, values, level, 1.0, 1.0)  # type: ignore[arg-type]
    assert [each[0] for each in got.advantages] == pytest.approx([0.25, 0.75, -0.25, 0.0])
    assert set(got.returns) == {0, 1, 2}
    # Returns .5, 1, 0 of variance 1/6; the values are the same throughout and explain none of it.
    assert got.explained == pytest.approx(0.0)


@pytest.mark.parametrize("level", ["action", "token"])
def test_paths_count_by_their_chance(level: str) -> None:
    """One draw ends at once and earns 1, the other goes on to two that earn nothing: worth 1/2 together, not 1/3."""
    found = tuple(experience((5,), (7,), name=str(place)) for place in range(5))
    batch = Batch(found, (Leaf((0, 1), 1.0, 0.5), Leaf((0, 2, 3), 0.0, 0.25), Leaf((0, 2, 4), 0.0, 0.25)))
    got = estimated(batch, {place: [0.0] for place in range(5)}, level, 1.0, 1.0)  # type: ignore[arg-type]
    assert got.returns[0] == pytest.approx([0.5])
    alike = Batch(found, tuple(Leaf(path.places, path.reward) for path in batch.paths))
    assert estimated(alike, {place: [0.0] for place in range(5)}, "action", 1.0, 1.0).returns[0] == pytest.approx(
        [1 / 3]
    )


def test_the_share_that_values_explain() -> None:
    """1 where they are right, below 0 where they are worse than a constant, None where nothing varies."""
    found = tuple(experience((5,), (7,), name=str(place)) for place in range(2))
    batch = Batch(found, (Leaf((0,), 1.0), Leaf((1,), 0.0)))
    for values, expected in (([1.0, 0.0], 1.0), ([0.5, 0.5], 0.0), ([0.0, 1.0], -3.0), ([0.75, 0.25], 0.75)):
        got = estimated(batch, dict(enumerate([v] for v in values)), "action", 1.0, 1.0)
        assert got.explained == pytest.approx(expected)
    level = Batch(found, (Leaf((0,), 1.0), Leaf((1,), 1.0)))
    assert estimated(level, {0: [0.0], 1: [1.0]}, "action", 1.0, 1.0).explained is None
    assert estimated(Batch((), ()), {}, "token", 1.0, 1.0) == ([], {}, None)


@pytest.mark.parametrize("seed", range(5))
def test_sums_over_what_follows_are_the_same(seed: int) -> None:
    """A_k = sum over later steps of (product of gamma lambda) delta, forwards and with every step spelt out."""
    random = Random(seed)
    sizes = [random.randrange(1, 4) for _ in range(4)]
    local = tuple(random.random() for _ in sizes)
    batch = chain(*sizes, local=local)
    values = {place: [random.random() for _ in range(n)] for place, n in enumerate(sizes)}
    gamma, decay = 0.9, 0.8
    steps = [(place, k) for place, n in enumerate(sizes) for k in range(n)]
    hops = [gamma if k == sizes[place] - 1 else 1.0 for place, k in steps]
    paid = [local[place] + (place == 3) if k == sizes[place] - 1 else 0.0 for place, k in steps]
    worth = [values[place][k] for place, k in steps] + [0.0]
    expected = []
    for first in range(len(steps)):
        total, faded = 0.0, 1.0
        for at in range(first, len(steps)):
            total += faded * (paid[at] + hops[at] * worth[at + 1] - worth[at])
            faded *= hops[at] * decay
        expected.append(total)
    found = estimated(batch, values, "token", gamma, decay)
    assert [a for each in found.advantages for a in each] == pytest.approx(expected)
