"""How a loop tells what it measured: a line a system, a line a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def table(systems: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Accuracy under both rules and tokens a task, of `Result.summary` by name."""
    wide = max(map(len, systems)) + 2
    lines = [f"{'':{wide}}{'strict':26}{'flexible':10}tokens a task"]
    for name, row in systems.items():
        mean, low, high = (100 * row["strict"][k] for k in ("mean", "ci_low", "ci_high"))
        strict, flexible = f"{mean:.1f} % ({low:.1f} to {high:.1f})", f"{100 * row['flexible']['mean']:.1f} %"
        lines.append(f"{name:{wide}}{strict:26}{flexible:10}{row['tokens_per_task']:.0f}")
    return lines


def verdicts(paired: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Ours -> theirs -> what `outcome.against` found: whichever won, under the strict rule's figures."""
    lines = []
    for ours, others in paired.items():
        for theirs, row in others.items():
            found = row["paired"]["strict"]
            won = {"team": f"{ours} won", "baseline": f"{theirs} won", None: "no difference shown"}[row["winner"]]
            lines.append(
                f"{ours} - {theirs}: {100 * found['delta']:+.1f} points ({100 * found['ci_low']:+.1f} to "
                f"{100 * found['ci_high']:+.1f}), p = {found['p']:.2g}, n = {found['n']}: {won}"
            )
    return lines
