"""Values of trees that were worked out by hand, a second derivation by recursion, and a rule that must be wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.credit import Scored, Table, nested_mean
from orchestra.errors import BadData, UnknownName
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Key, Task

Path = tuple[Key, ...]
Build = Callable[[Sequence[Path]], Trajectory]


def valued(trajectory: Trajectory, rewards: Sequence[float | None]) -> Table:
    (table,) = nested_mean()([Scored(trajectory, tuple({"task": reward} for reward in rewards))])
    return table


def by_recursion(paths: Sequence[Path], rewards: Sequence[float | None]) -> dict[Key, float | None]:
    """The same definition read top down, on lists of whole paths."""
    seen: defaultdict[Key, list[tuple[float, int]]] = defaultdict(list)

    def value(rows: list[tuple[Path, float]]) -> float:
        below: defaultdict[Key, list[tuple[Path, float]]] = defaultdict(list)
        for path, reward in rows:
            if not path:
                return reward
            below[path[0]].append((path[1:], reward))
        for key, group in below.items():
            seen[key].append((value(group), len(group)))
        return mean(seen[key][-1][0] for key in below)

    scored = [(path, reward) for path, reward in zip(paths, rewards, strict=True) if reward is not None]
    if scored:
        value(scored)
    return {
        key: sum(v * n for v, n in seen[key]) / sum(n for _, n in seen[key]) if key in seen else None
        for path in paths
        for key in path
    }


def test_malt_tree_by_hand(build: Build, chain: list[Path]) -> None:
    # rewards of the refiner's draws under (generator, verifier); V(v) is their mean, V(g) the mean of the three
    under = {
        (0, 0): (1, 1, 1), (0, 1): (1, 1, 0), (0, 2): (0, 0, 0),
        (1, 0): (0, 0, 0), (1, 1): (0, 0, 0), (1, 2): (1, 0, 0),
        (2, 0): (1, 1, 1), (2, 1): (1, 1, 1), (2, 2): (1, 0, 1),
    }  # fmt: skip
    trajectory = build(chain)
    rewards = [float(reward) for triple in under.values() for reward in triple]
    rows = valued(trajectory, rewards).rows

    assert (len(rows), len(trajectory.leaves)) == (39, 27)
    assert [rows[Key("g", g)].value for g in range(3)] == pytest.approx([5 / 9, 1 / 9, 8 / 9])
    assert [rows[Key("v|0", v)].value for v in range(3)] == pytest.approx([1, 2 / 3, 0])
    assert rows[Key("r|01", 2)].value == 0.0
    # sample deviation of (1, 2/3, 0) is sqrt(7/27); over sqrt(3) draws
    assert rows[Key("g", 0)].stderr == pytest.approx((7 / 27) ** 0.5 / 3**0.5)
    assert rows[Key("r|01", 2)].stderr is None
    assert rows[Key("r|01", 2)].group == "r|01"


def test_parallel_agents_before_a_join(build: Build, joined: list[Path]) -> None:
    trajectory = build(joined)
    rows = valued(trajectory, [float(path[0].draw == 1) for path in joined]).rows

    assert (len(rows), len(trajectory.leaves)) == (12, 8)
    assert [rows[Key("a", draw)].value for draw in range(2)] == [0.0, 1.0]
    assert [rows[Key("b", draw)].value for draw in range(2)] == [0.5, 0.5]


def test_one_parent_a_decision_fails_the_join(build: Build, joined: list[Path]) -> None:
    """Control: a tree that hangs each decision under the first decision seen before it."""
    children: defaultdict[Key, list[Key]] = defaultdict(list)
    placed: set[Key] = set()
    rewards: dict[Key, float] = {}
    for path in joined:
        rewards[path[-1]] = float(path[0].draw == 1)
        for parent, child in pairwise(path):
            if child not in placed:
                placed.add(child)
                children[parent].append(child)

    def value(key: Key) -> float:
        return mean(map(value, children[key])) if children[key] else rewards.get(key, 0.0)

    assert [value(Key("a", draw)) for draw in range(2)] != [0.0, 1.0]
    rows = valued(build(joined), list(rewards.values())).rows
    assert [rows[Key("a", draw)].value for draw in range(2)] == [0.0, 1.0]


def test_an_occurrence_weighs_as_many_leaves_as_lie_below(build: Build) -> None:
    # b0 lies under a0 with one leaf (1.0) and under a1 with three (0.0): (1 * 1.0 + 3 * 0.0) / 4
    paths = [(Key("a", 0), Key("b")), *((Key("a", 1), Key("b"), Key("j", draw)) for draw in range(3))]
    assert valued(build(paths), [1.0, 0.0, 0.0, 0.0]).rows[Key("b")].value == 0.25


def test_unscored_is_not_zero(build: Build) -> None:
    paths = [(Key("g", g), Key(f"r|{g}", r)) for g in range(2) for r in range(2)]
    trajectory = build(paths)

    rows = valued(trajectory, [1.0, None, None, None]).rows
    assert rows[Key("g", 0)].value == 1.0
    assert rows[Key("g", 1)].value is None
    assert rows[Key("r|0", 1)].value is None
    assert valued(trajectory, [1.0, 0.0, 0.0, 0.0]).rows[Key("g", 0)].value == 0.5


def test_a_decision_on_no_path_has_a_row_without_value(build: Build) -> None:
    trajectory = build([(Key("g", 0),), (Key("g", 1),)])
    pruned = Trajectory("t", Task("task", "?"), 0, "team", trajectory.decisions, (), trajectory.leaves[:1])
    rows = valued(pruned, [1.0]).rows
    assert rows[Key("g", 1)] == (None, None, None, "g")


def test_a_run_without_branches_passes_its_reward_to_every_decision(build: Build) -> None:
    path = tuple(Key(name) for name in "grv")
    table = valued(build([path]), [1.0])
    assert {key: row.value for key, row in table.rows.items()} == dict.fromkeys(path, 1.0)
    assert {row.group for row in table.rows.values()} == {""}
    assert (table.producer, table.config) == ("nested_mean", '{"component":"task"}')


def test_a_very_long_path(build: Build) -> None:
    path = tuple(Key(f"s{step}") for step in range(5000))
    assert valued(build([path]), [1.0]).rows[path[0]].value == 1.0


def test_rewards_that_do_not_fit_are_refused(build: Build) -> None:
    trajectory = build([(Key("g", 0),), (Key("g", 1),)])
    with pytest.raises(BadData, match=r"each of its 2 leaves, got 1"):
        nested_mean()([Scored(trajectory, ({"task": 1.0},))])
    with pytest.raises(UnknownName, match=r"unknown reward component 'tsak'; did you mean 'task'\?"):
        nested_mean("tsak")([Scored(trajectory, ({"task": 1.0}, {"task": 0.0}))])


@given(st.data())
def test_agrees_with_the_recursion(build: Build, data: st.DataObject) -> None:
    """Random trees in which some agents do not see their predecessor, so that decisions lie on several paths."""
    paths: list[Path] = [()]
    for level in range(data.draw(st.integers(1, 4))):
        blind, width = data.draw(st.booleans()), data.draw(st.integers(1, 3))
        paths = [
            (*path, Key(f"{level}|{path[:-1] if blind else path}", draw)) for path in paths for draw in range(width)
        ]
    score = st.sampled_from([None, 0.0, 0.25, 1.0])
    rewards = data.draw(st.lists(score, min_size=len(paths), max_size=len(paths)))
    values = {key: row.value for key, row in valued(build(paths), rewards).rows.items()}
    expected = by_recursion(paths, rewards)
    assert values == {key: value if value is None else pytest.approx(value) for key, value in expected.items()}
