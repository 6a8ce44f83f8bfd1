"""`orchestra collect`: trajectories to learn from, with the credit of every decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from math import isfinite, nan
from typing import Annotated, Any

import typer

from orchestra.cli import teams
from orchestra.cli.options import Benchmark, PaceOptions, RunOptions, Team, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.policies import policies, weights
from orchestra.cli.runs import failed, opened, save_result, wait
from orchestra.cli.screen import columns
from orchestra.cli.tasks import TaskOptions, answers_of, chosen, described
from orchestra.errors import BadInput
from orchestra.evaluation.collect import Mode, Yield, branching, contrast, searched, trees, yields
from orchestra.evaluation.rewards import check, component_of, credited, earned, weighed
from orchestra.evaluation.sources.seats import seated
from orchestra.evaluation.tree_search import Search
from orchestra.models.progress import reporting
from orchestra.team import Team as Graph
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import FrozenMap


@grouped
def collect(
    team: Team,
    benchmark: Benchmark,
    options: TeamOptions,
    which: TaskOptions,
    keep: RunOptions,
    pace: PaceOptions,
    split: Annotated[str, typer.Option(help="Of the benchmark; test is refused.")] = "train",
    force: Annotated[bool, typer.Option("--force", help="Collect on a test split all the same.")] = False,
    branch: Annotated[
        str, typer.Option(metavar="N|N,N,...", help="Draws of each decision, or of each role in order: 4,3,3.")
    ] = "3",
    mode: Annotated[
        Mode,
        typer.Option(
            help="full: every draw goes on; aligned: parallel agents' draws go on together; best: the best alone; "
            "search: more draws where they pay, up to --rollouts leaves, --branch at a time."
        ),
    ] = "full",
    rollouts: Annotated[int, typer.Option(min=1, metavar="N", help="Leaves of a tree, with --mode search.")] = 24,
    pairs: Annotated[
        int | None,
        typer.Option(
            "--contrast",
            min=1,
            metavar="K",
            help="Draw the first role on every task, and the others on the first K that have right and wrong draws, "
            "under one of each.",
        ),
    ] = None,
    rules: Annotated[
        str,
        typer.Option(
            "--credit",
            metavar="RULE,...",
            help="nested_mean, leaf_mean, soft, shared, group_relative, moving_baseline, agent_chain, "
            "peer_importance (runs without branches), verdict; the yields are those of the first.",
        ),
    ] = "nested_mean",
    reward: Annotated[
        str,
        typer.Option(
            metavar="NAME=WEIGHT,...",
            help="What a leaf earns, of task, tokens, format, repetition and readability: task=1,tokens=0.4. "
            "Default: the task's strict score.",
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Run a team on training tasks as branched trees, score the leaves and save the credit of every decision."""
    if split == "test" and not force:
        raise BadInput("test splits are never trained on; fix: --split train, or --force for what is not training")
    bench = which.benchmark(benchmark)
    tasks = chosen(bench, which, split=split, seed=keep.seed)
    plan = teams.plan(team, options, answers=answers_of(tasks))
    draws = _draws(branch, plan.sketch(), pairs)
    n = _one_number(draws, mode, pairs)
    names, weights_of = [name for name in rules.split(",") if name], _weights(reward)
    check(names, weights_of)
    graph = plan.make(policies(plan.models, options))
    spec = {
        "team": graph.digest,
        "weights": weights(graph),
        "branch": draws,
        "mode": mode if mode != "search" else [mode, rollouts],
        "contrast": pairs,
        **described(bench, tasks, split),
    }
    tasks = [seated(task, graph) for task in tasks]
    with opened("collect", spec, keep) as folder, reporting(None) as report:
        shared: dict[str, Any] = {
            "seed": keep.seed, "concurrency": pace.concurrency, "progress": partial(report, "collect"),
        }  # fmt: skip
        if mode == "search":
            grown = wait(searched(graph, tasks, bench, Search(rollouts, n), folder, **shared))
        elif pairs is None:
            how = branching(mode, graph, bench, n, FrozenMap(draws))
            grown = wait(trees(graph, tasks, how, folder, **shared))
        else:
            samples, below = list(draws.values())[:2]
            grown = wait(contrast(graph, tasks, bench, folder, samples=samples, branch=below, items=pairs, **shared))
        errors = [decision.error for tree in grown for decision in tree.decisions if decision.completion is None]
        if errors and len(errors) == sum(len(tree.decisions) for tree in grown):
            raise failed(f"no call gave a reply: {errors[0]}", folder)
        batch = earned(grown, bench)
        if weights_of:
            batch = wait(weighed(batch, weights_of, graph.agents()[0].policy.model))
        tables = credited(batch, names, folder, bench, component_of(weights_of))
        found = yields(grown, tables[names[0]])
        value = {**_figures(grown), "yields": [asdict(each) for each in found], "run_dir": str(folder.path)}
        save_result(folder.path, value)
    result(value, _told(value, found), json)


