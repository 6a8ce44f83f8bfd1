"""What every benchmark promises, as one test that any author can run on theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final

from orchestra.answers import equal
from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Benchmark, Score, content_hash
from orchestra.types import Task

SPLITS: Final = ("train", "dev", "test")
HOSTILE: Final = (
    "",
    " \n\t\x00",
    "#### ",
    "####" * 1000,
    "Answer: " * 1000,
    "\\boxed{" * 1000,
    "\\boxed{" + "}" * 1000,
    "<think>" * 1000 + "</think>" * 999,
    "```\n" * 999,
    "(" * 1000 + "\ud800\u2212\uff11",
    "I cannot solve this problem.",
)
"""Replies that hold no right answer, made to trip a parser; one character of them is a lone surrogate."""


def right(task: Task) -> str:
    """A reply in the strict form of its kind that gives the task's own gold."""
    return {"number": f"#### {task.gold}", "code": str(task.gold)}.get(task.kind, f"Answer: {task.gold}")


def wrong(task: Task) -> str:
    """A reply in the strict form whose answer is not the gold: another choice, or the gold with something after it."""
    gold = str(task.gold)
    others = [choice for choice in task.choices if not equal(choice, gold, task.kind)]
    spoilt = "B" if task.kind == "choice" and gold == "A" else "A" if task.kind == "choice" else gold + "1"
    return right(Task(task.id, task.prompt, others[0] if others else spoilt, task.kind))


def check_benchmark(
    benchmark: Benchmark,
    *,
    n: int = 32,
    level: int = 1,
    splits: Sequence[str] = SPLITS,
    right: Callable[[Task], str] = right,
    wrong: Callable[[Task], str] = wrong,
    loaded: Sequence[Task] = (),
) -> None:
    """Raises AssertionError with the first promise that `benchmark` breaks; samples `n` tasks of each split.

    A benchmark that is all loader refuses to sample with BadInput, and is checked on tasks that it has `loaded`, of one
    split; those of another benchmark are checked beside its samples.

    Promised are: a name and a chance level in [0, 1]; samples that depend on their arguments alone, and on the seed;
    unique ids; splits without common content; golds that the choices allow and the prompt does not give away in the
    strict form; full marks for `right`, none for `wrong`; a failed run and replies that are empty or hostile are wrong
    and never raise.
    """
    assert benchmark.name, "a benchmark needs a name"
    assert 0.0 <= benchmark.chance <= 1.0, f"chance must be in [0, 1], got {benchmark.chance!r}"
    try:
        sampled = {split: benchmark.sample(n, split=split, seed=7, level=level) for split in splits}
    except BadInput as refused:
        if not loaded or "--data" not in str(refused):
            raise
        sampled = {}
    _check_samples(benchmark, sampled, level)
    assert len({(task.id, task.split) for task in loaded}) == len(loaded), "two loaded tasks have one id"
    assert len({task.split for task in loaded}) <= 1, "the loaded tasks are of several splits"
    for task in (*chain(*sampled.values()), *loaded):
        _check_task(task, right(task))
        _check_scores(benchmark, task, right(task), wrong(task))


def _check_samples(benchmark: Benchmark, sampled: dict[str, Sequence[Task]], level: int) -> None:
    met = dict[str, str]()
    for split, tasks in sampled.items():
        n = len(tasks)
        again = benchmark.sample(n, split=split, seed=7, level=level)
        assert list(again) == list(tasks), f"split {split!r}: the same seed gave other tasks"
        other = benchmark.sample(n, split=split, seed=8, level=level)
        assert n < 2 or list(other) != list(tasks), f"split {split!r}: another seed gave the same tasks in order"
        for task in tasks:
            assert task.split == split, f"task {task.id!r} of split {split!r} says it is of {task.split!r}"
            for name in (f"id {task.id!r}", f"content {content_hash(task)} ({task.prompt!r})"):
                assert name not in met, f"{name} is in split {met.get(name)!r} and again in {split!r}"
                met[name] = split


def _check_task(task: Task, given_away: str) -> None:
    assert task.prompt.strip(), f"task {task.id!r} has no prompt"
    assert task.gold is not None, f"task {task.id!r} has no gold"
    assert not task.choices or task.gold in task.choices, (
        f"task {task.id!r}: gold {task.gold!r} not in {task.choices!r}"
    )
    assert given_away not in task.prompt, f"task {task.id!r}: the prompt holds the answer as {given_away!r}"


def _check_scores(benchmark: Benchmark, task: Task, right: str, wrong: str) -> None:
    for text, expected in ((right, Score(1.0, 1.0, True)), (None, Score(0.0, 0.0, False))):
        score = benchmark.score(task, text)
        assert score == expected, f"task {task.id!r}: {text!r} must score {expected}, got {score}"
    for text in (wrong, *HOSTILE):
        score = benchmark.score(task, text)
        assert score[:2] == (0.0, 0.0), f"task {task.id!r}: {text[:80]!r} must score 0, got {score}"
