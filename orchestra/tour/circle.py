"""The whole circle: measure, collect, train, measure again; then one small model behind a million agents.

Each stage's figures are saved when it ends, its model calls as they are made, its adapters as they are published; so a
tour that was stopped goes on where it was, and a finished one is told again from what is saved.
"""

from __future__ import annotations

import json
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
    options = ["--epochs", str(sizes.epochs), "--per-task", str(sizes.per_task), "--roles", *TEAM, *held_out]
    fitted = going.stage("train team", lambda: train.sft(going, "collected", "team", *options))
    after = going.stage("trained", lambda: team.trained(going, before))
    going.stage("expert", lambda: citizen.record_expert(going))
    epochs = ["--epochs", str(sizes.citizen_epochs)]
    citizens = going.stage("train citizen", lambda: train.sft(going, "expert", "citizen", *epochs))
    population = going.stage("population", lambda: citizen.simulated(going))
    result = {
        "stages": [{"name": name, "seconds": seconds} for name, seconds in going.seconds.items()],
        "before": before,
        "collected": collected,
        "trained": {name: _without_curve(row) for done in (fitted, citizens) for name, row in done["policies"].items()},
        "losses": {name: row["curve"] for done in (fitted, citizens) for name, row in done["policies"].items()},
        "after": after,
        "population": population,
    }
    result["text"] = report.write(folder, json.loads(json.dumps(result)))
    return result


def _without_curve(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "curve"}