def _draws(branch: str, team: Graph, pairs: int | None) -> dict[str, int]:
    """Role -> draws, in the order of the team. With --contrast the roles after the first share one number."""
    roles = list(dict.fromkeys(agent.role.name for agent in team.agents()))
    words = branch.split(",")
    if not all(word.isascii() and word.isdecimal() and int(word) for word in words):
        raise BadInput(f"--branch {branch!r}: expected whole numbers of at least 1, such as 3 or 4,3,3")
    numbers = [int(word) for word in words]
    if len(numbers) not in (1, len(roles)):
        raise BadInput(
            f"--branch {branch}: expected one number, or one for each of {', '.join(roles)}, got {len(numbers)}"
        )
    draws = dict(zip(roles, numbers * len(roles) if len(numbers) == 1 else numbers, strict=False))
    if pairs is not None and (len(roles) < 2 or len(set(list(draws.values())[1:])) != 1):
        raise BadInput(
            f"--contrast needs two roles or more, and one number of draws for all after the first, got {draws}; "
            "fix: --branch 4,3,3"
        )
    return draws


def _weights(reward: str) -> dict[str, float]:
    """Reward components and what they weigh."""
    found: dict[str, float] = {}
    for word in filter(None, reward.split(",")):
        name, _, number = word.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = nan
        if not isfinite(found[name]):
            raise BadInput(f"--reward {word!r}: expected NAME=NUMBER, such as task=1,tokens=0.4")
    return found


def _one_number(draws: Mapping[str, int], mode: Mode, pairs: int | None) -> int:
    """Draws of every decision, where a mode has one number for all; 1 for `full`, which has one for each role."""
    if mode == "full":
        return 1
    if pairs is not None:
        raise BadInput(f"--contrast and --mode {mode} exclude each other; fix: drop one of them")
    if len(set(draws.values())) != 1:
        raise BadInput(f"--mode {mode} has one number of draws for all, got {dict(draws)}; fix: --branch 3")
    return next(iter(draws.values()))


def _figures(grown: Sequence[Trajectory]) -> dict[str, Any]:
    """Each decision counts once, though with --contrast several trees of a task hold it. Speed: tokens said a second of
    model time as recorded, so that it does not depend on what was resumed; None where no time was.
    """
    made: dict[tuple[str, Any], Decision] = {(tree.task.id, d.key): d for tree in grown for d in tree.decisions}
    usages = [decision.completion.usage for decision in made.values() if decision.completion is not None]
    seconds = sum(usage.seconds for usage in usages)
    said = sum(usage.tokens_out for usage in usages)
    return {
        "trajectories": len(grown),
        "decisions": len(made),
        "calls": sum(usage.calls for usage in usages),
        "tokens_out": said,
        "tokens_per_s": round(said / seconds, 1) if seconds else None,
    }


def _told(value: Mapping[str, Any], found: Sequence[Yield]) -> str:
    rows = [("role", "decisions", "good"), *((each.role, str(each.decisions), str(each.good)) for each in found)]
    speed = "" if value["tokens_per_s"] is None else f", {value['tokens_per_s']} tokens/s"
    head = f"{value['trajectories']} trajectories, {value['decisions']} decisions, {value['calls']} calls{speed}"
    return "\n".join([head, columns(rows), f"kept in {value['run_dir']}"])


def register(app: typer.Typer) -> None:
    app.command()(collect)
