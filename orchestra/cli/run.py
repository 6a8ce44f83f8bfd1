"""`orchestra run`: one task, shown as it happens."""

from __future__ import annotations

import json as encoding
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from orchestra.cli import teams
from orchestra.cli.forks import ForkOptions, Origin, laid_over, origin
from orchestra.cli.live import Show, watching
from orchestra.cli.options import BudgetOptions, RunOptions, Team, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.policies import policies, weights
from orchestra.cli.runs import failed, opened, spent, wait
from orchestra.cli.screen import safe
from orchestra.engine import answer as put_answer
from orchestra.engine.run import as_task, run_id
from orchestra.errors import BadInput
from orchestra.team import Team as Graph
from orchestra.trajectory.journal import Journal
from orchestra.trajectory.store import Run
from orchestra.trajectory.trajectory import Event, Trajectory


@grouped
def run(
    team: Team,
    text: Annotated[str, typer.Argument(help="The task.")],
    options: TeamOptions,
    keep: RunOptions,
    caps: BudgetOptions,
    past: ForkOptions,
    answer: Annotated[
        list[str] | None,
        typer.Option(metavar="[PATH=]TEXT", help="Answers what a person of the team is asked; the first that waits."),
    ] = None,
    always_replay: Annotated[
        bool, typer.Option("--always-replay", help="Rebuild all state from the journal after every call: a slow check.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="A line a message, not the live view of a terminal.")] = False,
    json: Json = False,
) -> None:
    """Run a team on one task and show on stderr who speaks to whom, as it happens."""
    if not text.strip() or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadInput(f"expected a task as UTF-8 text, got {text!r}; fix: write it after TEAM")
    budget, plan = caps.budget(), teams.plan(team, options)
    graph = plan.make(policies(plan.models, options))
    spec = {"team": graph.digest, "weights": weights(graph), "task": text, "budget": asdict(caps)}
    forked, keep = origin(past, keep, spec)
    with (
        opened("run", {**spec, **(forked.spec if forked else {})}, keep) as folder,
        watching(budget, plain=plain) as show,
    ):
        terms = {"seed": keep.seed, "budget": budget, "rebuild": always_replay}
        done = wait(_answered(graph, text, folder, forked, terms, answer or (), show))
    if (why := done.error) is not None:
        raise failed(why, folder)
    usage = spent(done.usage)
    value = {
        "answer": done.answer,
        "content": done.leaf.content,
        "stopped_by": done.stopped_by,
        "usage": usage,
        "rounds": done.leaf.rounds,
        "questions": [_asked(question) for question in done.questions],
        "trajectory_id": done.id,
        "run_dir": str(folder.path),
    }
    figures = f"{usage['calls']} calls, {usage['tokens_in']} + {usage['tokens_out']} tokens"
    ended = f"{done.stopped_by} after {done.leaf.rounds} rounds; {figures}; kept in {folder.path}"
    result(value, f"{_told(done)}\n{ended}", json)


async def _answered(
    graph: Graph, text: str, folder: Run, forked: Origin | None, terms: dict[str, Any], answers: Sequence[str],
    show: Show,
) -> Trajectory:  # fmt: skip
    """Runs the team and keeps the trajectory; as long as a question waits and there is an answer, it goes on."""
    task, left = as_task(text), list(answers)
    own = folder.journal(run_id(graph, task, terms["seed"]))
    with laid_over(forked, own, task, terms["seed"]) as (journal, start):
        while True:
            async for item in graph.stream(task, journal=journal, start=start, **terms):
                if isinstance(item, Trajectory):
                    done = item
                else:
                    show(item)
            if not (done.questions and _put(journal, done.questions, left, graph.name)):
                break
    if not done.questions:  # with one it is not finished, and the first that is kept stands
        folder.add(done)
    await folder.flushed()
    if left:
        raise BadInput(f"--answer {left[0]!r}: nobody asks for it; fix: leave it out, or PATH=TEXT with its path")
    return done


def _put(journal: Journal, waiting: Sequence[Event], answers: list[str], team: str) -> bool:
    """Gives one question that waits the first answer that fits it; one with a path fits that node's alone."""
    for given in answers:
        path, equals, text = given.partition("=")
        if equals and path.startswith(f"{team}/"):
            named = next((question for question in waiting if question.path == path), None)
        else:
            named, text = waiting[0], given
        if named is not None:
            put_answer(journal, named, text)
            answers.remove(given)
            return True
    return False


def _asked(question: Event) -> dict[str, Any]:
    return {"path": question.path, "text": question.text, "options": encoding.loads(question.data["options"])}


def _told(done: Trajectory) -> str:
    if done.questions:
        waiting = [f"{safe(q.path)} asks: {safe(q.text)}" for q in done.questions]
        return "\n".join([*waiting, "go on with the same command and --answer TEXT"])
    return "no answer" if done.answer is None else safe(done.answer)


def register(app: typer.Typer) -> None:
    app.command()(run)
