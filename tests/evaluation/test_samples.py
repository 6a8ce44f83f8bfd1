"""Several runs of a task: independent, told apart, continued; and what was run is not run again."""

from __future__ import annotations

import asyncio

import pytest

from orchestra.errors import BadInput, CallFailed
from orchestra.evals import arith
from orchestra.evaluation.course import Course
from orchestra.evaluation.evaluate import evaluate, score
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator
from orchestra.topologies import debate, solo
from orchestra.trajectory.store import open_run

BENCH = arith("add2")
TASKS = BENCH.sample(6, split="test")


def dice() -> Scripted:
    return Scripted(lambda request: str(request.seed % 1000))


def broken(request: object) -> str:
    raise AssertionError("a model was called")


def test_samples_are_independent_in_every_agent(tmp_path) -> None:
    """A tree branched at its first decision would repeat what the other debaters said at first."""
    model = dice()
    team = debate([debater(model, name=n) for n in "abc"], rounds=1)
    with open_run(tmp_path, create=True) as folder:
        found = asyncio.run(evaluate(team, TASKS, BENCH, folder, name="d", samples=4))
        trees = list(folder.trajectories())
    assert [(item.task, item.sample) for item in found.items] == [(t.id, k) for k in range(4) for t in TASKS]
    assert len({item.trajectory for item in found.items}) == 24
    seeds = [request.seed for request in model.calls]
    assert len(set(seeds)) == len(seeds) == 6 * 4 * 3
    said = {(t.task.id, d.agent, d.completion.text) for t in trees for d in t.decisions if d.completion}
    assert len(said) > 60


def test_more_samples_go_on_from_fewer(tmp_path) -> None:
    with open_run(tmp_path, create=True) as folder:
        first, more = dice(), dice()
        one = asyncio.run(evaluate(solo(generator(first)), TASKS, BENCH, folder, name="s", samples=2))
        three = asyncio.run(evaluate(solo(generator(more)), TASKS, BENCH, folder, name="s", samples=3))
    assert three.items[:12] == one.items
    assert (len(first.calls), len(more.calls)) == (12, 6)


def test_scoring_again_calls_no_model(tmp_path) -> None:
    team = solo(generator(dice()))
    with open_run(tmp_path, create=True) as folder:
        found = asyncio.run(evaluate(team, TASKS, BENCH, folder, name="s", samples=2))
    silent = solo(generator(Scripted(broken)))
    with open_run(tmp_path) as folder:
        assert asyncio.run(evaluate(silent, TASKS, BENCH, folder, name="s", samples=2)) == found
        kept = [folder.get(item.trajectory) for item in found.items]
    assert score([trajectory for trajectory in kept if trajectory], BENCH, "s") == found
    with open_run(tmp_path / "other", create=True) as folder:  # the control: without what was recorded it is called
        other = asyncio.run(evaluate(silent, TASKS, BENCH, folder, name="s"))
    assert all("a model was called" in str(item.error) for item in other.items)


def test_what_ended_is_known_and_what_is_missing(tmp_path) -> None:
    """The third task finds a broken disk; the course knows what ended before, and a repeat asks for the rest alone."""

    def say(request) -> str:
        if TASKS[2].prompt in request.messages[-1][1]:
            raise BadInput("no such adapter")
        return "0"

    with open_run(tmp_path, create=True) as folder:
        course = Course(TASKS, BENCH, folder, samples=2, concurrency=1)
        with pytest.raises(BadInput, match="no such adapter"):
            asyncio.run(course.measure(solo(generator(Scripted(say))), "s"))
        standing = course.standing()["s"]
    assert standing["done"] == 2
    assert standing["missing"] == {task.id: 1 + (i >= 2) for i, task in enumerate(TASKS)}
    assert [item["task"] for item in standing["items"]] == [task.id for task in TASKS[:2]]
    healthy = dice()
    with open_run(tmp_path) as folder:
        asyncio.run(Course(TASKS, BENCH, folder, samples=2).measure(solo(generator(healthy)), "s"))
    asked = [request.messages[-1][1] for request in healthy.calls]
    assert [asked.count(task.prompt) for task in TASKS[:3]] == [1, 1, 2]


def test_a_failed_call_is_data_and_every_end_is_told(tmp_path) -> None:
    def say(request) -> str:
        if TASKS[1].prompt in request.messages[-1][1]:
            raise CallFailed("out of memory")
        return "0"

    seen: list[tuple[str, str, int]] = []
    with open_run(tmp_path, create=True) as folder:
        course = Course(
            TASKS, BENCH, folder, tell=lambda stage, ended, total: seen.append((stage, ended.task.id, total))
        )
        found = asyncio.run(course.measure(solo(generator(Scripted(say))), "s"))
    assert [item.error is not None for item in found.items] == [False, True, False, False, False, False]
    assert sorted(seen) == sorted(("s", task.id, 6) for task in TASKS)


def test_nothing_to_evaluate_is_refused(tmp_path) -> None:
    with open_run(tmp_path, create=True) as folder:
        for tasks, samples in (([], 1), (TASKS, 0)):
            with pytest.raises(BadInput, match="at least one of each"):
                asyncio.run(evaluate(solo(generator(dice())), tasks, BENCH, folder, name="s", samples=samples))


def test_two_tasks_of_one_name_are_refused(tmp_path) -> None:
    """They would pass for two samples of one task."""
    with open_run(tmp_path, create=True) as folder, pytest.raises(BadInput, match="several tasks are called"):
        asyncio.run(evaluate(solo(generator(dice())), [TASKS[0], TASKS[0]], BENCH, folder, name="s"))
