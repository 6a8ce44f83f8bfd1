"""`orchestra tour`: the whole circle on a real language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestra.cli.output import Json, result
from orchestra.models.progress import reporting
from orchestra.tour.plan import SMALL, Sizes


def tour(
    model: Annotated[str, typer.Option(help="The base model.")] = "smollm2",
    run_dir: Annotated[Path | None, typer.Option(help="Where to write; default runs/tour-MODEL.")] = None,
    seed: Annotated[int, typer.Option(help="Of samples, splits' order, training and populations.", min=0)] = 0,
    resume: Annotated[
        bool, typer.Option(help="Go on with a tour that was stopped; a tour does so anyway, from its run folder.")
    ] = True,
    small: Annotated[bool, typer.Option(help="A tour of a minute, to see that everything runs.")] = False,
    json: Json = False,
) -> None:
    """Measure, collect, train, measure again, then let the small model live in a million agents."""
    from orchestra.tour.circle import tour as go  # noqa: PLC0415  (loads what --help need not)

    folder = run_dir or Path("runs") / f"tour-{model.replace('/', '_').replace(':', '_')}{'-small' if small else ''}"
    if not resume and folder.exists():
        raise typer.BadParameter(
            f"{folder} holds a tour; remove it, or give another --run-dir", param_hint="--no-resume"
        )
    with reporting(None) as report:
        found = go(folder, model=model, sizes=SMALL if small else Sizes(), seed=seed, report_progress=report)
    text = found.pop("text")
    result(found, f"{text}\nwritten to {folder}", json)


def register(app: typer.Typer) -> None:
    app.command()(tour)
