"""The tour's trainings: the recipe `training/sft.py`, started as a person would start it, by `accelerate launch`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from orchestra import training
from orchestra.errors import RunFailed
from orchestra.tour.plan import Tour
from orchestra.training._launch import threads

RECIPE = Path(training.__file__).with_name("sft.py")


def sft(tour: Tour, run: str, output: str, *options: str) -> dict[str, Any]:
    """Trains one adapter a policy on a run folder's good decisions. A policy published before is not trained again."""
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "1",
        "--num_machines",
        "1",
    ]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--num_cpu_threads_per_process", str(threads(1))]
    given = ["--trajectories", str(tour.folder / run), "--output", str(tour.folder / "adapters" / output)]
    given += ["--model", tour.model_name, "--seed", str(tour.seed), "--json", *options]
    done = subprocess.run([*launch, str(RECIPE), *given], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode == 130:
        raise KeyboardInterrupt
    if done.returncode:
        raise RunFailed(f"training/sft.py ended with exit code {done.returncode}; its own error stands above")
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said
