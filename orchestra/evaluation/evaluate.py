"""A system on a benchmark: every task, once or several times, run and scored. Resumable per run.

Invariants: the trajectory behind every score is in the run folder; scores are made from trajectories alone, so scoring
again calls no model.

Several samples of a task are runs of the whole team, each with a seed of its own. They are not draws of one tree: what
does not depend on the decision that branched, such as the first answers of the others in a debate, would be the same in
all draws, and the outcomes would not be independent, as pass@k needs them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from orchestra.digest import digest
from orchestra.engine import Actor, Budget, Purse, run
from orchestra.engine.run import run_id, together
from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Benchmark, Score
from orchestra.evaluation.result import Item, Result
from orchestra.evaluation.sources.seats import seated
from orchestra.trajectory.store import Run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Task

__all__ = [
    "Item",
    "Progress",
    "Result",
    "Watch",
    "each",
    "evaluate",
    "leaf_scores",
    "sample_seed",
    "samples_for",
    "score",
]

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Called with (done, total)."""
Watch = Callable[[Trajectory], None]
"""Called with each trajectory when it ends, in no certain order."""


async def evaluate(
    system: Actor | Callable[[Task], Actor],
    tasks: Sequence[Task],
    benchmark: Benchmark,
    folder: Run,
    *,
    name: str,
    per_task: bool = False,
    samples: int = 1,
    seed: int = 0,
    budget: Budget | None = None,
    total: Budget | None = None,
    concurrency: int = 128,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Result:
    """Runs a system `samples` times on every task and scores it. What the folder's journal holds is not called again.

    With `per_task`, `system` is a function that gives the team for a task, such as self-consistency with as many
    samples as that task's budget buys. `budget` holds for each run, `total` for all together, allotted in task order:
    first one sample of every task, then another. Where evidence is split between seats and the system lacks one, it
    is told everything (`sources.seats`).
    """
    if not tasks or samples < 1:
        raise BadInput(f"evaluation of {name!r}: {len(tasks)} tasks, {samples} samples; fix: at least one of each")
    if twice := [task for task, times in Counter(task.id for task in tasks).items() if times > 1]:
        raise BadInput(f"evaluation of {name!r}: several tasks are called {twice[0]!r}; fix: an id for each")
    purse = Purse(total, budget) if total is not None else None

    async def one(numbered: tuple[int, Task]) -> Trajectory:
        number, task = numbered
        own = sample_seed(seed, number // len(tasks))
        actor: Any = system(task) if per_task else system  # type: ignore[call-arg,arg-type]
        task = seated(task, actor)
        cap = budget if purse is None else await purse.ledger(number)
        done = await run(actor, task, seed=own, budget=cap, journal=folder.journal(run_id(actor, task, own)))
        if purse is not None:
            purse.settle(number, done.usage)
        if watch is not None:
            watch(done)
        return done

    return score(await each(one, list(enumerate([*tasks] * samples)), folder, concurrency, progress), benchmark, name)


def sample_seed(seed: int, sample: int) -> int:
    """The seed of a task's sample of that number; the first is the seed itself, so that more samples go on from one.

    >>> sample_seed(7, 0), sample_seed(7, 1) == sample_seed(8, 0)
    (7, False)
    """
    return seed if sample == 0 else int(digest("sample", str(seed), str(sample))[:12], 16)


async def each(
    work: Callable[[T], Awaitable[Trajectory]],
    things: Sequence[T],
    folder: Run,
    concurrency: int,
    progress: Progress | None,
) -> list[Trajectory]:
    """Does the work for each thing, `concurrency` at a time; the trajectories, in order, once all are on disk.

    The first failure is raised as itself.
    """
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

    async with together() as group:
        running = [group.create_task(one(thing)) for thing in things]
    await folder.flushed()
    return [task.result() for task in running]


def score(trajectories: Iterable[Trajectory], benchmark: Benchmark, name: str) -> Result:
    """Scores finished trajectories, in their order, by the text of their only leaf; a task's are its samples."""
    before: Counter[str] = Counter()
    items = []
    for trajectory in trajectories:
        items.append(_item(trajectory, benchmark, before[trajectory.task.id]))
        before[trajectory.task.id] += 1
    return Result(name, benchmark.name, tuple(items))


def leaf_scores(trajectory: Trajectory, benchmark: Benchmark) -> list[Score]:
    """The score of every leaf of a tree, in order."""
    return [
        benchmark.score(trajectory.task, None if leaf.error is not None else leaf.content) for leaf in trajectory.leaves
    ]


def samples_for(tokens: int, one_sample: float) -> int:
    """How many samples that many tokens buy, rounded, at least one: the self-consistency of an equal budget."""
    return max(1, round(tokens / max(one_sample, 1.0)))


def _item(trajectory: Trajectory, benchmark: Benchmark, sample: int) -> Item:
    leaf, task = trajectory.leaf, trajectory.task
    strict, flexible, parsed = leaf_scores(trajectory, benchmark)[0]
    return Item(
        task.id,
        trajectory.id,
        strict,
        flexible,
        parsed,
        leaf.answer,
        leaf.stopped_by,
        leaf.usage,
        leaf.error,
        task.family,
        sample,
    )
