"""`orchestra report`: a finished evaluation as one HTML page, with Markdown and JSON beside it."""

from __future__ import annotations

import json as text_of
from pathlib import Path
from typing import Annotated

import typer

from orchestra.atomic import make_folder, write_atomic
from orchestra.cli import shelf
from orchestra.cli.output import Json, result
from orchestra.cli.verdict import sentence
from orchestra.errors import BadInput
from orchestra.evaluation.finished import finished
from orchestra.evaluation.report import markdown, page, report


def report_run(
    folder: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Of an `orchestra eval` that was finished.")],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page; by default RUN_DIR/report.html. It is replaced.")
    ] = None,
    benchmark: Annotated[str, typer.Option(help="If the eval's was of a file: FILE[:NAME].")] = "",
    json: Json = False,
) -> None:
    """Write what an evaluation found as a page that needs no server. Calls no model."""
    path = output or folder / "report.html"
    if path.suffix != ".html":
        raise BadInput(f"expected a file ending in .html, got {str(path)!r}; fix: --output report.html")
    run = finished(folder)
    bench = shelf.benchmark(benchmark or run.spec["benchmark"])
    said = [sentence(run.team, name, row) for name, row in run.figures["baselines"].items()]
    found = report(run, bench, said)
    texts = {
        ".html": page(found),
        ".md": markdown(found),
        ".json": text_of.dumps(found.figures, ensure_ascii=False, allow_nan=False, indent=1),
    }
    make_folder(path.parent)
    for ending, text in texts.items():
        write_atomic(path.with_suffix(ending), text.encode())
    files = [str(path.with_suffix(ending)) for ending in texts]
    value = {"files": files, "runs": len(found.runs), "troubled": len(found.troubled), "said": said}
    result(value, "\n".join([*said, *files]), json)


def register(app: typer.Typer) -> None:
    app.command("report")(report_run)
