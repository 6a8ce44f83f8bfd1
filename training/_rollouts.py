"""Rollouts: what the team says with the weights of a step, on tasks that no other step has.

Each process draws the trees of its tasks, `index mod processes`, with an engine, a model and a journal of its own; then
all have all trees, in the tasks' order. Draws are named by step and task, so what a killed process had drawn is not
drawn again, and the number of processes does not change what is drawn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from orchestra.digest import digest
from orchestra.engine import Full
from orchestra.errors import BadInput, OrchestraError
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.collect import Mode, branching, screened, trees
from orchestra.learning.settings import processes
from orchestra.models.model import Model, Policy
from orchestra.team import Team
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import FrozenMap, Task

FOLDER: Final = "rollouts"
NEEDED: Final = ("ids", "logprobs", "adapters")
"""What a model must be able to do to be learnt by."""


def check(model: Model) -> None:
    """Raises BadInput for a model whose replies nobody can learn from."""
    lacking = [name for name in NEEDED if name not in model.capabilities]
    if lacking:
        raise BadInput(
            f"expected a model with {', '.join(NEEDED)} to learn by reinforcement, {model.name!r} lacks "
            f"{', '.join(lacking)}; fix: --model smollm2, tiny or hf:FOLDER"
        )


def draw(
    team: Team,
    benchmark: Benchmark,
    tasks: Sequence[Task],
    folder: Path,
    *,
    mode: Mode,
    draws: Mapping[str, int],
    seed: int,
    step: int,
    screen: int = 0,
    differ: Callable[[Trajectory], bool] = bool,
    progress: Callable[[int, int], None] | None = None,
) -> list[tuple[int, Trajectory]]:
    """This process's trees of a step, with the places of their tasks. `draws`: role -> number of a state.

    With `screen`, of the mode `full`: at most so many draws of each state first, and the others where these `differ`.
    """
    rank, world = processes()
    own = [(place, task) for place, task in enumerate(tasks) if place % world == rank]
    asked, seed = [task for _, task in own], seed_of(seed, step)
    with open_run(folder / FOLDER / f"rank-{rank}", create=True) as run:
        if screen:
            few, whole = _full({role: min(screen, n) for role, n in draws.items()}), _full(draws)
            going = screened(team, asked, few, whole, differ, run, seed=seed, progress=progress)
        else:
            branch = branching(mode, team, benchmark, max(draws.values()), FrozenMap(draws))
            going = trees(team, asked, branch, run, seed=seed, progress=progress)
        found = asyncio.run(going)
    return [(place, tree) for (place, _), tree in zip(own, found, strict=True)]


def _full(draws: Mapping[str, int]) -> Full:
    return Full(max(draws.values()), FrozenMap(draws))


def gathered(work: Callable[[], Sequence[tuple[int, Trajectory]]]) -> list[Trajectory]:
    """The trees of all processes, in the order of their tasks; every process calls it. What failed on one process fails
    on all, so that none waits for it and the first can tell why."""
    from accelerate.utils import gather_object  # type: ignore[import-untyped]  # noqa: PLC0415  (loads torch)

    own, failures = list[tuple[int, Trajectory]](), list[OrchestraError]()
    try:
        own = list(work())
    except OrchestraError as error:
        failures.append(error)
    for failure in gather_object(failures):
        raise failure
    return [tree for _, tree in sorted(gather_object(own), key=lambda placed: placed[0])]


def seed_of(seed: int, step: int) -> int:
    """Another one each step, so that a task asked again is drawn anew.

    >>> seed_of(0, 1) == seed_of(0, 1) != seed_of(0, 2)
    True
    """
    return int(digest("rollouts", str(seed), str(step))[:12], 16)


def bound(
    names: Sequence[str], model: Model, version: int, output: Path, starts: Mapping[str, Path]
) -> dict[str, Policy]:
    """The policies at a version: 0 is what they started with, later ones are published in `output`."""
    if version == 0:
        return {name: Policy(name, model, str(starts.get(name, ""))) for name in names}
    return {name: Policy(name, model, str(output / f"{name}@{version}"), version) for name in names}
