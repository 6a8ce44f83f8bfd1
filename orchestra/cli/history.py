"""`orchestra history`: what was decided in a kept run, numbered, to fork it from there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestra.cli.forks import the_only
from orchestra.cli.output import Json, result
from orchestra.cli.screen import columns, safe
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Decision

WIDEST = 60
"""Characters of a reply that are shown."""


def history(
    folder: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Of an `orchestra run` that was finished.")],
    json: Json = False,
) -> None:
    """List the decisions of a run in canonical order; `orchestra run ... --fork RUN_DIR --at N` draws one anew."""
    with open_run(folder) as kept:
        run = the_only(kept.trajectories(), folder)
    rows = [_row(number, decision) for number, decision in enumerate(run.decisions, start=1)]
    shown = [[str(row[name]) for name in ("n", "path", "round", "role")] + [_short(row["said"])] for row in rows]
    table = columns([["n", "where", "round", "role", "said"], *shown])
    value = {"trajectory_id": run.id, "answer": run.answer, "stopped_by": run.stopped_by, "decisions": rows}
    result(value, f"{table}\n{run.stopped_by}: {safe(run.answer or 'no answer')}", json)


def _row(number: int, decision: Decision) -> dict[str, object]:
    said = decision.completion.text if decision.completion else f"failed: {decision.error}"
    return {
        "n": number, "path": decision.path, "round": decision.round, "role": decision.role, "said": said,
        "state": decision.key.state, "draw": decision.key.draw,
    }  # fmt: skip


def _short(said: object) -> str:
    line = " ".join(safe(str(said)).split())
    return line if len(line) <= WIDEST else line[: WIDEST - 3] + "..."


def register(app: typer.Typer) -> None:
    app.command()(history)
