"""`orchestra eval`: a team on a benchmark, beside baselines on the same tasks, and who won."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from orchestra.cli import shelf, teams
from orchestra.cli.baselines import Course, Match, baseline
from orchestra.cli.options import Benchmark, BudgetOptions, PaceOptions, RunOptions, Team, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.policies import policies, weights
from orchestra.cli.runs import failed, opened, save_result, wait
from orchestra.cli.tasks import TaskOptions, chosen, described
from orchestra.cli.verdict import against, told
from orchestra.errors import BadInput
from orchestra.evaluation.benchmark import content_hash
from orchestra.evaluation.evaluate import Result
from orchestra.models.progress import reporting
from orchestra.team import Team as Graph
from orchestra.trajectory.store import Run
from orchestra.types import Task


@grouped
def evaluate(
    team: Team,
    benchmark: Benchmark,
    options: TeamOptions,
    which: TaskOptions,
    keep: RunOptions,
    pace: PaceOptions,
    caps: BudgetOptions,
    split: Annotated[str, typer.Option(help="Of the benchmark.")] = "test",
    rivals: Annotated[str, typer.Option("--baseline", metavar="TEAM,...", help="Other teams on the same tasks.")] = "",
    match: Annotated[
        Match | None,
        typer.Option(
            help="Give self_consistency as many samples of each task as the team's tokens or calls there buy."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure a team: accuracy and cost with 95 % intervals, and paired tests against baselines."""
    others = [name for name in rivals.split(",") if name]
    _check(others, match)
    bench, budget = shelf.benchmark(benchmark), caps.budget()
    plan = teams.plan(team, options)
    plans = {name: _alike(name, options, plan) for name in others}
    tasks = chosen(bench, which, split=split, seed=keep.seed)
    made = policies({policy: base for each in (*plans.values(), plan) for policy, base in each.models.items()}, options)
    graph, graphs = plan.make(made), {name: other.make(made) for name, other in plans.items()}
    spec = {
        "team": graph.digest,
        "baselines": {name: other.digest for name, other in graphs.items()},
        "match": match,
        "weights": weights(graph, *graphs.values()),
        "budget": asdict(caps),
        **described(bench, tasks, split),
    }
    with opened("eval", spec, keep) as folder:
        with reporting(None) as report:
            course = Course(tasks, bench, folder, keep.seed, budget, pace.concurrency, report)
            ours, theirs = wait(_all(course, plan.name, graph, graphs, match))
        figures = _figures(ours, folder)
        beside = {name: _figures(other, folder) | against(ours, other) for name, other in theirs.items()}
        kept = {name: {**beside[name], "items": _items(other, tasks)} for name, other in theirs.items()}
        save_result(folder.path, {"team": {**figures, "items": _items(ours, tasks)}, "baselines": kept})
    value = {**figures, "chance": bench.chance, "baselines": beside, "run_dir": str(folder.path)}
    result(value, told(value), json)


def _check(others: Sequence[str], match: Match | None) -> None:
    if len(set(others)) != len(others):
        raise BadInput(f"--baseline {','.join(others)} names a team twice; fix: each once")
    if match and "self_consistency" not in others:
        raise BadInput(f"--match {match} is about the baseline self_consistency; fix: --baseline self_consistency")


def _alike(name: str, options: TeamOptions, ours: teams.Plan) -> teams.Plan:
    """A baseline on the same model with the same settings, in which a role that our team has is our team's."""
    own = {agent.role.name: agent.role for agent in ours.sketch().agents()}
    return teams.plan(name, replace(options, option=[], agents=None, role=[], patch=[]), own=own)


async def _all(
    course: Course, name: str, team: Graph, others: Mapping[str, Graph], match: Match | None
) -> tuple[Result, dict[str, Result]]:
    ours = await course.measure(team, name)
    return ours, {other: await baseline(course, graph, other, ours, match) for other, graph in others.items()}


def _figures(measured: Result, folder: Run) -> dict[str, Any]:
    """The summary of a system, tasks without a single reply counted as failed. Raises RunFailed if they all are."""
    found = (folder.get(item.trajectory) for item in measured.items)
    reasons = [why for trajectory in found if trajectory is not None and (why := trajectory.error) is not None]
    if len(reasons) == len(measured.items):
        raise failed(f"{measured.system}: all {len(reasons)} tasks failed, the first with: {reasons[0]}", folder)
    return {**measured.summary(), "failed": len(reasons)}


def _items(measured: Result, tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """What result.json keeps of each task: what it asked and how it went."""
    pairs = zip(measured.items, tasks, strict=True)
    return [{**asdict(item), "content": content_hash(task)} for item, task in pairs]


def register(app: typer.Typer) -> None:
    app.command("eval")(evaluate)
