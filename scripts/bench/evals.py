"""What the harness of an evaluation costs: runs of a team that does no work, and logged answers scored again.

    python scripts/bench/evals.py [--items 2000] [--turns 5] [--json]

`run` is the bare engine with its journal on disk, one task after another in flight as the harness has them; `evaluate`
the same through the harness: seeds, journals by name, trajectories on disk, scores. Their difference a task is what the
harness adds; the goal is under 1 ms. `score` scores 1,319 logged answers, as many as GSM8K's test set has, again under
the strict and the flexible rule, from their trajectories alone; the goal is under 1 s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from orchestra.engine import run
from orchestra.engine.run import run_id
from orchestra.evals import arith
from orchestra.evaluation.evaluate import evaluate, score
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team import Team
from orchestra.topologies import solo
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Request, Task

LOGGED = 1319
"""Answers of GSM8K's test set."""
REPLY = "First 34 and 50 are 84, and 7 more are 91.\nSo that is 91 altogether, since nothing else was asked.\n#### 91"
BENCH = arith("add2")


def items(n: int) -> list[Task]:
    """n tasks; their sums repeat where there are fewer of them."""
    sums = BENCH.sample(min(n, 400), split="test")
    return [Task(f"{i}/{sums[i % 400].id}", sums[i % 400].prompt, sums[i % 400].gold, "number") for i in range(n)]


def bare(team: Team, tasks: Sequence[Task], folder: Path) -> float:
    """Seconds of the engine alone."""

    async def all_of_them() -> None:
        limit = asyncio.Semaphore(128)

        async def one(task: Task) -> Trajectory:
            async with limit:
                return await run(team, task, journal=opened.journal(run_id(team, task, 0)))

        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(one(task))

    with open_run(folder, create=True) as opened:
        return _timed(lambda: asyncio.run(all_of_them()))


def harness(team: Team, tasks: Sequence[Task], folder: Path) -> float:
    """Seconds through the harness."""
    with open_run(folder, create=True) as opened:
        return _timed(lambda: asyncio.run(evaluate(team, tasks, BENCH, opened, name="solo")))


def rescored(team: Team, folder: Path) -> float:
    """Seconds to score what is logged; the model is gone."""
    tasks = items(LOGGED)
    with open_run(folder, create=True) as opened:
        found = asyncio.run(evaluate(team, tasks, BENCH, opened, name="solo"))
        logged = [opened.get(item.trajectory) for item in found.items]
    kept = [trajectory for trajectory in logged if trajectory is not None]
    assert len(kept) == LOGGED
    again = []
    seconds = _timed(lambda: again.append(score(kept, BENCH, "solo")))
    assert again == [found]
    return seconds


def measured(n: int, turns: int) -> dict[str, Any]:
    """Medians over turns; the two sides take turns."""

    def say(request: Request) -> str:
        return REPLY

    team, tasks = solo(generator(Scripted(say))), items(n)
    engine, whole, scoring = [], [], []
    for _ in range(turns):
        with TemporaryDirectory() as place:
            folder = Path(place)
            engine.append(bare(team, tasks, folder / "bare"))
            whole.append(harness(team, tasks, folder / "harness"))
            scoring.append(rescored(team, folder / "scored"))
    added = median(b - a for a, b in zip(engine, whole, strict=True))
    return {
        "items": n,
        "run_per_s": n / median(engine),
        "evaluate_per_s": n / median(whole),
        "added_ms": 1000 * added / n,
        "scored": LOGGED,
        "score_s": median(scoring),
    }


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measured(options.items, options.turns)
    if options.json:
        print(json.dumps(found))
        return
    print("| what | figure | goal |\n|---|---|---|")
    print(f"| bare engine, {found['items']} runs of one agent | {found['run_per_s']:,.0f} items/s | |")
    print(f"| through the harness | {found['evaluate_per_s']:,.0f} items/s | |")
    print(f"| added by the harness | {found['added_ms']:.3f} ms an item | < 1 ms |")
    print(f"| {LOGGED:,} logged answers scored again, no model | {found['score_s']:.3f} s | < 1 s |")


if __name__ == "__main__":
    main()
