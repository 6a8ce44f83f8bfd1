"""What the options of a recipe make of trees: every one by hand, on two draws that go on to two each."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from orchestra.evaluation.benchmark import Score
from orchestra.learning.rl.settings import Update
from orchestra.training._pay import Pay
from orchestra.trajectory.trajectory import Decision, Leaf, Trajectory
from orchestra.types import Completion, Key, Request, Task, Usage
from tests.training.letters import Letters, letters

USUAL: Mapping[str, Any] = {
    "rule": "strict", "local": "none", "main": None, "scale": "none", "group": "state", "single": "zero", "alpha": 1.0,
    "per_agent": False, "per_call": False, "screen": 0,
}  # fmt: skip


def decision(state: str, draw: int, text: str) -> Decision:
    """Of the role that the state's name begins with; "b" is right and "a" is wrong."""
    role = state.partition("|")[0]
    said = Completion(text, (5, 6), (7,), (-0.1,), (1,), "stop", Usage(calls=1))
    request = Request((("user", "?"),), temperature=1.0)
    return Decision(Key(state, draw), (), role, role, role, 0, 0, f"{role}@0", "w", request, said)


def tree(paths: Sequence[Sequence[tuple[str, int, str]]], name: str = "t") -> Trajectory:
    """Each path's last words are the team's."""
    known = {Key(state, draw): decision(state, draw, text) for path in paths for state, draw, text in path}
    leaves = (
        Leaf(tuple(Key(state, draw) for state, draw, _ in path), path[-1][2], "end", Usage(), content=path[-1][2])
        for path in paths
    )
    return Trajectory(name, Task(name, "?", "b", kind="text"), 0, "team", tuple(known.values()), (), tuple(leaves))


WORDS = {"g": "ba", "v|0": "ba", "v|1": "aa"}
BRANCHED = tree([[("g", g, WORDS["g"][g]), (f"v|{g}", v, WORDS[f"v|{g}"][v])] for g in range(2) for v in range(2)])
ALONE = tree([[("g", 0, "b")]], "alone")


def pay(update: Update | None = None, benchmark: Letters = letters, **options: Any) -> Pay:
    return Pay(benchmark, ("g", "v"), Namespace(**{**USUAL, **options}), update or Update())


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [
        ({}, [0.25, -0.25], [0.5, -0.5, 0, 0]),
        ({"scale": "rloo"}, [0.5, -0.5], [1, -1, 0, 0]),
        ({"group": "turn"}, [0.25, -0.25], [0.75, -0.25, -0.25, -0.25]),
        ({"alpha": 0.5, "local": "own"}, [0.625, -0.625], [0.75, -0.75, 0, 0]),  # 1/2 of 1/2, and 1; 1/2 of 1, and 1
        ({"alpha": 0.5, "local": "own", "main": "g"}, [0.125, -0.125], [0.75, -0.75, 0, 0]),
        ({"alpha": 0.0, "local": "own"}, [0.5, -0.5], [0.5, -0.5, 0, 0]),
        ({"per_agent": True}, [1, -1], [2**0.5, -(2**0.5), 0, 0]),
    ],
    ids=str,
)
def test_what_draws_are_paid(options: dict[str, Any], first: list[float], second: list[float]) -> None:
    batch, figures = pay(**options)([BRANCHED])
    found = {name: [e.advantage for e in batch.experiences if e.agent == name] for name in "gv"}
    assert found == {"g": pytest.approx(first), "v": pytest.approx(second)}
    assert {name: {e.mass for e in batch.experiences if e.agent == name} for name in "gv"} == {"g": {0.5}, "v": {0.25}}
    assert (figures["reward"], figures["mixed"], figures["left_out"]) == (0.25, 1.0, 0)


def test_an_agent_that_is_called_twice_weighs_one_in_all() -> None:
    run = tree([[("g|1", 0, "a"), ("v", 0, "a"), ("g|2", 0, "b")]])
    for per_call, expected in ((False, [1.0, 1.0, 1.0]), (True, [0.5, 1.0, 0.5])):
        assert [each.mass for each in pay(per_call=per_call)([run])[0].experiences] == expected


def test_a_moving_baseline_goes_on_from_step_to_step() -> None:
    """And stands still where draws are compared with their siblings alone."""
    right, wrong = ALONE, tree([[("g", 0, "a")]])
    moving, still = pay(single="moving"), pay()
    found = [[made([run])[0].experiences[0].advantage for run in (right, wrong, wrong)] for made in (moving, still)]
    assert found == [pytest.approx([0.0, -1.0, -0.95]), [0.0, 0.0, 0.0]]
    assert still.baselines.plain()["values"] == []


def test_beside_a_critic_rewards_come_as_they_are() -> None:
    """No advantages, however they would be scaled; what is earned at a leaf's end, its chance, and local rewards."""
    update = replace(Update(), critic="action")
    batch, _ = pay(update, per_agent=True, per_call=True, local="own", main="v")([BRANCHED])
    assert [each.advantage for each in batch.experiences] == [None] * 6
    assert [(each.agent, each.local) for each in batch.experiences if each.local] == [("g", 1.0)], "v answers for all"
    assert [(path.reward, path.mass) for path in batch.paths] == [(1, 0.25), (0, 0.25), (0, 0.25), (0, 0.25)]
    assert {each.local for each in pay(update)([BRANCHED])[0].experiences} == {0.0}


@dataclass(frozen=True)
class Lenient(Letters):
    def score(self, task: Task, text: str | None) -> Score:
        return super().score(task, text)._replace(flexible=1.0)


def test_the_rule_decides_what_is_right() -> None:
    for rule, reward in (("strict", 0.25), ("flexible", 1.0)):
        batch, figures = pay(benchmark=Lenient(), rule=rule)([BRANCHED])
        assert figures["reward"] == reward
        assert any(each.advantage for each in batch.experiences) == (rule == "strict")


def test_tasks_count_alike_however_many_leaves_they_have() -> None:
    """A quarter of one task and all of the other; the first alone has something to tell apart."""
    _, figures = pay()([BRANCHED, ALONE])
    assert (figures["reward"], figures["mixed"]) == (0.625, 0.5)
