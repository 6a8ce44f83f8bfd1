"""Who won: the paired difference between a team and a baseline, as figures and as words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from orchestra.cli.screen import columns, interval
from orchestra.evaluation.evaluate import Result
from orchestra.evaluation.statistics import Paired, mcnemar

LEVEL: Final = 0.05
"""A difference is called one where p is below this."""


def against(ours: Result, theirs: Result) -> dict[str, Any]:
    """The paired difference ours - theirs under both rules; the flexible one says who won."""
    paired = {rule: mcnemar(ours.right(rule), theirs.right(rule)) for rule in ("strict", "flexible")}
    return {"paired": {rule: found._asdict() for rule, found in paired.items()}, "winner": winner(paired["flexible"])}


def winner(found: Paired) -> Literal["team", "baseline"] | None:
    """None: no difference was shown.

    >>> winner(mcnemar([True] * 6, [False] * 6)), winner(mcnemar([True] * 5, [False] * 5))
    ('team', None)
    """
    if found.p >= LEVEL:
        return None
    return "team" if found.delta > 0 else "baseline"


def told(value: Mapping[str, Any]) -> str:
    """The result of an evaluation for people: a table, and a sentence on each baseline."""
    rows = [("system", "strict", "flexible", "unparseable", "failed", "tokens/task", "calls/task")]
    for row in (value, *value["baselines"].values()):
        cost = (f"{row['tokens_per_task']:.1f}", f"{row['usage']['calls'] / row['n']:.2f}")
        shown = (interval(row["strict"]), interval(row["flexible"]), str(row["unparseable"]), str(row["failed"]))
        rows.append((row["system"], *shown, *cost))
    lines = [f"{value['benchmark']}, {value['n']} tasks, chance {100 * value['chance']:.1f} %", columns(rows)]
    lines += [difference(value["system"], name, row) for name, row in value["baselines"].items()]
    return "\n".join([*lines, f"kept in {value['run_dir']}"])


def difference(team: str, name: str, row: Mapping[str, Any]) -> str:
    """One sentence on a baseline."""
    found = row["paired"]["flexible"]
    if row["winner"] is None:
        said = f"{team} and {name}: no difference shown (one of {100 * found['mde']:.1f} points would be)"
    else:
        said = f"{team} beats {name}" if row["winner"] == "team" else f"{name} beats {team}"
    low, high = 100 * found["ci_low"], 100 * found["ci_high"]
    return f"{said}: {100 * found['delta']:+.1f} points ({low:+.1f} to {high:+.1f}), p = {found['p']:.2g}, flexible"
