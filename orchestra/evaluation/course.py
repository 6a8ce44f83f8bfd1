"""What every system of an evaluation is run on: one list of tasks, one folder, one seed, the same limits.

Invariant: two systems measured on one course differ in the system alone. What was begun and not finished is known at
any time, so that an evaluation that fails leaves what it has and says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestra.engine import Actor, Budget
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.evaluate import evaluate, score
from orchestra.evaluation.result import Result
from orchestra.trajectory.store import Run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Task

Tell = Callable[[str, Trajectory, int], None]
"""Called with the stage, a trajectory that ended there, and how many the stage has in all."""


def _silent(stage: str, ended: Trajectory, total: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Course:
    """What every system of an evaluation is run on."""

    tasks: Sequence[Task]
    benchmark: Benchmark
    folder: Run
    samples: int = 1
    """Runs of every task."""
    seed: int = 0
    budget: Budget | None = None
    """Of each run."""
    total: Budget | None = None
    """Of all runs of one system; every system has as much."""
    concurrency: int = 128
    tell: Tell = _silent
    begun: dict[str, list[Trajectory]] = field(default_factory=dict)
    """System -> what ended of it so far."""

    async def measure(self, system: Actor | Callable[[Task], Actor], name: str, *, per_task: bool = False) -> Result:
        """One system on every task."""
        ended = self.begun[name] = []
        total = len(self.tasks) * self.samples

        def watch(trajectory: Trajectory) -> None:
            ended.append(trajectory)
            self.tell(name, trajectory, total)

        return await evaluate(
            system,
            self.tasks,
            self.benchmark,
            self.folder,
            name=name,
            per_task=per_task,
            samples=self.samples,
            seed=self.seed,
            budget=self.budget,
            total=self.total,
            concurrency=self.concurrency,
            watch=watch,
        )

    def standing(self) -> dict[str, Any]:
        """JSON of every system begun: its items so far, and per task that lacks runs how many are missing."""
        return {name: self._standing(ended, name) for name, ended in self.begun.items()}

    def _standing(self, ended: Sequence[Trajectory], name: str) -> dict[str, Any]:
        items = score(ended, self.benchmark, name).items
        done = [item.task for item in items]
        missing = {task.id: left for task in self.tasks if (left := self.samples - done.count(task.id))}
        return {"done": len(done), "missing": missing, "items": [asdict(item) for item in items]}
