"""A system on a benchmark: every task once, scored by rule, with intervals and what it cost. Resumable per task.

Invariants: a failed or unparseable task counts as wrong and is counted as such; the trajectory behind every score is in
the run folder; scores are made from trajectories alone, so scoring again calls no model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from orchestra.engine import Actor, Budget, Purse, run
from orchestra.engine.run import run_id
from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Benchmark, Score
from orchestra.evaluation.statistics import Interval, mean_interval, wilson
from orchestra.trajectory.store import Run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Task, Usage

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, slots=True)
class Item:
    """One task of an evaluation."""

    task: str
    """Task id."""
    trajectory: str
    strict: float
    flexible: float
    parsed: bool
    answer: str | None
    stopped_by: str
    usage: Usage
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """All tasks of one system, in task order."""

    system: str
    benchmark: str
    items: tuple[Item, ...]

    @property
    def strict(self) -> Interval:
        """Accuracy under the strict rule, with its Wilson interval."""
        return wilson(sum(item.strict == 1.0 for item in self.items), len(self.items))

    @property
    def flexible(self) -> Interval:
        """Accuracy under the flexible rule, with its Wilson interval."""
        return wilson(sum(item.flexible == 1.0 for item in self.items), len(self.items))

    @property
    def unparseable(self) -> int:
        """Tasks whose reply held no answer."""
        return sum(not item.parsed for item in self.items)

    @property
    def tokens(self) -> Interval:
        """Tokens a task, in + out, with Student's interval."""
        return mean_interval([float(item.usage.tokens) for item in self.items])

    @property
    def usage(self) -> Usage:
        return sum((item.usage for item in self.items), Usage())

    def right(self, rule: str = "flexible") -> list[bool]:
        """Which tasks were right, in task order: what the paired test takes."""
        return [getattr(item, rule) == 1.0 for item in self.items]

    def summary(self) -> dict[str, Any]:
        """JSON of the figures, without the items."""
        usage = self.usage
        return {
            "system": self.system,
            "benchmark": self.benchmark,
            "n": len(self.items),
            "strict": self.strict._asdict(),
            "flexible": self.flexible._asdict(),
            "unparseable": self.unparseable,
            "failed": sum(item.error is not None for item in self.items),
            "tokens_per_task": round(usage.tokens / len(self.items), 2),
            "usage": {
                "calls": usage.calls,
                "tokens_in": usage.tokens_in,
                "tokens_out": usage.tokens_out,
                "cost": usage.cost,
            },
        }


async def evaluate(
    system: Actor | Callable[[Task], Actor],
    tasks: Sequence[Task],
    benchmark: Benchmark,
    folder: Run,
    *,
    name: str,
    per_task: bool = False,
    seed: int = 0,
    budget: Budget | None = None,
    total: Budget | None = None,
    concurrency: int = 128,
    progress: Progress | None = None,
) -> Result:
    """Runs a system on every task and scores it. What the folder's journal holds is not called again.

    With `per_task`, `system` is a function that gives the team for a task, such as self-consistency with as many
    samples as that task's budget buys. `budget` holds for each task, `total` for all together, allotted in their order.
    """
    if not tasks:
        raise BadInput(f"evaluation of {name!r} has no tasks; fix: --n of at least 1")

    purse = Purse(total, budget) if total is not None else None

    async def one(numbered: tuple[int, Task]) -> Trajectory:
        number, task = numbered
        actor: Any = system(task) if per_task else system  # type: ignore[call-arg,arg-type]
        cap = budget if purse is None else await purse.ledger(number)
        done = await run(actor, task, seed=seed, budget=cap, journal=folder.journal(run_id(actor, task, seed)))
        if purse is not None:
            purse.settle(number, done.usage)
        return done

    return score(await each(one, list(enumerate(tasks)), folder, concurrency, progress), benchmark, name)


async def each(
    work: Callable[[T], Awaitable[Trajectory]],
    things: Sequence[T],
    folder: Run,
    concurrency: int,
    progress: Progress | None,
) -> list[Trajectory]:
    """Does the work for each thing, `concurrency` at a time; the trajectories, in order, once all are on disk."""
    limit, done = asyncio.Semaphore(concurrency), [0]

    async def one(thing: T) -> Trajectory:
        async with limit:
            trajectory = await work(thing)
            if not trajectory.questions:  # with one it is not finished
                folder.add(trajectory)
            done[0] += 1
            if progress is not None:
                progress(done[0], len(things))
            return trajectory

    async with asyncio.TaskGroup() as group:
        running = [group.create_task(one(thing)) for thing in things]
    await folder.flushed()
    return [task.result() for task in running]


def score(trajectories: Sequence[Trajectory], benchmark: Benchmark, name: str) -> Result:
    """Scores finished trajectories, in their order, by the text of their only leaf."""
    return Result(name, benchmark.name, tuple(_item(trajectory, benchmark) for trajectory in trajectories))


def leaf_scores(trajectory: Trajectory, benchmark: Benchmark) -> list[Score]:
    """The score of every leaf of a tree, in order."""
    return [
        benchmark.score(trajectory.task, None if leaf.error is not None else leaf.content) for leaf in trajectory.leaves
    ]


def samples_for(tokens: int, one_sample: float) -> int:
    """How many samples that many tokens buy, rounded, at least one: the self-consistency of an equal budget."""
    return max(1, round(tokens / max(one_sample, 1.0)))


def _item(trajectory: Trajectory, benchmark: Benchmark) -> Item:
    leaf = trajectory.leaf
    found = leaf_scores(trajectory, benchmark)[0]
    return Item(
        trajectory.task.id,
        trajectory.id,
        found.strict or 0.0,
        found.flexible or 0.0,
        found.parsed,
        leaf.answer,
        leaf.stopped_by,
        leaf.usage,
        leaf.error,
    )
