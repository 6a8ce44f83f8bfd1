"""`orchestra draw`: a team's graph as text, bare or with a run laid over it. No model is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from orchestra.atomic import write_atomic
from orchestra.cli.options import Team, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.teams import plan
from orchestra.engine.graph import Graph
from orchestra.errors import BadInput, UnknownName
from orchestra.team import Team as Drawn
from orchestra.team.draw import Overlay, dot, mermaid, overlay, svg
from orchestra.trajectory.store import Run, open_run
from orchestra.trajectory.trajectory import Trajectory

FORMATS: Final[Mapping[str, Callable[[Graph, Overlay | None], str]]] = {"mermaid": mermaid, "dot": dot, "svg": svg}

LISTED: Final = 5
"""Trajectories named where one must be chosen."""


@grouped
def draw(
    team: Team,
    options: TeamOptions,
    format: Annotated[str, typer.Option(help="mermaid, dot or svg.")] = "mermaid",
    run: Annotated[Path | None, typer.Option(metavar="DIR", help="Lay a run of this team over it.")] = None,
    trajectory: Annotated[str, typer.Option(metavar="ID", help="Which of the run's trajectories.")] = "",
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there, not to stdout.")] = None,
    json: Json = False,
) -> None:
    """Draw a team: solid edges are of the same round, dotted ones go to the next."""
    if format not in FORMATS:
        raise UnknownName("format", format, FORMATS)
    if trajectory and run is None:
        raise BadInput(f"--trajectory {trajectory} is of a run; fix: give --run DIR too")
    graph = plan(team, options).sketch()
    text = FORMATS[format](graph, _overlay(graph, run, trajectory) if run else None)
    if output is not None:
        write_atomic(output, f"{text}\n".encode())
    result({"format": format, "text": text}, str(output) if output else text, json)


def _overlay(team: Drawn, folder: Path, name: str) -> Overlay:
    with open_run(folder) as run:
        kept = _chosen(run, name)
    if kept.team != team.digest:
        raise BadInput(
            f"trajectory {kept.id} of {folder} is of another team: digest {kept.team[:12]}, that of {team.name!r} is "
            f"{team.digest[:12]}; fix: the TEAM and the options that it was run with"
        )
    return overlay(team, kept)


def _chosen(run: Run, name: str) -> Trajectory:
    """The trajectory of that id, or the only one."""
    if name:
        found = run.get(name)
        if found is None:
            raise UnknownName(f"trajectory of {run.path}", name, (kept.id for kept in run.trajectories()))
        return found
    kept = list(run.trajectories())
    if len(kept) != 1:
        listed = ", ".join(each.id for each in kept[:LISTED]) + (", ..." if len(kept) > LISTED else "")
        fix = f"fix: --trajectory with one of {listed}" if kept else "fix: a run that was finished"
        raise BadInput(f"{run.path} holds {len(kept)} trajectories, expected one; {fix}")
    return kept[0]


def register(app: typer.Typer) -> None:
    app.command()(draw)
