"""How a run goes on from a kept one: with a decision drawn anew or put in other words, or with another team."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from orchestra.atomic import read_record
from orchestra.cli.options import RunOptions
from orchestra.digest import canonical, digest
from orchestra.engine.run import run_name
from orchestra.errors import BadInput
from orchestra.trajectory.journal import Entry, Fork, Journal
from orchestra.trajectory.store import FOLDER, open_run
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Completion, Key, Task


@dataclass(frozen=True, slots=True)
class ForkOptions:
    """Where a run begins that does not begin at the beginning."""

    fork: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Begin as that run; what is the same there is not called again.")
    ] = None
    at: Annotated[
        int | None, typer.Option(min=1, help="Its decision of that number (orchestra history DIR) is drawn anew.")
    ] = None
    say: Annotated[str | None, typer.Option(help="What is said there, in place of a new draw.")] = None
    on_drift: Annotated[
        Literal["fail", "branch"],
        typer.Option(help="If --run-dir was begun with another team or other weights: refuse, or fork it beside."),
    ] = "fail"


class Origin(NamedTuple):
    """The run that is forked, and where."""

    folder: Path
    at: int | None = None
    say: str | None = None

    @property
    def spec(self) -> dict[str, Any]:
        """Its part of the spec of the new run."""
        return {"fork": {"from": str(self.folder), "at": self.at, "say": self.say}}


def origin(options: ForkOptions, keep: RunOptions, spec: dict[str, Any]) -> tuple[Origin | None, RunOptions]:
    """What to fork, if anything, and where the new run is kept. BadInput where options do not go together."""
    if options.fork is not None:
        if options.say is not None and options.at is None:
            raise BadInput("--say needs the decision that it replaces; fix: --at N, as orchestra history numbers them")
        if options.say is not None and (not options.say.strip() or any("\ud800" <= c <= "\udfff" for c in options.say)):
            raise BadInput(f"--say {options.say!r}: expected words as UTF-8 text; fix: write what is said there")
        return Origin(options.fork, options.at, options.say), keep
    if options.at is not None or options.say is not None:
        raise BadInput("--at and --say are about a kept run; fix: --fork DIR")
    if options.on_drift == "branch" and keep.run_dir is not None and (keep.run_dir / "run.json").exists():
        saved = read_record(keep.run_dir / "run.json", version=FOLDER)
        wanted = {"command": "run", "seed": keep.seed, **spec}
        begun = saved.pop("fork", None)
        if canonical(saved) == canonical(wanted):
            return Origin(Path(begun["from"]), begun["at"], begun["say"]) if begun else None, keep
        beside = keep.run_dir.with_name(f"{keep.run_dir.name}-{digest(canonical(wanted))[:8]}")
        return Origin(keep.run_dir), replace(keep, run_dir=beside)
    return None, keep


@contextmanager
def laid_over(origin: Origin | None, own: Journal, task: Task, seed: int) -> Iterator[tuple[Journal, dict[str, int]]]:
    """The journal of a fork, and the draw to begin with. BadInput if that run was of another task or seed."""
    if origin is None:
        yield own, {}
        return
    with ExitStack() as folders:
        below, start, chosen = _past(origin, task, seed, folders)
        if chosen is not None and origin.say is not None:
            own.put(Key(chosen.key.state, start[chosen.key.state]), _said(below.get(chosen.key), origin.say))
        yield Fork(below, own), start


def _past(origin: Origin, task: Task, seed: int, folders: ExitStack) -> tuple[Journal, dict[str, int], Decision | None]:
    """The journal of the run that is forked, over those that it was forked from itself; the draws to begin with; and
    the decision that is chosen. It takes the first draw that none of them has.
    """
    kept = folders.enter_context(open_run(origin.folder))
    if kept.spec.get("command") != "run":
        raise BadInput(f"{origin.folder} is of the command {kept.spec.get('command')!r}; expected one of `run`")
    theirs = {"task": kept.spec.get("task"), "seed": kept.spec.get("seed")}
    if theirs != {"task": task.prompt, "seed": seed}:
        raise BadInput(f"{origin.folder} has {theirs}; a fork has the same task and seed; fix: TEXT and --seed")
    below: Journal = kept.recorded(run_name(str(kept.spec["team"]), task, seed))
    start: dict[str, int] = {}
    if forked := kept.spec.get("fork"):
        before, start, _ = _past(Origin(Path(forked["from"]), forked["at"]), task, seed, folders)
        below = Fork(before, below)
    if not origin.at:
        return below, start, None
    chosen = numbered(the_only(kept.trajectories(), origin.folder), origin.at)
    state, draw = chosen.key
    while below.get(Key(state, draw)) is not None:
        draw += 1
    return below, {**start, state: draw}, chosen


def the_only(trajectories: Any, folder: Path) -> Trajectory:
    """The trajectory of a folder that holds one."""
    found = list(trajectories)
    if len(found) != 1:
        raise BadInput(f"{folder} holds {len(found)} finished runs; expected one; fix: finish it, or choose another")
    return found[0]  # type: ignore[no-any-return]


def numbered(kept: Trajectory, number: int) -> Decision:
    """A decision by its number, from 1."""
    if not 1 <= number <= len(kept.decisions):
        raise BadInput(f"--at {number}: the run has {len(kept.decisions)} decisions; see `orchestra history`")
    return kept.decisions[number - 1]


def _said(entry: Entry | None, text: str) -> Entry:
    """What a person says in the place of a model: words without ids, so that nothing is trained on them as sampled."""
    if entry is None or not isinstance(entry.outcome, Completion):
        raise BadInput("--say: that decision gave no words that others could stand for; fix: --at another")
    said = replace(entry.outcome, text=text, output_ids=None, logprobs=None, mask=None, scores=(), raw=())
    return Entry(entry.digest, entry.effect, said)
