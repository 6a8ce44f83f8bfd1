"""What must be true of a run folder after its writer died, and of the run once it was resumed to its end."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import orchestra.topologies
from orchestra.contracts.topology import wavering
from orchestra.engine import Schedule
from orchestra.engine.door import seeded
from orchestra.models.scripted import Scripted
from orchestra.trajectory.codec import dump, load
from orchestra.trajectory.journal import MemoryJournal
from orchestra.trajectory.reader import Reader
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.trajectory.writer import LINGER
from orchestra.types import Key, Request, Usage
from tests.faults import scenes
from tests.faults.nursery import Job, Nursery

SHELF = Path(orchestra.topologies.__file__).parent
TOPOLOGIES = tuple(sorted(path.stem for path in SHELF.glob("*.py") if path.stem != "__init__"))
KILLED = -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Story:
    """The notes of one child."""

    calls: tuple[int, ...] = ()
    """Seeds of the calls that were begun."""
    puts: tuple[Key, ...] = ()
    acknowledged: int = 0
    """So many of the puts, the first ones, were told to be on disk."""
    others: tuple[str, ...] = ()

    @staticmethod
    def read(path: Path) -> Story:
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return Story(
            tuple(int(words[1]) for words in lines if words[0] == "call"),
            tuple(Key(words[1], int(words[2])) for words in lines if words[0] == "put"),
            max((int(words[1]) for words in lines if words[0] == "acknowledged"), default=0),
            tuple(" ".join(words) for words in lines if words[0] not in ("call", "put", "acknowledged")),
        )


@dataclass(slots=True)
class Tally:
    """What a campaign came to."""

    kills: int = 0
    runs: int = 0
    """Resumed until they were finished."""
    calls: int = 0
    """Begun in all."""
    needed: int = 0
    """Begun in uninterrupted runs."""
    kept: int = 0
    """Effects found after a kill that the killed child had put."""
    unwritten: int = 0
    """Effects that it had put and that no commit had reached: with the calls in flight, what is asked again."""


def journaled(folder: Path, run: str) -> set[Key]:
    """The effects of a run that a new process finds, each verified."""
    found = set[Key]()
    for path in folder.glob("journal-*.sqlite"):
        with closing(Reader(path)) as reader:
            keys = reader.keys(run)
            assert len(keys) == len(set(keys))
            assert all(reader.entry(run, key) for key in keys)
            found.update(keys)
    return found


def check_death(before: Collection[Key], after: Collection[Key], story: Story) -> None:
    """A child that found `before` and left `after` lost nothing acknowledged, and repeated nothing that it found.

    What it put is there up to some commit: a prefix, which holds at least what was acknowledged.
    """
    there = [key in after for key in story.puts]
    assert set(before) <= set(after), "effects of an earlier process are gone"
    assert set(after) <= set(before) | set(story.puts), "effects that nobody put"
    assert there == sorted(there, reverse=True), "a later effect is there and an earlier one is not"
    assert sum(there) >= story.acknowledged, "acknowledged effects are gone"
    assert len(set(story.puts)) == len(story.puts), "an effect was put twice"
    assert not set(before) & set(story.puts), "a journaled effect was put again"
    assert len(set(story.calls)) == len(story.calls), "a call was made twice by one process"
    assert not {seed(key) for key in before} & set(story.calls), "a journaled call was made again"


def seed(key: Key) -> int:
    """The seed of the call that a key names."""
    return int(seeded(Request(()), key).seed)


def transcript(made: Trajectory) -> Trajectory:
    """All of a trajectory, as it is read back, but what depends on the schedule: the calls it wasted."""
    return load(dump(replace(made, waste=Usage())), Trajectory)


class Case:
    """One topology, run or grown in one way, over and over."""

    def __init__(self, topology: str, *, seed: int = 0, draws: int = 1) -> None:
        self.topology, self.seed, self.draws = topology, seed, draws
        self.schedule: Schedule = "speculative" if seed % 2 and draws == 1 else "sequential"
        journal, model = MemoryJournal(), Scripted(wavering)
        played = scenes.played(topology, model, journal, seed=seed, schedule="sequential", draws=draws)
        self.whole = transcript(asyncio.run(played))
        self.effects = frozenset(journal.entries)
        self.calls = sum(not request.options for request in model.calls)

    def job(self, folder: Path, notes: Path, linger: float, after: float | None) -> Job:
        args = {
            "folder": str(folder), "topology": self.topology, "seed": self.seed, "schedule": self.schedule,
            "draws": self.draws, "linger": linger, "notes": str(notes),
        }  # fmt: skip
        return Job("team", args, after)


def kill_and_resume(nursery: Nursery, place: Path, what: Case, kills: int, random: Random, tally: Tally) -> None:
    """Runs a case to its end through SIGKILLs at random moments, in fresh folders until so many have hit."""
    name, enough = f"{what.topology}-{what.seed}-{what.draws}", tally.kills + kills
    start = time.perf_counter()
    assert nursery.run(what.job(place / name, place / f"{name}-notes", LINGER, None)) == [0]
    span = time.perf_counter() - start  # of an uninterrupted run
    while tally.kills < enough:
        _one_run(nursery, place / f"{name}-{tally.runs}", what, span, random, tally)
        tally.runs += 1
        tally.needed += what.calls


def _one_run(nursery: Nursery, folder: Path, what: Case, span: float, random: Random, tally: Tally) -> None:
    status, attempt, before = KILLED, 0, set[Key]()
    while status == KILLED:
        notes = folder.with_name(f"{folder.name}-notes-{attempt}")
        linger = random.choice((0.0, 0.002, LINGER))
        [status] = nursery.run(what.job(folder, notes, linger, random.uniform(0, 1.2 * span)))
        story, after = Story.read(notes), journaled(folder, "team")
        check_death(before, after, story)
        tally.calls += len(story.calls)
        if status == KILLED:
            tally.kills += 1
            tally.kept += len(after - before)
            tally.unwritten += len(set(story.puts) - after)
        before, attempt = after, attempt + 1
    assert status == 0, f"{folder}: a child failed, see its traceback"
    assert before >= what.effects, "a finished run left effects out"
    with open_run(folder) as run:
        [found] = run.trajectories()
    assert transcript(found) == what.whole, f"{folder}: resumed after {attempt - 1} kills it went on otherwise"
