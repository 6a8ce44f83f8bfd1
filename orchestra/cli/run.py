"""`orchestra run`: one task, shown as it happens."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from orchestra.cli import teams
from orchestra.cli.live import Show, watching
from orchestra.cli.options import BudgetOptions, RunOptions, Team, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.policies import policies, weights
from orchestra.cli.runs import failed, opened, spent, wait
from orchestra.cli.screen import safe
from orchestra.engine import Budget
from orchestra.engine.run import as_task, run_id
from orchestra.errors import BadInput
from orchestra.team import Team as Graph
from orchestra.trajectory.store import Run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Task


@grouped
def run(
    team: Team,
    text: Annotated[str, typer.Argument(help="The task.")],
    options: TeamOptions,
    keep: RunOptions,
    caps: BudgetOptions,
    plain: Annotated[bool, typer.Option("--plain", help="A line a message, not the live view of a terminal.")] = False,
    json: Json = False,
) -> None:
    """Run a team on one task and show on stderr who speaks to whom, as it happens."""
    if not text.strip() or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadInput(f"expected a task as UTF-8 text, got {text!r}; fix: write it after TEAM")
    budget, plan = caps.budget(), teams.plan(team, options)
    graph = plan.make(policies(plan.models, options))
    spec = {"team": graph.digest, "weights": weights(graph), "task": text, "budget": asdict(caps)}
    with opened("run", spec, keep) as folder, watching(budget, plain=plain) as show:
        done = wait(_streamed(graph, as_task(text), folder, keep.seed, budget, show))
    if (why := done.error) is not None:
        raise failed(why, folder)
    usage = spent(done.usage)
    value = {
        "answer": done.answer,
        "content": done.leaf.content,
        "stopped_by": done.stopped_by,
        "usage": usage,
        "rounds": done.leaf.rounds,
        "trajectory_id": done.id,
        "run_dir": str(folder.path),
    }
    told = "no answer" if done.answer is None else safe(done.answer)
    figures = f"{usage['calls']} calls, {usage['tokens_in']} + {usage['tokens_out']} tokens"
    result(value, f"{told}\n{done.stopped_by} after {done.leaf.rounds} rounds; {figures}; kept in {folder.path}", json)


async def _streamed(graph: Graph, task: Task, folder: Run, seed: int, budget: Budget | None, show: Show) -> Trajectory:
    """Runs the team, showing what happens, and keeps the trajectory."""
    journal = folder.journal(run_id(graph, task, seed))
    async for item in graph.stream(task, seed=seed, budget=budget, journal=journal):
        if isinstance(item, Trajectory):
            folder.add(item)
        else:
            show(item)
    await folder.flushed()
    assert isinstance(item, Trajectory)
    return item


def register(app: typer.Typer) -> None:
    app.command()(run)
