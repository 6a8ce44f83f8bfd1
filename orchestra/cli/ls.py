"""`orchestra ls`: what is on the shelves."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestra.cli import shelf
from orchestra.cli.output import Json, result
from orchestra.cli.screen import columns
from orchestra.errors import UnknownName

PLURALS = {"topologies": "topology", **{f"{kind}s": kind for kind in shelf.KINDS}}


def ls(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(shelf.KINDS)}, or its plural.")] = "",
    json: Json = False,
) -> None:
    """List roles, topologies, benchmarks, worlds, models and recipes."""
    one = PLURALS.get(kind, kind)
    if one and one not in shelf.KINDS:
        raise UnknownName("kind", kind, shelf.KINDS)
    found = [item for each in ([one] if one else shelf.KINDS) for item in shelf.items(each)]
    result({"items": [item._asdict() for item in found]}, columns(found), json)


def register(app: typer.Typer) -> None:
    app.command()(ls)
