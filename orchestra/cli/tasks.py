"""The tasks of `orchestra eval` and `orchestra collect`: generated, or read from a file in the official format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestra.cli import shelf
from orchestra.digest import canonical, digest
from orchestra.errors import BadData, BadInput
from orchestra.evaluation.benchmark import Benchmark, content_hash
from orchestra.evaluation.sources.files import check_split
from orchestra.team import AnswerOf
from orchestra.types import Task

USUAL = 100
"""Tasks that are generated, unless --n says another number."""


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """Which tasks of a benchmark."""

    n: Annotated[int | None, typer.Option("--n", min=1, help="How many; 100 generated ones, or all of a file.")] = None
    level: Annotated[
        int | None, typer.Option(min=0, max=4, help="Difficulty of generated ones, 0 to 4; usually 1.")
    ] = None
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file in the benchmark's official format; its first N tasks.")
    ] = None

    seats: Annotated[
        str, typer.Option(metavar="NODE,...", help="Of a benchmark that splits its evidence: who is told a part of it.")
    ] = ""

    def benchmark(self, name: str) -> Benchmark:
        """The benchmark of that name, told to these seats."""
        return shelf.benchmark(name, [seat for seat in self.seats.split(",") if seat])


def chosen(benchmark: Benchmark, options: TaskOptions, *, split: str, seed: int) -> Sequence[Task]:
    """The tasks, which are a function of the arguments alone. Raises BadInput and BadData where there are too few."""
    if options.data is None:
        level = 1 if options.level is None else options.level
        return benchmark.sample(options.n or USUAL, split=split, seed=seed, level=level)
    if options.level is not None:
        raise BadInput("--level is of generated tasks, --data are not generated; fix: leave one of them out")
    check_split(options.data, split)
    found = benchmark.load(options.data, split=split)
    if len(found) < (options.n or 1):
        raise BadData(f"expected {options.n or 1} tasks in {options.data}, got {len(found)}; fix: a smaller --n")
    return found[: options.n]


def answers_of(tasks: Sequence[Task]) -> AnswerOf:
    """The kind of answer that all these tasks want, with their choices where they share them; else numbers."""
    kinds, choices = {task.kind for task in tasks}, {task.choices for task in tasks}
    if len(kinds) != 1:
        return AnswerOf("number")
    return AnswerOf(kinds.pop(), choices.pop() if len(choices) == 1 else ())


def described(benchmark: Benchmark, tasks: Sequence[Task], split: str) -> dict[str, Any]:
    """What the spec of a run says of its tasks: how they are called and what they ask, whatever file they came from."""
    asked = canonical([[task.id, content_hash(task), task.gold] for task in tasks])
    return {"benchmark": benchmark.name, "split": split, "n": len(tasks), "tasks": digest(asked)}
