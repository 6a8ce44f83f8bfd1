"""The whole circle: measure, collect, train, measure again; then one small model behind a million agents.

Each stage's figures are saved when it ends, its model calls as they are made, its adapters as they are published; so a
tour that was stopped goes on where it was, and a finished one is told again from what is saved.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestra.evals import arith
from orchestra.models import names
from orchestra.models.progress import Report
from orchestra.tour import citizen, report, team, train
from orchestra.tour.plan import Sizes, Tour
from orchestra.tour.prompts import TEAM
from orchestra.trajectory.store import open_run


def tour(folder: Path, *, model: str, sizes: Sizes, seed: int, report_progress: Report) -> dict[str, Any]:
    """Runs what is left of a tour and returns its result, which also stands in tour.json, tour.md and three plots."""
    open_run(
        folder, create=True, spec={"command": "tour", "model": model, "seed": seed, "sizes": asdict(sizes)}
    ).close()
    going = Tour(folder, model, sizes, seed, arith("add2"), report_progress)
    going.stage("model", lambda: {"folder": names.folder(model, report_progress).name})
    before = going.stage("untrained", lambda: team.untrained(going))
    collected = going.stage("collect", lambda: team.collect(going))
    held_out = ["--held-out", *(str(folder / "held-out" / name) for name in team.SYSTEMS)]
    schedule = ["--epochs", str(sizes.epochs), "--lr", str(sizes.lr)]
    options = [*schedule, "--per-task", str(sizes.per_task), "--roles", *TEAM, *held_out]
    fitted = going.stage("train team", lambda: train.sft(going, "collected", "team", *options))
    after = going.stage("trained", lambda: team.trained(going, before))
    going.stage("expert", lambda: citizen.record_expert(going))
    schedule = [
        "--epochs",
        str(sizes.citizen_epochs),
        "--lr",
        str(sizes.citizen_lr),
        "--batch",
        str(sizes.citizen_batch),
    ]
    citizens = going.stage("train citizen", lambda: train.sft(going, "expert", "citizen", *schedule))
    population = going.stage("population", lambda: citizen.simulated(going))
    systems = before["systems"]
    result = {
        "stages": going.stages,
        "before": {**systems["team"], "baselines": {name: systems[name] for name in team.SYSTEMS[1:]}},
        "after": {**after, "baselines": {}},
        "prompts": before["prompts"],
        "yields": collected["yields"],
        "losses": {name: row["curve"] for done in (fitted, citizens) for name, row in done["policies"].items()},
        "population": population,
        "run_dir": str(folder),
    }
    return {**result, "text": report.write(folder, result)}
