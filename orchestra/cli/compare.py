"""`orchestra compare`: two evaluations, paired task by task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from orchestra.cli.output import Json, result
from orchestra.cli.runs import read_result
from orchestra.cli.screen import say
from orchestra.errors import BadInput
from orchestra.evaluation.statistics import mcnemar


def compare(
    run_a: Annotated[Path, typer.Argument(help="Run folder of an `orchestra eval`.")],
    run_b: Annotated[Path, typer.Argument(help="Another one, with tasks in common.")],
    rule: Annotated[Literal["flexible", "strict"], typer.Option(help="What counts as right.")] = "flexible",
    json: Json = False,
) -> None:
    """Compare the teams of two evaluations on the tasks they share (exact McNemar test)."""
    (name_a, a), (name_b, b) = (_right(path, rule) for path in (run_a, run_b))
    shared = [task for task in a if task in b]
    if not shared:
        raise BadInput(f"{run_a} and {run_b} have no task in common; fix: eval both with the same benchmark and --seed")
    if alone := len(a) + len(b) - 2 * len(shared):
        say(f"{alone} tasks are in one of the two alone and do not count")
    found = mcnemar([a[task] for task in shared], [b[task] for task in shared])
    low, high = 100 * found.ci_low, 100 * found.ci_high
    text = (
        f"{name_a} - {name_b}: {100 * found.delta:+.1f} points ({low:+.1f} to {high:+.1f}), p = {found.p:.2g}, "
        f"{found.discordant[0]} and {found.discordant[1]} of {found.n} tasks right in one alone; "
        f"a difference of {100 * found.mde:.1f} points would be found"
    )
    result({"a": name_a, "b": name_b, "rule": rule, **found._asdict()}, text, json)


def _right(path: Path, rule: str) -> tuple[str, dict[tuple[str, str], bool]]:
    """The team of an evaluation, and whether it had each task right, by id and content."""
    team: dict[str, Any] = read_result(path, "eval")["team"]
    return team["system"], {(item["task"], item["content"]): item[rule] == 1.0 for item in team["items"]}


def register(app: typer.Typer) -> None:
    app.command()(compare)
