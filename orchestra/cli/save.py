"""`orchestra save`: a team as a file, which every command takes in place of the team. No model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestra.cli.options import Team, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.screen import say
from orchestra.cli.teams import plan
from orchestra.team.saving import save as saving


@grouped
def save(
    team: Team,
    options: TeamOptions,
    output: Annotated[Path, typer.Option(metavar="FILE", help="Where to write it: .json, .yaml or .yml.")],
    json: Json = False,
) -> None:
    """Write a team as data: names and plain arguments, functions by the names that they are registered under."""
    made = plan(team, options)
    sketch = made.sketch()
    saving.write(output, sketch)
    for policy, model in made.models.items():
        if model != options.model:
            say(f"policy {policy!r} is kept by name and not with its model {model!r}; when it runs, --model is of all")
    value = {"file": str(output), "team": sketch.name, "digest": sketch.digest, "policies": dict(made.models)}
    result(value, f"{output}: team {sketch.name}, digest {sketch.digest}", json)


def register(app: typer.Typer) -> None:
    app.command()(save)
