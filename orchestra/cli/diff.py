"""`orchestra diff`: what makes one team into another, to read or as a patch. No model is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from orchestra.cli.options import Imports, Team, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.screen import safe
from orchestra.cli.teams import plan
from orchestra.team.saving.changes import write
from orchestra.team.saving.diff import diff as between
from orchestra.team.saving.diff import lines


@grouped
def diff(
    a: Team,
    b: Team,
    imports: Imports = [],  # noqa: B006  (Typer's way to say that an option may be left out)
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the changes as a patch.")] = None,
    json: Json = False,
) -> None:
    """Tell what changes from team A to team B; `orchestra save` writes a team with options to compare."""
    options = replace(TeamOptions(), imports=imports)
    first, second = plan(a, options).sketch(), plan(b, options).sketch()
    changes = between(first, second)
    if output is not None:
        write(output, changes)
    text = "\n".join(lines(changes))
    value = {"equal": not changes, "changes": changes, "text": text, "digests": [first.digest, second.digest]}
    result(value, safe(text) if changes else "no difference", json)


def register(app: typer.Typer) -> None:
    app.command()(diff)
