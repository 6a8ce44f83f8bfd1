"""What the loops of collecting, training and measuring share: stages, each done once, and the recipes that they start.

A stage's figures are saved when it ends, its model calls as they are made, its adapters as they are published; so a
loop that was stopped goes on where it was, with the same command, and one that is finished is told again.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from orchestra.atomic import read_record, write_atomic, write_record
from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import Benchmark, guard_overlap
from orchestra.evaluation.evaluate import evaluate
from orchestra.evaluation.gate import Decision
from orchestra.evaluation.result import Item, Result
from orchestra.learning.adapters import MANIFEST, bind
from orchestra.learning.promotion import promote
from orchestra.learning.settings import processes
from orchestra.models import names
from orchestra.models.model import Model, Policy
from orchestra.models.progress import Report
from orchestra.training._launch import Launch, accelerated, here
from orchestra.training._options import RECIPES, benchmark, words
from orchestra.trajectory.store import Run, open_run
from orchestra.types import Task, Usage

T = TypeVar("T")
RECORD: Final = 1
"""Version of a stage's saved figures."""
STANDING: Final = "standing"
"""The adapter folder of what the gate let through."""
HOW: Final = ("out", "json", "launch", "processes")
"""Options that change where and how, not what."""


@dataclass
class Loop:
    """One loop: where it writes, with what model, and what was done so far."""

    folder: Path
    model_name: str
    benchmark: Benchmark
    seed: int
    report: Report
    launch: Launch = "accelerate"
    processes: int = 1
    stages: list[dict[str, Any]] = field(default_factory=list)
    """Name, seconds and figures of each stage so far."""

    @cached_property
    def model(self) -> Model:
        return names.load_model(self.model_name)

    def run(self, name: str) -> Run:
        """A run folder of the loop's, made if it is not there."""
        return open_run(self.folder / name, create=True)

    def adapters(self, name: str) -> Path:
        return self.folder / "adapters" / name

    def progress(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self.report(what, done, total)

    def say(self, line: str) -> None:
        print(line, file=sys.stderr)

    def stage(self, name: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The figures of a stage: saved ones if it was finished before, else those of doing it now."""
        file = self.folder / "stages" / f"{name}.json"
        if not file.exists():
            self.say(name)
            began = time.monotonic()
            figures = dict(work())
            file.parent.mkdir(parents=True, exist_ok=True)
            write_record(file, {"figures": figures, "seconds": round(time.monotonic() - began, 1)}, version=RECORD)
        saved = read_record(file, version=RECORD)  # also when just written, so that it reads the same when told again
        self.stages.append({"name": name, **saved})
        return dict(saved["figures"])

    def measured(self, name: str, make: Callable[[], Any], tasks: Sequence[Task]) -> Result:
        """A stage: a system on tasks. `make` gives it, and is not called where it was measured before."""

        def work() -> dict[str, Any]:
            with self.run(f"measured/{name}") as folder:
                going = evaluate(
                    make(), tasks, self.benchmark, folder, name=name, seed=self.seed, progress=self.progress(name)
                )
                found = wait(going)
            return {**found.summary(), "items": [asdict(item) for item in found.items]}

        saved = self.stage(f"measure {name}", work)["items"]
        items = tuple(Item(**{**each, "usage": Usage(**each["usage"])}) for each in saved)
        return Result(name, self.benchmark.name, items)

    def forecast(self, passes: float) -> None:
        """Tells how long so many runs of the team will take, by how long the first measured ones took."""
        first = next(stage for stage in self.stages if "items" in stage["figures"])
        minutes = passes * first["seconds"] / first["figures"]["n"] / 60
        self.say(f"about {passes:.0f} runs of the team to come, some {minutes:.1f} min, and the trainings besides")

    def fitted(self, name: str, recipe: str, *words: str) -> dict[str, Any]:
        """A stage: a recipe of the shelf with these words; the figures that it prints."""
        given = [*words, "--model", self.model_name, "--seed", str(self.seed), "--json"]
        if self.launch == "here":
            return self.stage(name, lambda: here(recipe, given))
        return self.stage(name, lambda: accelerated(recipe, given, self.processes))

    def gate(self, name: str, decide: Callable[[], Decision], candidate: str) -> Decision:
        """A stage: the adapters `candidate` take the place of what stands if the gate says so."""

        def work() -> dict[str, Any]:
            decision = decide()
            if decision.promoted:
                figures = {key: value for key, value in decision.figures().items() if type(value) in (int, float)}
                promote(self.adapters(candidate), self.adapters(STANDING), figures)
            return decision.figures()

        decision = Decision(**self.stage(name, work))
        self.say(f"{name}: {decision}")
        return decision

    def policies(self, wanted: Sequence[str], adapters: str = "") -> dict[str, Policy]:
        """Policy name -> its weights: of these adapters if they have it, else the base. What stands may be nothing yet;
        other adapters raise as `bind` does where they are gone."""
        nothing = not adapters or (adapters == STANDING and not (self.adapters(adapters) / MANIFEST).exists())
        bound = {} if nothing else bind(self.adapters(adapters))
        return {
            name: Policy(name, self.model, str(bound[name].folder), bound[name].version)
            if name in bound
            else Policy(name, self.model)
            for name in wanted
        }

    def finish(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Writes result.json: this, and every stage's figures but the single items."""
        stages = [
            {**stage, "figures": {k: v for k, v in stage["figures"].items() if k != "items"}} for stage in self.stages
        ]
        seconds = round(sum(stage["seconds"] for stage in stages), 1)
        told = {**result, "seconds": seconds, "stages": stages, "output": str(self.folder)}
        write_atomic(self.folder / "result.json", json.dumps(told, indent=1, allow_nan=False).encode() + b"\n")
        return told


@dataclass(frozen=True, slots=True)
class Tasks:
    """Who is asked what; no two of these share a task."""

    shown: Sequence[Task]
    """In prompts, as examples."""
    training: Sequence[Task]
    dev: Sequence[Task]
    test: Sequence[Task]


def begin(command: str, options: Namespace, report: Report) -> Loop:
    """The loop of these options. Raises BadInput where its folder was begun with others, or processes are many."""
    if processes()[1] > 1:
        raise BadInput(f"a loop runs in one process and starts its trainings itself; fix: {command} --processes N")
    names.parse(options.model)
    for each in RECIPES:
        words(getattr(options, each, ""))
    bench = benchmark(options.benchmark)
    asked = {name: str(value) for name, value in vars(options).items() if name not in HOW}
    open_run(options.out, create=True, spec={"command": command, **asked}).close()
    return Loop(options.out, options.model, bench, options.seed, report, options.launch, options.processes)


def drawn(loop: Loop, options: Namespace, *, shown: int, rounds: int) -> Tasks:
    """Tasks of all parts; BadData where a training task asks what a development or held-out one asks."""

    def sample(n: int, split: str) -> list[Task]:
        return list(loop.benchmark.sample(n, split=split, seed=options.seed, level=options.level))

    training = sample(shown + rounds * options.items, "train")
    dev, test = sample(options.dev, "dev"), sample(options.n, "test")
    guard_overlap(training, [*dev, *test])
    guard_overlap(dev, test)
    return Tasks(training[:shown], training[shown:], dev, test)


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end from code that is not asynchronous."""
    return asyncio.run(work)
