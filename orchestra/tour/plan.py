"""How large the tour is, and what its stages share."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from orchestra.atomic import read_record, write_record
from orchestra.evaluation.benchmark import Benchmark
from orchestra.models.model import Model
from orchestra.models.names import load_model
from orchestra.models.progress import Report
from orchestra.trajectory.store import Run, open_run

T = TypeVar("T")
RECORD: Final = 1
"""Version of a stage's saved figures."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The tour's budget; fixed before anything runs."""

    development: int = 30
    """Items on which each system's prompt is chosen."""
    held_out: int = 120
    training: int = 240
    samples: int = 4
    """Draws of the generator on each training item."""
    contrast: int = 24
    """Items under whose right and wrong draws the verifier and the refiner are grown."""
    branch: int = 3
    per_task: int = 1
    """Most rows of one item and role: right answers to one item are mostly the same text."""
    epochs: int = 3
    lr: float = 6e-4
    decisions: int = 300
    """Of the expert, to train the citizen on."""
    citizen_epochs: int = 3
    citizen_lr: float = 1e-3
    citizen_batch: int = 4
    """Rows are few and short: smaller steps, more of them."""
    agents: int = 1_000_000
    days: int = 60


SMALL: Final = Sizes(
    development=4, held_out=8, training=24, samples=2, contrast=2, branch=2, epochs=1,
    decisions=12, citizen_epochs=1, agents=2_000, days=5,
)  # fmt: skip
"""A tour of a minute, to see that everything runs; its figures mean nothing."""


@dataclass
class Tour:
    """One tour: where it writes, with what model, and how it tells how far it is."""

    folder: Path
    model_name: str
    sizes: Sizes
    seed: int
    benchmark: Benchmark
    report: Report
    stages: list[dict[str, Any]] = field(default_factory=list)
    """Name, seconds and figures of each stage so far."""

    @cached_property
    def model(self) -> Model:
        return load_model(self.model_name)

    def run(self, name: str) -> Run:
        """A run folder of the tour's, made if it is not there."""
        return open_run(self.folder / name, create=True)

    def progress(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self.report(what, done, total)

    def stage(self, name: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The figures of a stage: saved ones if it was finished before, else those of doing it now."""
        file = self.folder / "stages" / f"{name}.json"
        if not file.exists():
            print(f"tour: {name}", file=sys.stderr)
            began = time.monotonic()
            figures = dict(work())
            seconds = round(time.monotonic() - began, 1)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_record(file, {"figures": figures, "seconds": seconds}, version=RECORD)
        saved = read_record(file, version=RECORD)  # also when it was just written: a tour told again reads the same
        self.stages.append({"name": name, **saved})
        return dict(saved["figures"])


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end from code that is not asynchronous."""
    return asyncio.run(work)
