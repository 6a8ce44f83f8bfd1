"""What the children do: each scene is one way of using a run folder, written down so that a killed one can be judged.

A note is one write of less than a page to a file opened for appending: whole or absent, and there after a kill.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.ipc  # type: ignore[import-untyped]  # noqa: F401  # before the first fork

from orchestra.contracts.topology import TASK, assembled, wavering
from orchestra.credit import Scored, Table, nested_mean
from orchestra.engine import Full, Schedule
from orchestra.errors import OrchestraError
from orchestra.models.model import Scores
from orchestra.models.scripted import Scripted
from orchestra.trajectory import writer
from orchestra.trajectory.journal import Entry, Journal
from orchestra.trajectory.shards import seal
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Completion, Key, Request, Task

TASKS = tuple(Task(f"sum-{a}", f"What is {a} + 57?", gold=str(a + 57), kind="number") for a in (34, 12))


class Notes:
    """What a scene writes down, one line each, for whoever looks after its death."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def add(self, *words: object) -> None:
        os.write(self._handle, (" ".join(map(str, words)) + "\n").encode())


class Noted(Scripted):
    """A model that replies by the seed alone, after up to 4 ms, and notes every generation before it is made."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(wavering)
        self._notes = notes

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        for request in requests:
            self._notes.add("call", request.seed)
        await self._think(requests)
        return await super().generate(requests)

    async def score(self, requests: Sequence[Request]) -> Sequence[Scores]:
        await self._think(requests)  # scores have no seed, since they do not depend on a draw; their choices are puts
        return await super().score(requests)

    async def _think(self, requests: Sequence[Request]) -> None:
        await asyncio.sleep(max(request.seed % 5 for request in requests) / 1000)


class Witness:
    """A journal that notes what it is about to queue, and how much of it was acknowledged."""

    def __init__(self, journal: Journal, notes: Notes) -> None:
        self._journal = journal
        self._notes = notes
        self._puts = 0

    def get(self, key: Key) -> Entry | None:
        return self._journal.get(key)

    def put(self, key: Key, entry: Entry) -> None:
        self._puts += 1
        self._notes.add("put", *key)
        self._journal.put(key, entry)

    async def flushed(self) -> None:
        puts = self._puts
        await self._journal.flushed()
        self._notes.add("acknowledged", puts)


async def played(
    topology: str, model: Scripted, journal: Journal, *, seed: int, schedule: Schedule, draws: int
) -> Trajectory:
    """One topology of the shelf on one task: a run, or a tree where `draws` are more than one."""
    team = assembled(getattr(import_module(f"orchestra.topologies.{topology}"), topology), model)
    if draws > 1:
        return await team.grow(TASK, Full(draws), seed=seed, journal=journal)
    return await team.run(TASK, seed=seed, schedule=schedule, journal=journal)


def team(folder: str, topology: str, seed: int, schedule: Schedule, draws: int, linger: float, notes: str) -> None:
    """Runs a topology with its journal in a run folder, and keeps the trajectory there."""
    writer.LINGER = linger  # short: a run of milliseconds is to come to several commits
    noted = Notes(Path(notes))
    with open_run(Path(folder), create=True, spec={"topology": topology}) as run:
        journal = Witness(run.journal("team"), noted)
        made = played(topology, Noted(noted), journal, seed=seed, schedule=schedule, draws=draws)
        run.add(asyncio.run(made))
        asyncio.run(run.flushed())


def life(folder: str, notes: str, limit: str = "", spare: int = 0) -> None:
    """Everything that is ever done to a run folder: made, written by runs, annotated, closed, sealed.

    Under a `limit` (a resource of the operating system, or a small disk) it may end early, with one error of ours,
    which is noted.
    """
    writer.LINGER = 0.001
    noted = Notes(Path(notes))
    with asyncio.Runner() as runner:
        runner.get_loop()  # it needs file descriptors of its own
        if limit.startswith("RLIMIT_"):
            _confine(limit, spare)
        try:
            _live(Path(folder), noted, runner)
        except OrchestraError as error:
            if not limit:
                raise
            noted.add("error", type(error).__name__, error)


def _live(folder: Path, noted: Notes, runner: asyncio.Runner) -> None:
    with open_run(folder, create=True, spec={"seed": 7}) as run:
        journal, trees = Witness(run.journal("life"), noted), list[Trajectory]()
        for task in TASKS:
            trees.append(runner.run(tree(task, Noted(noted), journal)))
            run.add(trees[-1])
            runner.run(run.flushed())
            noted.add("kept", trees[-1].id)
        run.annotate("nested_mean", values(trees))
        noted.add("annotated")
    seal(folder)
    noted.add("sealed")


def warm_up() -> None:
    """Has validators built and templates compiled, so that children need not. Leaves no thread behind."""
    with TemporaryDirectory() as folder:
        team(f"{folder}/run", "chain", 0, "sequential", 1, 0.0, f"{folder}/notes")
        with open_run(Path(f"{folder}/run")) as run:
            [made] = run.trajectories()
            assert run.journal("team").get(made.decisions[0].key)


async def tree(task: Task, model: Scripted, journal: Journal) -> Trajectory:
    """A chain of three on one task, two draws of each role: 14 calls, 8 leaves."""
    team = assembled(import_module("orchestra.topologies.chain").chain, model)
    return await team.grow(task, Full(2), seed=7, journal=journal)


def values(trees: Sequence[Trajectory]) -> dict[str, Table]:
    """Annotations by trajectory id; a reply of 91 is right."""
    scored = [Scored(made, tuple({"task": float(leaf.answer == "91")} for leaf in made.leaves)) for made in trees]
    return dict(zip((made.id for made in trees), nested_mean()(scored), strict=True))


def _confine(limit: str, spare: int) -> None:
    """Leaves so many file descriptors, or so many bytes a file."""
    kind: Any = getattr(resource, limit)
    used = len(list(Path("/proc/self/fd").iterdir())) - 1 if limit == "RLIMIT_NOFILE" else 0
    resource.setrlimit(kind, (used + spare, resource.getrlimit(kind)[1]))
