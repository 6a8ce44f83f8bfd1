"""What every topology of the shelf comes to: beside its closed form under the noisy oracle, and on a real model.

    python -m scripts.topologies [--tasks 2000] [--only dylan,debate] [--json]
    python -m scripts.topologies --model smollm2 [--n 50] [--max-tokens 48] [--only ...] [--run-dir DIR] [--json]

The first table has a row for each setting in `tests/closed_forms`: accuracy, calls and tokens (words, as scripted
models count) a task, expected and measured, whether they meet within three standard errors, and which of the three a
control with the wrong wiring misses. The second runs every topology with its usual roles on the same
items of `arith:add2`: how many were right by the flexible rule, how many replies held no answer, calls and tokens a
task, and why runs ended. It goes on where it was if it is started again. It says what these teams do with one small
model and short replies, and nothing beyond that.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orchestra.topologies
from orchestra.cli import teams
from orchestra.cli.options import RunOptions, TeamOptions
from orchestra.cli.policies import policies, weights
from orchestra.cli.runs import opened, wait
from orchestra.cli.screen import columns, say
from orchestra.contracts.figures import Figures, measure
from orchestra.evals import arith
from orchestra.evaluation.evaluate import evaluate
from orchestra.evaluation.result import Item
from orchestra.models.noisy import problems
from tests.closed_forms import Row, rows


def beside_closed_form(row: Row, tasks: int) -> dict[str, Any]:
    """One setting: expected, measured, and what its control misses."""
    answers = problems(tasks, wrong=row.wrong)
    expected, got = row.expected(), measure(row.team(answers), answers)
    control = measure(row.control(answers), answers)
    missed = [line.partition(":")[0] for line in control.differ(expected)]
    figures = {"expected": _shown(expected), "got": _shown(got), "control": _shown(control)}
    met = not got.differ(expected)
    return {"topology": row.topology, "setting": row.setting, **figures, "met": met, "missed": missed}


def on_model(names: Sequence[str], options: TeamOptions, n: int, keep: RunOptions) -> Iterator[dict[str, Any]]:
    """Every topology on the same items, one after another, all on one loaded model."""
    bench = arith("add2")
    tasks = bench.sample(n, split="test", seed=keep.seed)
    plans = {name: teams.plan(name, options) for name in names}
    made = policies({policy: base for plan in plans.values() for policy, base in plan.models.items()}, options)
    built = {name: plan.make(made) for name, plan in plans.items()}
    spec = {"teams": {name: team.digest for name, team in built.items()}, "weights": weights(*built.values()), "n": n}
    with opened("topologies", spec, keep) as folder:
        say(f"kept in {folder.path}")
        for name, team in built.items():
            say(name)
            result = wait(evaluate(team, tasks, bench, folder, name=name, seed=keep.seed))
            yield {"topology": name, "n": n, **_spent(result.items)}


def _spent(items: Sequence[Item]) -> dict[str, Any]:
    return {
        "right": sum(item.flexible == 1.0 for item in items),
        "unparseable": sum(not item.parsed for item in items),
        "calls": sum(item.usage.calls for item in items) / len(items),
        "tokens": sum(item.usage.tokens for item in items) / len(items),
        "stopped_by": dict(Counter(item.stopped_by for item in items).most_common()),
    }


def _shown(figures: Figures) -> dict[str, Any]:
    return {name: mean._asdict() for name, mean in figures._asdict().items()}


def _mean(figure: dict[str, float]) -> str:
    return f"{figure['value']:.3f}" if figure["value"] < 1 else f"{figure['value']:.2f}"


def closed_form_table(found: Sequence[dict[str, Any]]) -> str:
    lines = [["topology", "setting", "accuracy", "calls", "tokens", "met", "control misses"]]
    for row in found:
        pairs = [f"{_mean(row['expected'][name])} {_mean(row['got'][name])}" for name in Figures._fields]
        lines.append([row["topology"], row["setting"], *pairs, "yes" if row["met"] else "NO", ", ".join(row["missed"])])
    return columns(lines)


def model_table(found: Sequence[dict[str, Any]]) -> str:
    lines = [["topology", "right", "no answer", "calls", "tokens", "stopped by"]]
    for row in found:
        stops = ", ".join(f"{why} {times}" for why, times in row["stopped_by"].items())
        right = f"{row['right']} of {row['n']}"
        lines.append(
            [row["topology"], right, str(row["unparseable"]), f"{row['calls']:.2f}", f"{row['tokens']:.0f}", stops]
        )
    return columns(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=2000, help="of the noisy oracle")
    parser.add_argument("--only", default="", help="topologies, separated by commas")
    parser.add_argument("--model", default="", help="run them on this model instead")
    parser.add_argument("--n", type=int, default=50, help="items of arith:add2")
    parser.add_argument("--max-tokens", type=int, default=48, help="longest reply of every role")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run-dir", type=Path, default=None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    chosen = args.only.split(",") if args.only else sorted(orchestra.topologies.__all__)
    if args.model:
        options = TeamOptions(model=args.model, max_tokens=args.max_tokens)
        found = list(on_model(chosen, options, args.n, RunOptions(seed=args.seed, run_dir=args.run_dir)))
    else:
        found = [beside_closed_form(row, args.tasks) for row in rows() if row.topology in chosen]
    table = model_table if args.model else closed_form_table
    print(json.dumps({"rows": found}) if args.json else table(found))


if __name__ == "__main__":
    main()
