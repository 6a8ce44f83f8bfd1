"""`orchestra diagnose`: how the members of an evaluated team talked, and what the team made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestra.cli import shelf
from orchestra.cli.output import Json, result
from orchestra.cli.screen import columns, interval, safe
from orchestra.errors import BadInput
from orchestra.evaluation.diagnostics.summary import summary
from orchestra.evaluation.result import Rule
from orchestra.trajectory.store import open_run

SHOWN = 12
"""Edges in the table for people; --json has all."""


def diagnose(
    folder: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Of an `orchestra eval`.")],
    rule: Annotated[Rule, typer.Option(help="What counts as right.")] = "flexible",
    benchmark: Annotated[str, typer.Option(help="If the eval's was of a file: FILE[:NAME].")] = "",
    json: Json = False,
) -> None:
    """Tokens read again, flips and consensus by round, member, majority, oracle and team. Calls no model."""
    with open_run(folder) as kept:
        if kept.spec.get("command") != "eval":
            raise BadInput(f"{folder} is of the command {kept.spec.get('command')!r}; expected one of `eval`")
        runs = [run for run in kept.trajectories() if run.team == kept.spec["team"]]
        bench = shelf.benchmark(benchmark or kept.spec["benchmark"])
    found = summary(runs, bench, rule)
    value = {"run_dir": str(folder), "benchmark": bench.name, **found}
    result(value, _told(value), json)


def _told(value: Mapping[str, Any]) -> str:
    parts = [f"{value['benchmark']}, {value['runs']} runs, {value['rule']}"]
    if value["aggregation"]:
        parts.append(_aggregation(value["aggregation"]))
    if value["dynamics"]["rounds"]:
        parts.append(_rounds(value["dynamics"]))
    parts.append(_communication(value["communication"]))
    names = {
        "novelty": "new to its reader, of a message's word pairs",
        "idle_messages": "messages after which no reader changed its answer",
        "information_diversity": "information diversity of messages and those they answer (IDS)",
        "unnecessary_paths": "paths of messages that changed nothing (UPR)",
    }
    parts += [f"{_percent(value[name])} {said}" for name, said in names.items() if value[name] is not None]
    return "\n".join(parts)


def _aggregation(found: Mapping[str, Any]) -> str:
    names = {"mean_member": "mean member", "majority": "majority", "oracle": "oracle", "team": "team"}
    rows = [("first answers", "accuracy"), *((said, _interval(found[name])) for name, said in names.items())]
    efficiency = found["efficiency"]
    return columns([*rows, ("efficiency", "no gap to close" if efficiency is None else _interval(efficiency))])


def _rounds(found: Mapping[str, Any]) -> str:
    flips = {flip["round"]: flip for flip in found["flips"]}
    rows = [("round", "members", "majority", "right to wrong", "wrong to right", "p")]
    for row in found["rounds"]:
        flip = flips.get(row["round"])
        moved = (str(flip["right_wrong"]), str(flip["wrong_right"]), f"{flip['p']:.2g}") if flip else ("", "", "")
        rows.append((str(row["round"] + 1), _interval(row["members"]), _interval(row["majority"]), *moved))
    agreed = f"all agree in {_percent(found['agreed'])} of runs"
    after = found["consensus_rounds"]
    return columns(rows) + f"\n{agreed}" + (f", after {after:.2f} rounds" if after is not None else "")


def _communication(found: Mapping[str, Any]) -> str:
    rows = [("agent", "calls", "tokens in", "of these read again", "tokens out")]
    rows += [
        (safe(a["agent"]), f"{a['calls']}", f"{a['tokens_in']}", f"{a['reread']}", f"{a['tokens_out']}")
        for a in found["agents"]
    ]
    edges = sorted(found["edges"], key=lambda edge: -edge["reread"])[:SHOWN]
    told = [("from", "to", "messages", "tokens read again")]
    told += [(safe(e["from"]), safe(e["to"]), f"{e['messages']}", f"{e['reread']}") for e in edges]
    return columns(rows) + (f"\n{columns(told)}" if edges else "")


def _interval(found: Mapping[str, Any]) -> str:
    """One of a single task has no bounds."""
    return _percent(found["mean"]) if found["ci_low"] is None else interval(found)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def register(app: typer.Typer) -> None:
    app.command()(diagnose)
