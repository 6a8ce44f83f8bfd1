"""A Team is a Graph that can be called: hence an Actor, hence a node of other teams. Also run, stream, map and grow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestra.digest import canonical, digest
from orchestra.engine.branch import Branch
from orchestra.engine.budget import Budget
from orchestra.engine.context import Context, Notice, Schedule
from orchestra.engine.graph import Graph
from orchestra.engine.loop import walk
from orchestra.engine.purse import Purse
from orchestra.engine.run import run, together
from orchestra.engine.tree import grow
from orchestra.errors import BadInput, BadTeam
from orchestra.models.model import Model, Policy
from orchestra.team import draw
from orchestra.team.registry import register
from orchestra.team.saving import diff, patch, save
from orchestra.team.saving.changes import Change, Changes
from orchestra.trajectory.journal import Journal
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import EMPTY, Reply, Task, View


@register("team")
@dataclass(frozen=True)
class Team(Graph):
    """A frozen graph of named actors, with stop and output.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> from orchestra.topologies import solo
    >>> solo(generator(Scripted(["The answer is 4."]))).run_sync("What is 2 + 2?").answer
    '4'
    """

    def __call__(self, view: View, ctx: Context) -> Coroutine[Any, Any, Reply]:
        return walk(self, view, ctx)

    def run(
        self,
        task: Task | str,
        *,
        seed: int = 0,
        budget: Budget | None = None,
        journal: Journal | None = None,
        schedule: Schedule = "sequential",
        **options: Any,
    ) -> Coroutine[Any, Any, Trajectory]:
        """One task; to be awaited. A failed run returns its trajectory too, with the error on its leaf. More options:
        `start`, `ask`, `signals`, `notify`, `rebuild`, as `orchestra.engine.run` has them.
        """
        self.check_able()
        return run(self, task, seed=seed, budget=budget, journal=journal, schedule=schedule, **options)

    def run_sync(self, task: Task | str, **options: Any) -> Trajectory:
        """`run` for code that is not asynchronous; takes the same options."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.run(task, **options))
        raise BadInput("run_sync was called where an event loop runs, such as a notebook; fix: await team.run(...)")

    async def stream(self, task: Task | str, **options: Any) -> AsyncIterator[Notice | Trajectory]:
        """What happens, as it happens, and the Trajectory last. Deltas are provisional until their message comes."""
        queue: asyncio.Queue[Notice | Trajectory | None] = asyncio.Queue()

        async def work() -> None:
            try:
                queue.put_nowait(await run(self, task, notify=queue.put_nowait, **options))
            finally:
                queue.put_nowait(None)

        running = asyncio.create_task(work())
        try:
            while (item := await queue.get()) is not None:
                yield item
            await running
        finally:  # left early, or cancelled
            running.cancel()
            await asyncio.wait([running])

    async def map(
        self,
        tasks: Sequence[Task | str],
        *,
        concurrency: int = 64,
        budget: Budget | None = None,
        total: Budget | None = None,
        **options: Any,
    ) -> list[Trajectory]:
        """Many tasks, results in their order; one that fails does not stop the others. `budget` holds for each task,
        `total` for all together: it is allotted in their order.
        """
        self.check_able()
        limit = asyncio.Semaphore(concurrency)
        purse = Purse(total, budget) if total is not None else None

        async def one(number: int, task: Task | str) -> Trajectory:
            async with limit:
                if purse is None:
                    return await run(self, task, budget=budget, **options)
                done = await run(self, task, budget=await purse.ledger(number), **options)
                purse.settle(number, done.usage)
                return done

        async with together() as group:
            running = [group.create_task(one(number, task)) for number, task in enumerate(tasks)]
        return [task.result() for task in running]

    async def grow(
        self,
        task: Task | str,
        branch: Branch,
        *,
        seed: int = 0,
        budget: Budget | None = None,
        cap: Budget | None = None,
        journal: Journal | None = None,
        start: Mapping[str, int] = EMPTY,
    ) -> Trajectory:
        """One task, branched: see `orchestra.engine.tree`."""
        self.check_able()
        return await grow(self, task, branch, seed=seed, budget=budget, cap=cap, journal=journal, start=start)

    def save(self) -> dict[str, Any]:
        """The team as data: names and plain arguments, functions and classes by registered name."""
        return save.save(self)

    def write(self, path: Path | str) -> None:
        """Saves it as a JSON or YAML file, by the ending; whole or not at all."""
        save.write(Path(path), self)

    @staticmethod
    def load(data: Mapping[str, Any] | Path | str, policies: Mapping[str, Policy] | Model) -> Team:
        """A saved team, from data or a JSON or YAML file; policies by name, or one model that stands for all."""
        team = save.load(data, policies)
        if not isinstance(team, Team):
            raise save.not_a_team(team)
        return team

    def diff(self, other: Team) -> list[Change]:
        """What makes the other of this one, a change each; `patch` takes them."""
        return diff.diff(self, other)

    def patch(self, changes: Changes | Path, policies: Mapping[str, Policy] = EMPTY) -> Team:
        """The team with these changes, such as `{"nodes.judge.actor.role.temperature": 0}`, or those of a file.

        Raises BadInput, naming the place, for a change that cannot be made.
        """
        return patch.patch(self, changes, policies)

    @cached_property
    def digest(self) -> str:
        """Names this team by what it is: covers roles, wiring, stop and output, and policies by name alone."""
        return digest(canonical(save.outline(self)))

    def check_able(self) -> None:
        """Raises BadTeam, naming every agent whose model cannot do what its role needs. Looked at once a team."""
        if self._lacks:
            raise BadTeam(f"team {self.name!r}: {self._lacks}; fix: another model for it")

    @cached_property
    def _lacks(self) -> str:
        return "; ".join(filter(None, (agent.lacks() for agent in self.agents())))

    def agents(self) -> list[Any]:
        """Every Agent in it, those of nested teams included, in order of declaration."""
        return save.agents(self)

    def to_mermaid(self) -> str:
        """The graph as Mermaid text: solid edges in the same round, dotted ones to the next."""
        return draw.mermaid(self)

    def to_svg(self, trajectory: Trajectory | None = None) -> str:
        """The graph as an SVG picture; with a trajectory of this team, what it did there."""
        return draw.svg(self, draw.overlay(self, trajectory) if trajectory else None)

    def to_networkx(self) -> Any:
        """The graph as a networkx.MultiDiGraph; `orchestra.team.convert.from_networkx` is the way back."""
        from orchestra.team.convert import to_networkx  # noqa: PLC0415  (import orchestra does not pay for networkx)

        return to_networkx(self)
