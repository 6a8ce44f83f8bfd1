"""What re-execution tells of the runs of a folder: each run a task, variants paid once and kept in the folder.

Runs go on side by side, so that their calls fill batches; the variants of one run come one after another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from orchestra.engine import Budget
from orchestra.engine.run import together
from orchestra.evaluation.contribution.replay import Replay
from orchestra.evaluation.contribution.tables import by_agent
from orchestra.evaluation.contribution.worth import Contribution, over_tasks
from orchestra.evaluation.statistics import Interval
from orchestra.trajectory.store import Run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import EMPTY

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Study:
    """What each agent adds, by task and over tasks."""

    runs: tuple[Contribution, ...]
    agents: Mapping[str, Interval]
    """Mean over tasks, with its interval."""
    calls: int
    """Model calls that were paid for it."""


async def replayed(
    measure: Callable[[Replay], Awaitable[T]],
    trajectories: Sequence[Trajectory],
    folder: Run,
    *,
    budget: Budget | None = None,
    concurrency: int = 64,
) -> list[T]:
    """Measures every run, such as with `lambda replay: guilty(team, replay, benchmark)`; results in their order.

    `trajectories` are runs of this folder, `budget` is what each of them had. What is measured again costs nothing.
    """
    limit = asyncio.Semaphore(concurrency)

    async def one(trajectory: Trajectory) -> T:
        async with limit:
            recorded = folder.recorded(trajectory.id)
            return await measure(Replay(trajectory, recorded, keep=folder.journal, budget=budget))

    async with together() as group:
        running = [group.create_task(one(trajectory)) for trajectory in trajectories]
    await folder.flushed()
    return [task.result() for task in running]


async def study(
    producer: str,
    measure: Callable[[Replay], Awaitable[Contribution]],
    trajectories: Sequence[Trajectory],
    folder: Run,
    *,
    settings: Mapping[str, Any] = EMPTY,
    budget: Budget | None = None,
    concurrency: int = 64,
) -> Study:
    """`replayed` for contributions: also saves them as the folder's annotations of that producer."""
    found = await replayed(measure, trajectories, folder, budget=budget, concurrency=concurrency)
    pairs = zip(trajectories, found, strict=True)
    folder.annotate(producer, {run.id: by_agent(producer, run, each, settings) for run, each in pairs})
    return Study(tuple(found), over_tasks(found), sum(each.calls for each in found))
