"""`orchestra compare`: two evaluations or more, paired task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from orchestra.cli.output import Json, result
from orchestra.cli.runs import read_result
from orchestra.cli.screen import say
from orchestra.cli.verdict import in_points, points
from orchestra.errors import BadInput
from orchestra.evaluation.comparison import Comparison, compare
from orchestra.evaluation.curves import Track, curve
from orchestra.evaluation.plot import check_plot, plot
from orchestra.evaluation.result import Item, Result, Rule, Unit, clusters
from orchestra.evaluation.statistics import Difference, clustered_t, holm, non_inferior, paired_t
from orchestra.types import Usage


@dataclass(frozen=True, slots=True)
class Side:
    """The team of one evaluation; its tasks are named by their ids and by what they ask."""

    name: str
    scores: Mapping[str, float]
    costs: Mapping[str, float]
    families: Mapping[str, str]

    def on(self, tasks: Sequence[str]) -> Side:
        """The same on these of its tasks."""
        scores, costs = ({task: of[task] for task in tasks} for of in (self.scores, self.costs))
        return Side(self.name, scores, costs, self.families)


def compare_runs(
    run_a: Annotated[Path, typer.Argument(help="Run folder of an `orchestra eval`.")],
    others: Annotated[list[Path], typer.Argument(metavar="RUN_B...", help="Others, with tasks in common.")],
    rule: Annotated[Rule, typer.Option(help="What counts as right.")] = "flexible",
    cost: Annotated[Unit, typer.Option(help="What counts as cost.")] = "tokens",
    margin: Annotated[
        float | None,
        typer.Option(help="Test that the first is worse by less than this, such as 0.02, than the others."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Accuracy against cost, as .svg, .png or .pdf.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare the teams of evaluations on the tasks they share: the first with each other one, in accuracy and cost."""
    if margin is not None:
        non_inferior(0.0, margin)  # refuses a margin that is none before anything is read
    if picture is not None:
        check_plot(picture)
    first, *rest = _shared([run_a, *others], rule, cost)
    found = [compare(first.scores, other.scores, first.families) for other in rest]
    corrected = holm([one.p for one in found])
    pairs = zip(rest, found, corrected, strict=True)
    comparisons = [_figures(first, other, one, p, margin) for other, one, p in pairs]
    tracks = [Track(side.name, side.scores, side.costs) for side in (first, *rest)]
    traced = curve(tracks, first.families, np.random.default_rng(0))
    if picture is not None:
        plot(traced, picture, cost=f"{cost} a task")
    for row in comparisons:
        row["dominates"] = traced.dominates[row["a"]][row["b"]]
        row["dominated"] = traced.dominates[row["b"]][row["a"]]
    value = {"rule": rule, "unit": cost, **comparisons[0], "comparisons": comparisons, "curve": traced.summary()}
    result(value, "\n".join([*(_said(row, cost) for row in comparisons), points(value["curve"], cost)]), json)


def _shared(runs: Sequence[Path], rule: Rule, unit: Unit) -> list[Side]:
    """The teams of these evaluations on the tasks that all have scored. Raises BadInput where there are none."""
    sides = [_side(run, rule, unit) for run in runs]
    shared = [task for task in sides[0].scores if all(task in side.scores for side in sides)]
    if not shared:
        raise BadInput(
            f"{' and '.join(map(str, runs))} have no task in common; fix: eval all with the same benchmark and --seed"
        )
    if alone := sum(len(side.scores) - len(shared) for side in sides):
        say(f"{alone} tasks are in one of the {_number(sides)} alone and do not count")
    names = [side.name for side in sides]
    labels = [name if names.count(name) == 1 else f"{name} ({run.name})" for name, run in zip(names, runs, strict=True)]
    return [replace(side.on(shared), name=label) for side, label in zip(sides, labels, strict=True)]


def _side(run: Path, rule: Rule, unit: Unit) -> Side:
    team: dict[str, Any] = read_result(run, "eval")["team"]
    items = tuple(_item(row) for row in team["items"])
    found = Result(team["system"], team["benchmark"], items)
    return Side(found.system, found.scores(rule), found.spent(unit), {item.task: item.family for item in items})


def _item(row: Mapping[str, Any]) -> Item:
    """An item of result.json; its task is named by id and content together."""
    kept = {name: value for name, value in row.items() if name != "content"}
    return Item(**{**kept, "task": f"{row['task']} {row['content']}", "usage": Usage(**row["usage"])})


def _figures(a: Side, b: Side, found: Comparison, p: float, margin: float | None) -> dict[str, Any]:
    spent = _cheaper(a, b)
    return {
        "a": a.name,
        "b": b.name,
        **found._asdict(),
        "p_holm": p,
        "margin": margin,
        "non_inferior": None if margin is None else non_inferior(found.ci_low, margin),
        "cost": None if spent is None else spent._asdict(),
        "cost_ratio": sum(a.costs.values()) / total if (total := sum(b.costs.values())) else None,
    }


def _cheaper(a: Side, b: Side) -> Difference | None:
    """The paired difference in cost; None where a single task has no spread."""
    if len(a.costs) < 2:
        return None
    first, second = list(a.costs.values()), [b.costs[task] for task in a.costs]
    groups = clusters([a.families[task] for task in a.costs])
    return clustered_t(first, second, groups) if groups else paired_t(first, second)


def _said(row: Mapping[str, Any], unit: Unit) -> str:
    corrected = "" if row["p_holm"] == row["p"] else f" ({row['p_holm']:.2g} by Holm)"
    text = (
        f"{row['a']} - {row['b']}: {in_points(row)}, p = {row['p']:.2g}{corrected}, "
        f"{row['discordant'][0]} and {row['discordant'][1]} of {row['n']} tasks right in one alone; "
        f"a difference of {100 * row['mde']:.1f} points would be found"
    )
    if (spent := row["cost"]) is not None:
        ratio = "" if row["cost_ratio"] is None else f" (x{row['cost_ratio']:.2f})"
        text += (
            f"\n  {spent['delta']:+.4g} {unit} a task ({spent['ci_low']:+.4g} to {spent['ci_high']:+.4g}){ratio}; "
            f"at least as accurate and no dearer in {100 * row['dominates']:.0f} % of draws, "
            f"the other way round in {100 * row['dominated']:.0f} %"
        )
    if row["margin"] is not None:
        shown = "worse by less than" if row["non_inferior"] else "not shown to be worse by less than"
        text += f"\n  {row['a']} is {shown} {100 * row['margin']:.1f} points (one-sided, 2.5 %)"
    return text


def _number(sides: Sequence[Side]) -> str:
    return "two" if len(sides) == 2 else f"{len(sides)} evaluations"


def register(app: typer.Typer) -> None:
    app.command("compare")(compare_runs)
