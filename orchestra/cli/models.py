"""`orchestra models`: what --model takes, what of it is on this machine, and how fast it is here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestra.cli.bench import bench
from orchestra.cli.output import Json, result
from orchestra.cli.screen import columns
from orchestra.errors import missing_extra
from orchestra.models import names
from orchestra.models.progress import reporting


def listed(json: Json = False) -> None:
    """List the names that --model takes, and which are in the cache."""
    found = [{"name": name, "summary": summary, **_cached(name)} for name, summary in names.known()]
    rows = [(row["name"], row["folder"] or "-", row["summary"]) for row in found]
    result({"models": found}, columns([("model", "cached", ""), *rows]), json)


def pull(
    name: Annotated[str, typer.Argument(help="smollm2, tiny or hf:ORG/NAME@REVISION.")] = "smollm2", json: Json = False
) -> None:
    """Fetch or build a model, so that later commands find it in the cache."""
    with reporting(None) as report:
        folder = names.folder(name, report)
    size = _size(folder)
    value = {"models": [{"name": name, "folder": str(folder), "bytes": size}]}
    result(value, f"{name}: {folder} ({size / 1e6:,.0f} MB)", json)


def _cached(name: str) -> dict[str, Any]:
    """Folder and bytes of a model with a name of its own; None where it is not in the cache."""
    try:
        from orchestra.models import cache  # noqa: PLC0415  (needs the extra `local`)
    except ImportError as error:
        raise missing_extra("local", str(error.name)) from None
    folders = sorted((cache.root() / "models").glob(f"{name}-*")) if name.isalnum() else []
    whole = [folder for folder in folders if not cache.faults(folder)]
    return {"folder": str(whole[-1]), "bytes": _size(whole[-1])} if whole else {"folder": None, "bytes": None}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The models of this machine.")
    group.command("list")(listed)
    group.command()(pull)
    group.command()(bench)
    app.add_typer(group, name="models")
