"""A budget over all tasks of an evaluation: the first tasks get what they need, whatever ends first."""

import asyncio

import pytest

from orchestra.engine import Budget
from orchestra.evals import arith
from orchestra.evaluation.evaluate import evaluate
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.topologies import self_consistency
from orchestra.trajectory.store import open_run


@pytest.mark.parametrize(("total", "spent"), [(Budget(calls=8), [3, 3, 2, 0, 0]), (Budget(calls=100), [3] * 5)])
@pytest.mark.parametrize("each", [None, Budget(calls=3)])
def test_allotted_in_task_order(tmp_path, total, spent, each):
    bench = arith()
    tasks = bench.sample(5, split="test")
    team = self_consistency(generator(Scripted(lambda r: str(r.seed % 9), delay=lambda r: r.seed % 5 / 1000)), n=3)

    def measured():
        with open_run(tmp_path / "run", create=True, spec={}) as folder:
            return asyncio.run(evaluate(team, tasks, bench, folder, name="team", budget=each, total=total))

    first, again = measured(), measured()  # the second is answered by the journal, and allotted the same
    assert [item.usage.calls for item in first.items] == spent
    assert [item.stopped_by for item in first.items] == ["done" if calls == 3 else "budget" for calls in spent]
    assert again == first
