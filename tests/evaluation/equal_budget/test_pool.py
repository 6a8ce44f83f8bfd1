"""A pool: drawn once and continued, curves without a call, and difficulty that is not chosen by luck."""

from __future__ import annotations

import asyncio
import random

import pytest

from orchestra.errors import BadInput, CallFailed
from orchestra.evals import arith
from orchestra.evaluation.course import Course
from orchestra.evaluation.equal_budget.pool import Draw, Pool, draw_pool
from orchestra.evaluation.evaluate import evaluate
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.topologies import self_consistency
from orchestra.trajectory.store import open_run
from orchestra.types import Usage

BENCH = arith("add2")
TASKS = BENCH.sample(120, split="test")
GOLD = {task.prompt: int(task.gold) for task in TASKS}


def oracle(p: float = 0.6) -> Scripted:
    """Right with probability p by the seed of the call, else off by one, always in the same way."""

    def say(request) -> str:
        gold = GOLD[request.messages[-1][1]]
        return f"It is {gold if random.Random(request.seed).random() < p else gold + 1}"

    return Scripted(say)


def drawn(tmp_path, model: Scripted, size: int, tasks=TASKS) -> Pool:
    with open_run(tmp_path, create=True) as folder:
        return asyncio.run(draw_pool(Course(tasks, BENCH, folder), generator(model), size))


def test_a_larger_pool_goes_on_from_a_smaller_one(tmp_path) -> None:
    first, more = oracle(), oracle()
    four = drawn(tmp_path, first, 4, TASKS[:5])
    six = drawn(tmp_path, more, 6, TASKS[:5])
    assert (four.size, six.size, len(first.calls), len(more.calls)) == (4, 6, 20, 10)
    assert all(six.draws[task][:4] == four.draws[task] for task in four.draws)
    assert len({request.seed for request in first.calls}) == 20


def test_the_curve_is_what_teams_of_that_size_reach(tmp_path) -> None:
    """Majority of 5 at 0.6 with one wrong answer is 0.683; the pool of 10 says so, and so does a real team of 5."""
    pool = drawn(tmp_path / "pool", oracle(), 10)
    vote = [sum(pool.scores(k)) / 120 for k in (1, 5)]
    assert vote[0] == pytest.approx(0.6, abs=0.05)
    assert vote[1] == pytest.approx(0.683, abs=0.06)
    with open_run(tmp_path / "team", create=True) as folder:
        team = self_consistency(generator(oracle()), n=5)
        found = asyncio.run(evaluate(team, TASKS, BENCH, folder, name="sc"))
    assert found.flexible.mean == pytest.approx(vote[1], abs=0.1)
    assert sum(pool.tokens(5)) == pytest.approx(found.usage.tokens, rel=0.01)
    assert sum(pool.scores(10, "pass")) > sum(pool.scores(5, "pass")) > sum(pool.scores(1, "pass"))
    assert sum(pool.scores(5, "all")) < sum(pool.scores(2, "all")) < sum(pool.scores(1, "all"))


def test_a_task_whose_call_failed_is_wrong_in_every_draw(tmp_path) -> None:
    def say(request) -> str:
        if TASKS[1].prompt == request.messages[-1][1]:
            raise CallFailed("out of memory")
        return str(GOLD[request.messages[-1][1]])

    pool = drawn(tmp_path, Scripted(say), 3, TASKS[:3])
    assert [pool.scores(k) for k in (1, 3)] == [[1.0, 0.0, 1.0]] * 2


def synthetic(rates: list[float], size: int, seed: int = 0) -> Pool:
    rng = random.Random(seed)
    draws = {
        str(i): tuple(Draw(0.0, float(rng.random() < rate), None, Usage()) for _ in range(size))
        for i, rate in enumerate(rates)
    }
    return Pool("agent", draws, Usage())


def test_tasks_that_are_alike_do_not_look_hard_or_easy() -> None:
    """The control is the half that chose them: it shows a spread that is luck alone (regression to the mean)."""
    hard, _, easy = synthetic([0.5] * 600, 8).strata()
    assert easy.selected - hard.selected > 0.5
    assert easy.held_out - hard.held_out == pytest.approx(0.0, abs=0.08)


def test_tasks_that_differ_are_told_apart() -> None:
    hard, middle, easy = synthetic([0.1] * 100 + [0.5] * 100 + [0.9] * 100, 16).strata()
    assert (len(hard.tasks), len(middle.tasks), len(easy.tasks)) == (100, 100, 100)
    assert [part.held_out for part in (hard, middle, easy)] == pytest.approx([0.1, 0.5, 0.9], abs=0.08)


def test_one_draw_cannot_be_halved() -> None:
    with pytest.raises(BadInput, match="at least 2 draws"):
        synthetic([0.5], 1).strata()
