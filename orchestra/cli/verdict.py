"""Who won, in words: the result of an evaluation as tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestra.cli.screen import columns, interval


def told(value: Mapping[str, Any]) -> str:
    """The result of an evaluation for people: a table, and a sentence or two on each baseline."""
    rows = [("system", "strict", "flexible", "unparseable", "failed", "tokens/task", "calls/task")]
    for row in (value, *value["baselines"].values()):
        calls = row["usage"]["calls"] / row["n"] / row.get("samples", 1)
        shown = (interval(row["strict"]), interval(row["flexible"]), str(row["unparseable"]), str(row["failed"]))
        rows.append((row["system"], *shown, f"{row['tokens_per_task']:.1f}", f"{calls:.2f}"))
    lines = [f"{value['benchmark']}, {value['n']} tasks, chance {100 * value['chance']:.1f} %", columns(rows)]
    for name, row in value["baselines"].items():
        lines += [sentence(value["system"], name, row), *_matched(value["system"], name, row.get("matched"))]
    for title, part, table in (
        ("samples of the team", value.get("at_k"), at_k),
        ("accuracy and cost", value.get("curve"), points),
        ("by difficulty of the task for a single agent", value.get("strata"), strata),
    ):
        if part:
            lines += [f"{title}:", table(part)]
    return "\n".join([*lines, f"kept in {value['run_dir']}"])


def sentence(team: str, name: str, row: Mapping[str, Any]) -> str:
    """One sentence on a baseline."""
    found = row["paired"]["flexible"]
    if row["winner"] is None:
        said = f"{team} and {name}: no difference shown (one of {100 * found['mde']:.1f} points would be)"
    else:
        said = f"{team} beats {name}" if row["winner"] == "team" else f"{name} beats {team}"
    return f"{said}: {in_points(found)}, p = {row['p_holm']:.2g}, flexible{_over(found)}"


def in_points(found: Mapping[str, Any]) -> str:
    """
    >>> in_points({"delta": 0.125, "ci_low": -0.01, "ci_high": 0.26})
    '+12.5 points (-1.0 to +26.0)'
    """
    return f"{100 * found['delta']:+.1f} points ({100 * found['ci_low']:+.1f} to {100 * found['ci_high']:+.1f})"


def points(curve: Mapping[str, Any], unit: str = "tokens") -> str:
    """Accuracy and cost of every point, with bands, and whether it is on the Pareto front."""
    rows = [("", "accuracy", f"{unit}/task", "on the front")]
    for point in curve["points"]:
        cost, share = point["cost"], f"{100 * point['on_front']:.0f} % of draws"
        spent = f"{cost['mean']:.1f} ({cost['ci_low']:.1f} to {cost['ci_high']:.1f})"
        rows.append(
            (point["name"], interval(point["accuracy"]), spent, f"{'yes' if point['front'] else 'no'}, {share}")
        )
    return columns(rows)


def at_k(found: Sequence[Mapping[str, float]]) -> str:
    """What k runs of the team are worth."""
    names = ("pass", "all", "majority")
    rows = [(f"{row['k']:.0f}", *(f"{100 * row[name]:.1f} %" for name in names)) for row in found]
    return columns([("k", "one is right", "all are right", "their majority"), *rows])


def strata(found: Sequence[Mapping[str, Any]]) -> str:
    """Every system on tasks that a single agent finds hard, and easy."""
    rows = [("tasks", "single agent", *found[0]["accuracy"])]
    for row in found:
        rates = (row["held_out"], *row["accuracy"].values())
        rows.append((str(row["tasks"]), *(f"{100 * rate:.1f} %" for rate in rates)))
    return columns(rows)


def _matched(team: str, name: str, found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    least, most = found["sizes"]["least"], found["sizes"]["most"]
    size = f"{found['parameter']} = {least}" + (f" to {most}" if most > least else "")
    ratio = "" if found["ratio"] is None else f" (x{found['ratio']:.2f})"
    spent = f"{found['spent']:.4g} {found['match']} a task, where {team} spent {found['target']:.4g}{ratio}"
    return [f"  {name} with {size}: {spent}"]


def _over(found: Mapping[str, Any]) -> str:
    return f", over {found['clusters']} families of tasks" if found["clusters"] else ""
