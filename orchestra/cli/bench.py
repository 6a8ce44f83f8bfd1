"""`orchestra models bench`: how fast a model is on this machine as it is now, and how far to believe its choices."""

from __future__ import annotations

import json as encoding
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from orchestra.cli.output import Json, result
from orchestra.cli.screen import columns
from orchestra.models import names


def bench(
    wanted: Annotated[list[str] | None, typer.Argument(metavar="MODEL...", help="As --model takes them.")] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Longest reply.")] = 32,
    calibration: Annotated[
        int | None,
        typer.Option(
            min=15, metavar="N", help="Also measure how well choices are calibrated, on N questions of each kind."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure models on this machine as it is now: tokens a second, and peak memory; each in a process of its own."""
    chosen = list(dict.fromkeys(wanted or ["smollm2"]))
    for name in chosen:
        names.parse(name)
    one = _measured if len(chosen) == 1 else _apart
    measured = [one(name, tokens, calibration) for name in chosen]
    result({"models": measured}, _told(measured), json)


def _measured(name: str, tokens: int, calibration: int | None) -> dict[str, Any]:
    """JSON of one model's figures."""
    # Imported here: they load numpy and the benchmarks, which --help need not.
    from orchestra.cli import reliability  # noqa: PLC0415
    from orchestra.models import speed  # noqa: PLC0415

    model = names.load_model(name)
    figures = speed.measure(model, tokens=tokens)
    return {
        "name": name,
        "weights": model.weights(),
        "capabilities": sorted(model.capabilities),
        "tokens_per_s": {str(number): round(rate, 1) for number, rate in figures.tokens_per_s.items()},
        "prefill_tokens_per_s": round(figures.prefill_tokens_per_s, 1),
        "peak_bytes": figures.peak_bytes,
        "calibration": reliability.measure(model, calibration) if calibration else [],
    }


def _apart(name: str, tokens: int, calibration: int | None) -> dict[str, Any]:
    """The same, measured by this command in a process of its own, so that memory is that model's alone."""
    more = ["--calibration", str(calibration)] if calibration else []
    command = [sys.executable, "-m", "orchestra.cli", "models", "bench", name, "--tokens", str(tokens), "--json", *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  (no shell)
    if done.returncode:
        raise typer.Exit(done.returncode)  # it has told why
    (figures,) = encoding.loads(done.stdout)["models"]
    return figures  # type: ignore[no-any-return]


def _told(measured: Sequence[Mapping[str, Any]]) -> str:
    flights = list(measured[0]["tokens_per_s"])
    rows = [("model", *(f"tokens/s at {number}" for number in flights), "prefill", "peak MB")]
    for each in measured:
        peak = "-" if each["peak_bytes"] is None else f"{each['peak_bytes'] / 1e6:,.0f}"
        rates = (f"{rate:,.0f}" for rate in (*each["tokens_per_s"].values(), each["prefill_tokens_per_s"]))
        rows.append((each["name"], *rates, peak))
    tables = [columns(rows)]
    if choices := [(each["name"], row) for each in measured for row in each["calibration"]]:
        head = ("model", "questions", "probabilities", "accuracy", "confidence", "ECE", "Brier")
        figures = ("accuracy", "confidence", "ece", "brier")
        cells = [(name, row["questions"], row["rule"], *(f"{row[f]:.3f}" for f in figures)) for name, row in choices]
        tables.append(columns([head, *cells]))
    return "\n\n".join(tables)
