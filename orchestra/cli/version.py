"""`orchestra version`: which release is running."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import typer

from orchestra.cli.output import Json, result

DISTRIBUTION = "orchestra-teams"


def release() -> str:
    """The installed release, or "uninstalled" where a checkout is run without `make install`."""
    try:
        return installed(DISTRIBUTION)
    except PackageNotFoundError:
        return "uninstalled"


def version(json: Json = False) -> None:
    """Print the release."""
    result({"name": DISTRIBUTION, "version": release()}, f"{DISTRIBUTION} {release()}", json)


def register(app: typer.Typer) -> None:
    app.command()(version)
