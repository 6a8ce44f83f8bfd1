"""Learning curves of reinforcement runs: reward, approximate KL, entropy and rows kept, step by step, a line a run.

    python -m scripts.learning_curve runs/atgrpo/adapters/trained runs/atgrpo/adapters/control --output curve.svg

Reads the steps.jsonl that `training/grpo.py` and `training/ppo.py` leave. The bold line of the reward is a mean over
--smooth steps; the faint one is each step's, on other tasks every time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from orchestra.errors import BadData, OrchestraError
from orchestra.evaluation.plot import check_plot

PANELS: Final = (
    ("reward", "reward of the team"),
    ("kl", "KL a step"),
    ("entropy", "entropy a token"),
    ("kept", "rows kept"),
)


def read(folder: Path) -> list[dict[str, Any]]:
    """The steps of a run. Raises BadData where there are none."""
    file = folder / "steps.jsonl"
    try:
        steps = [json.loads(line) for line in file.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise BadData(
            f"expected steps of training/grpo.py or ppo.py, got {error!r} at {file}; fix: its --output"
        ) from None
    if not steps:
        raise BadData(f"expected steps, got none in {file}; fix: a run that has ended one")
    return steps


def smoothed(values: Sequence[float], width: int) -> list[float]:
    """The mean of each value and those before it, `width` at most.

    >>> smoothed([0.0, 1.0, 1.0], 2)
    [0.0, 0.5, 1.0]
    """
    return [fmean(values[max(0, at + 1 - width) : at + 1]) for at in range(len(values))]


def draw(runs: dict[str, list[dict[str, Any]]], output: Path, width: int) -> None:
    check_plot(output)
    from matplotlib import pyplot as plt  # noqa: PLC0415  (after the choice of a canvas without a screen)

    figure, panels = plt.subplots(2, 2, figsize=(9, 6), layout="constrained", sharex=True)
    for axes, (name, title) in zip(panels.flat, PANELS, strict=True):
        for run, steps in runs.items():
            values = [float(step[name]) for step in steps]
            at = range(1, len(values) + 1)
            (line,) = axes.plot(at, smoothed(values, width) if name == "reward" else values, label=run)
            if name == "reward":
                axes.plot(at, values, color=line.get_color(), alpha=0.3, linewidth=0.8)
        axes.set(title=title)
        axes.grid(alpha=0.3)
    panels[0, 0].legend(fontsize="small")
    for axes in panels[1]:
        axes.set(xlabel="step")
    figure.savefig(output, metadata={"Date": None} if output.suffix == ".svg" else None)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Learning curves of reinforcement runs.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="outputs of training/grpo.py or ppo.py")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".svg, .png or .pdf")
    parser.add_argument("--smooth", type=int, default=5, help="steps of a mean (default 5)")
    options = parser.parse_args(arguments)
    try:
        draw({folder.name: read(folder) for folder in options.runs}, options.output, max(1, options.smooth))
    except OrchestraError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
