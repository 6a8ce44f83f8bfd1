"""Selection on trajectories made by hand."""

from __future__ import annotations

import pytest

from orchestra.credit import Scored
from orchestra.errors import BadInput
from orchestra.training._select import best_leaves, selected
from orchestra.trajectory.trajectory import Decision, Leaf, Trajectory
from orchestra.types import Completion, Key, Request, Task, Usage


def tree(run: str, task: str, *rewards: float | None, failed: int = -1) -> Scored:
    """A first decision that all leaves share, and one for each leaf."""

    def decision(name: str) -> Decision:
        said = Completion(name, None, None, None, None, "stop", Usage(calls=1))
        return Decision(Key(f"{run}/{name}"), (), "a", "a", "a", 0, 0, "a@0", "w", Request((("user", task),)), said)

    made = [decision("first"), *(decision(str(i)) for i in range(len(rewards)))]
    leaves = tuple(
        Leaf((made[0].key, each.key), None, "end", Usage(), error="broken" if i == failed else None)
        for i, each in enumerate(made[1:])
    )
    trajectory = Trajectory(run, Task(task, task), 0, "team", tuple(made), (), leaves)
    return Scored(trajectory, tuple({"total": reward} for reward in rewards))


BATCH = [
    tree("r1", "one", 0.6, 0.9),
    tree("r2", "one", 0.9, 0.7),
    tree("r3", "two", 0.5, 0.4),
    tree("r4", "three", None, 0.8),
    tree("r5", "four", 2.0, 0.7, failed=0),
]


def test_of_each_task_the_best_leaf_over_the_threshold_the_earlier_of_equals() -> None:
    assert best_leaves(BATCH, "total", 0.5) == [(0, 1), (3, 1), (4, 1)]


@pytest.mark.parametrize(("share", "left"), [(1.0, 3), (0.67, 3), (0.66, 2), (0.5, 2), (0.01, 1)])
def test_the_top_share_rounded_up(share: float, left: int) -> None:
    assert best_leaves(BATCH, "total", 0.5, share) == [(0, 1), (3, 1), (4, 1)][:left]


def test_only_decisions_on_a_chosen_leaf_count() -> None:
    tables = selected(BATCH, "total", 0.5)
    chosen = {key.state for table in tables for key, row in table.rows.items() if row.value == 1.0}
    assert chosen == {"r1/first", "r1/1", "r4/first", "r4/1", "r5/first", "r5/1"}
    assert all(row.value in (0.0, 1.0) for table in tables for row in table.rows.values())
    assert [len(table.rows) for table in tables] == [3, 3, 3, 3, 3]


@pytest.mark.parametrize("share", [0.0, 1.5, -1.0])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(BadInput, match="expected a share"):
        best_leaves(BATCH, "total", 0.5, share)
