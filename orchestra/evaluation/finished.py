"""A finished evaluation, read back from its folder: its figures, and every system's runs beside their scores.

Invariant: what is read is what was kept. Nothing is scored again here, and no model is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from orchestra.atomic import read_record
from orchestra.errors import BadInput, UnknownName
from orchestra.evaluation.result import Item, Result
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Usage

FILE: Final = "result.json"
VERSION: Final = 1
"""Of result.json."""


class Scored(NamedTuple):
    """One run of a system on a task."""

    item: Item
    trajectory: Trajectory


@dataclass(frozen=True, slots=True)
class Finished:
    """What an `orchestra eval` left."""

    path: Path
    spec: Mapping[str, Any]
    """What was asked, as run.json has it."""
    log: Mapping[str, Any]
    """Versions and models; empty where the evaluation kept none."""
    figures: Mapping[str, Any]
    """Of the team, as `Outcome.summary` gives them, its baselines among them; without items."""
    systems: Mapping[str, tuple[Scored, ...]]
    """Ours first, each in the order of its result."""

    @property
    def team(self) -> str:
        """The name of the system that was evaluated."""
        return str(self.figures["system"])

    @property
    def ours(self) -> tuple[Scored, ...]:
        return self.systems[self.team]

    def of(self, system: str) -> tuple[Scored, ...]:
        """The runs of one system; UnknownName where it was not measured. An empty name is the team's."""
        if system and system not in self.systems:
            raise UnknownName(f"system of {self.path}", system, self.systems)
        return self.systems[system or self.team]

    def results(self) -> list[Result]:
        """Every system's, ours first."""
        name = str(self.figures["benchmark"])
        return [Result(system, name, tuple(run.item for run in runs)) for system, runs in self.systems.items()]


def finished(path: Path) -> Finished:
    """Reads a folder. Raises BadInput where no `orchestra eval` was finished in it."""
    with open_run(path) as run:
        spec = run.spec
        if spec.get("command") != "eval" or not (path / FILE).exists():
            state = "is not finished" if spec.get("command") == "eval" else f"is of the command {spec.get('command')!r}"
            raise BadInput(f"{path} {state}; fix: the --run-dir of an `orchestra eval` that was finished")
        kept = read_record(path / FILE, version=VERSION)
        runs = {found.id: found for found in run.trajectories()}
    rows = dict(_rows(kept))
    own = {name: value for name, value in kept["team"].items() if name != "items"}
    beside = {
        name: {key: value for key, value in row.items() if key != "items"} for name, row in kept["baselines"].items()
    }
    systems = {
        name: tuple(Scored(item, runs[item.trajectory]) for item in map(_item, items)) for name, items in rows.items()
    }
    return Finished(path, spec, kept.get("log", {}), {**own, "baselines": beside}, systems)


def _rows(kept: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    yield kept["team"]["system"], kept["team"]["items"]
    for name, row in kept["baselines"].items():
        yield name, row["items"]


def _item(row: Mapping[str, Any]) -> Item:
    kept = {name: value for name, value in row.items() if name != "content"}
    return Item(**{**kept, "usage": Usage(**row["usage"])})
