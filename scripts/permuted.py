"""A control for the tour: the same rows with their answers permuted must teach nothing.

    python scripts/permuted.py runs/tour-smollm2 --out runs/permuted

Takes the good decisions of a finished tour, deals their replies out anew within each role, so that every prompt gets
another task's answer, trains with the tour's own settings, and measures on the tour's held-out items.
"""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

from orchestra.atomic import read_record
from orchestra.credit import Scored, nested_mean
from orchestra.evals import arith
from orchestra.learning.adapters import bind
from orchestra.models.model import Policy
from orchestra.models.progress import reporting
from orchestra.tour import team, train
from orchestra.tour.plan import Sizes, Tour
from orchestra.tour.prompts import TEAM
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Decision, Leaf, Trajectory
from orchestra.types import Key, Usage


def main() -> int:
    parser = ArgumentParser(description="Train the tour's team on permuted answers, and measure it.")
    parser.add_argument("tour", type=Path, help="the run folder of a finished tour")
    parser.add_argument("--out", type=Path, required=True, help="a new run folder")
    options = parser.parse_args()
    spec = read_record(options.tour / "run.json", version=1)
    with reporting(None) as report:
        control = Tour(options.out, spec["model"], Sizes(**spec["sizes"]), spec["seed"], arith("add2"), report)
        asyncio.run(permute(options.tour, control))
        sizes = control.sizes
        train.sft(
            control,
            "collected",
            "team",
            "--epochs",
            str(sizes.epochs),
            "--lr",
            str(sizes.lr),
            "--per-task",
            str(sizes.per_task),
            "--roles",
            *TEAM,
        )
        bound = bind(options.out / "adapters" / "team")
        policies = {name: Policy(name, control.model, str(b.folder), b.version) for name, b in bound.items()}
        measured = {
            "untrained": team.measure(control, "untrained", team.build(control, "team", team.TRAINED_PROMPT)),
            "permuted": team.measure(
                control, "permuted", team.build(control, "team", team.TRAINED_PROMPT, adapters=policies)
            ),
        }
    print(
        json.dumps({"sizes": asdict(sizes), **{name: result.summary() for name, result in measured.items()}}, indent=1)
    )
    return 0


async def permute(source: Path, control: Tour) -> None:
    """Writes the good decisions of a tour into the control's folder, each with the reply of another task's."""
    with open_run(source / "collected") as old, control.run("collected") as new:
        values = old.annotations("nested_mean")
        good = [
            (tree, d)
            for tree in old.trajectories()
            for d in tree.decisions
            if (value := values[tree.id][d.key].value) is not None and value > 0.5
        ]
        made = [
            t for role in TEAM for t in dealt([pair for pair in good if pair[1].role == role], Random(control.seed))
        ]
        for trajectory in made:
            new.add(trajectory)
        await new.flushed()
        tables = nested_mean()([Scored(t, ({"task": 1.0},)) for t in made])
        new.annotate("nested_mean", {t.id: table for t, table in zip(made, tables, strict=True)})


def dealt(good: list[tuple[Trajectory, Decision]], dice: Random) -> list[Trajectory]:
    """One trajectory a decision, its reply taken from a decision on a task with another answer, where there is one."""
    order = list(range(len(good)))
    dice.shuffle(order)
    made = []
    for i, (tree, decision) in enumerate(good):
        others = [j for j in order if good[j][0].task.gold != tree.task.gold] or order
        given = good[others[i % len(others)]][1].completion
        if given is None or decision.completion is None:
            continue
        reply = replace(given, prompt_ids=decision.completion.prompt_ids)
        key = Key(f"{decision.key.state}-{i}", 0)
        leaf = Leaf((key,), None, "permuted", Usage())
        lonely = (replace(decision, key=key, saw=(), completion=reply),)
        made.append(Trajectory(f"{decision.role}-{i}", tree.task, tree.seed, tree.team, lonely, (), (leaf,)))
    return made


if __name__ == "__main__":
    sys.exit(main())
