"""`orchestra audit`: the replies of an evaluation under every scoring rule, ours and public ones, and who disagrees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestra.cli import shelf
from orchestra.cli.output import Json, result
from orchestra.cli.screen import columns, interval, safe
from orchestra.evaluation.audit import audit, of_file, of_runs
from orchestra.evaluation.finished import finished
from orchestra.types import AnswerKind

SHOWN = 5
"""Examples for people, and the characters of each reply's end that they see; --json has more."""
WIDEST = 160


def audit_replies(
    log: Annotated[
        Path,
        typer.Argument(metavar="LOG", help="Run folder of an `orchestra eval`, or a .jsonl of gold, text and kind."),
    ],
    system: Annotated[str, typer.Option(metavar="NAME", help="A baseline of the run, not the team.")] = "",
    benchmark: Annotated[str, typer.Option(help="If the eval's was of a file: FILE[:NAME].")] = "",
    kind: Annotated[AnswerKind, typer.Option(help="Of the answers of a .jsonl whose lines do not say it.")] = "number",
    examples: Annotated[int, typer.Option(min=0, help="Disputed replies in --json.")] = 20,
    json: Json = False,
) -> None:
    """Score replies again with every rule and show where the rules disagree. Calls no model."""
    if log.suffix == ".jsonl":
        found = audit(of_file(log, kind), shelf.benchmark(benchmark) if benchmark else None)
    else:
        run = finished(log)
        found = audit(of_runs(run.of(system)), shelf.benchmark(benchmark or run.spec["benchmark"]))
    value = {"log": str(log), **found.summary(examples)}
    result(value, told(value), json)


def told(value: Mapping[str, Any]) -> str:
    """An audit for people."""
    counts = (
        f"{value['failed']} of failed runs, {value['unscored']} without a gold, {value['cut']} of runs with a cut reply"
    )
    lines = [f"{value['replies']} replies ({counts}); the rules differ on {value['disputed']}"]
    if not value["rules"]:
        return lines[0]
    rows = [("rule", "credit", "no answer read", "program ends", "of")]
    for rule in value["rules"]:
        credit = "-" if rule["credit"] is None else interval(rule["credit"])
        rows.append((rule["rule"], credit, str(rule["unparseable"]), str(rule["raised"]), rule["source"]))
    names = [rule["rule"] for rule in value["rules"]]
    table = [("more credit than", *names)]
    table += [(a, *("" if a == b else str(value["more_credit"][a][b]) for b in names)) for a in names]
    lines += [columns(rows), columns(table)]
    return "\n".join([*lines, *(_example(each) for each in value["examples"][:SHOWN])])


def _example(found: Mapping[str, Any]) -> str:
    said = " ".join(safe(found["text"]).split())
    said = said if len(said) <= WIDEST else f"…{said[-WIDEST:]}"
    verdicts = ", ".join(
        f"{name} {'-' if each['found'] is None else safe(each['found'][:24])!r} {_credit(each['credit'])}"
        for name, each in found["verdicts"].items()
    )
    return f"{safe(found['task'])}, gold {safe(found['gold'])[:40]}: {said!r}\n  {verdicts}"


def _credit(credit: float | None) -> str:
    return "(ends)" if credit is None else f"({credit:.3g})"


def register(app: typer.Typer) -> None:
    app.command("audit")(audit_replies)
