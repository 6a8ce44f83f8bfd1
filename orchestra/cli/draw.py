"""`orchestra draw`: a team's graph as text. No model is loaded."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestra.cli.options import Team, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.teams import plan
from orchestra.errors import BadInput, UnknownName
from orchestra.team.draw import dot


@grouped
def draw(
    team: Team,
    options: TeamOptions,
    format: Annotated[str, typer.Option(help="mermaid or dot.")] = "mermaid",
    json: Json = False,
) -> None:
    """Draw a team: solid edges are of the same round, dotted ones go to the next."""
    if format == "svg":
        raise BadInput("--format svg is planned; fix: --format dot, and `dot -Tsvg` of Graphviz")
    if format not in ("mermaid", "dot"):
        raise UnknownName("format", format, ("mermaid", "dot"))
    graph = plan(team, options).sketch()
    text = graph.to_mermaid() if format == "mermaid" else dot(graph)
    result({"format": format, "text": text}, text, json)


def register(app: typer.Typer) -> None:
    app.command()(draw)
