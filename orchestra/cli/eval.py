"""`orchestra eval`: a team on a benchmark, beside baselines on the same tasks, and who won."""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestra.atomic import write_record
from orchestra.cli import teams
from orchestra.cli.audit import told as told_audit
from orchestra.cli.baselines import rivals
from orchestra.cli.meter import metering
from orchestra.cli.options import Benchmark, BudgetOptions, PaceOptions, RunOptions, Team, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.policies import policies, traffic, weights
from orchestra.cli.runs import RESULT, failed, opened, save_result, wait
from orchestra.cli.screen import say
from orchestra.cli.tasks import TaskOptions, answers_of, chosen, described
from orchestra.cli.totals import TotalOptions
from orchestra.cli.verdict import told
from orchestra.errors import BadTeam, RunFailed
from orchestra.evaluation.audit import audit, of_runs
from orchestra.evaluation.course import Course
from orchestra.evaluation.equal_budget.matching import Match, Per
from orchestra.evaluation.finished import finished
from orchestra.evaluation.outcome import Outcome, measure_all
from orchestra.evaluation.plot import check_plot, plot
from orchestra.evaluation.provenance import speakers, versions
from orchestra.evaluation.sources.seats import lacks

TEAM = "team.json"
"""The team as data, which a report draws."""
PARTIAL = "partial.json"
"""What an evaluation that did not finish leaves in its folder: the runs that ended, and how many are missing."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured beside one run of every task."""

    samples: Annotated[int, typer.Option(min=1, help="Runs of every task, each with a seed of its own.")] = 1
    pool: Annotated[
        int,
        typer.Option(min=0, help="Draws of the single agent on every task: self-consistency for every k up to it."),
    ] = 0
    audit: Annotated[bool, typer.Option("--audit", help="Show what every scoring rule makes of the replies.")] = False
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Accuracy against cost, as .svg, .png or .pdf.")
    ] = None


@grouped
def evaluate(
    team: Team,
    benchmark: Benchmark,
    options: TeamOptions,
    which: TaskOptions,
    extent: Extent,
    keep: RunOptions,
    pace: PaceOptions,
    caps: BudgetOptions,
    totals: TotalOptions,
    split: Annotated[str, typer.Option(help="Of the benchmark.")] = "test",
    others: Annotated[str, typer.Option("--baseline", metavar="TEAM,...", help="Other teams on the same tasks.")] = "",
    match: Annotated[
        Match | None,
        typer.Option(help="Size self_consistency, best_of_n, self_refine, ensemble and long by what the team spent."),
    ] = None,
    per: Annotated[Per, typer.Option(help="Match on every question, or with one size on average.")] = "question",
    json: Json = False,
) -> None:
    """Measure a team: accuracy and cost with 95 % intervals, and paired tests against baselines."""
    if extent.plot:
        check_plot(extent.plot)
    bench = which.benchmark(benchmark)
    tasks = chosen(bench, which, split=split, seed=keep.seed)
    answers = answers_of(tasks)
    plan = teams.plan(team, options, answers=answers)
    beside = rivals([name for name in others.split(",") if name], options, plan, match, answers)
    budget, total = caps.budget(), totals.total()
    models = {name: base for rival in beside for name, base in rival.models.items()} | dict(plan.models)
    made = policies(models, options)
    graph = plan.make(made)
    baselines = [rival.make(made, graph) for rival in beside]
    every = [graph, *(other.usual for other in baselines)]
    for name, system in zip((plan.name, *(other.name for other in baselines)), every, strict=True):
        if any(task.private and lacks(system, task.private) for task in tasks):
            say(f"{name} lacks a seat that evidence is split between, so it is told everything; see --seats")
    spec = {
        "team": graph.digest,
        "baselines": {other.name: other.usual.digest for other in baselines},
        "match": match,
        "weights": weights(*every),
        "budget": asdict(caps),
        **described(bench, tasks, split),
        # Left out at their defaults, so that a run of before these were options keeps its folder.
        **({"per": per} if per != "question" else {}),
        **({"samples": extent.samples} if extent.samples > 1 else {}),
        **({"pool": extent.pool} if extent.pool else {}),
        **({"total": asdict(totals)} if total else {}),
    }
    with opened("eval", spec, keep) as folder:
        with metering() as tell:
            course = Course(tasks, bench, folder, extent.samples, keep.seed, budget, total, pace.concurrency, tell)
            outcome = _measured(course, measure_all(course, graph, plan.name, baselines, match, per, extent.pool))
        figures = outcome.summary()
        log = {"versions": versions(), "models": speakers(every), "spec": folder.spec}
        save_result(folder.path, {**outcome.kept(figures, tasks), "log": log})
        with suppress(
            BadTeam
        ):  # one of functions without names cannot be saved, and the report then draws what was said
            graph.write(folder.path / TEAM)
        (folder.path / PARTIAL).unlink(missing_ok=True)
        if extent.audit:
            say(told_audit(audit(of_runs(finished(folder.path).ours), bench).summary()))
    if extent.plot:
        plot(outcome.curve(), extent.plot, title=f"{bench.name}, {len(tasks)} tasks")
    value = {**figures, "cache": traffic(*every), "chance": bench.chance, "run_dir": str(folder.path)}
    result(value, told(value), json)


def _measured(course: Course, work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Does the work. Whatever ends it early leaves partial.json, and is told of on stderr."""
    folder = course.folder
    try:
        return wait(work)
    except BaseException as error:
        if standing := course.standing():
            write_record(folder.path / PARTIAL, standing, version=RESULT)
            left = ", ".join(f"{len(part['missing'])} of {name}" for name, part in standing.items() if part["missing"])
            say(f"{folder.path / PARTIAL} holds what ended so far; tasks missing: {left or 'none'}")
        if type(error) is RunFailed:
            raise failed(str(error), folder) from error
        raise


def register(app: typer.Typer) -> None:
    app.command("eval")(evaluate)
