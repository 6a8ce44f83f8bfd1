"""Figures of an evaluation as tables of words, made once for every format of a report.

A cell is text; what it holds of models or users is made harmless by whoever writes a format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from orchestra.evaluation.result import Rule

Figures = Mapping[str, Any]

TESTS = {
    "mcnemar": "McNemar, exact",
    "cluster_t": "t over families",
    "sign_flip": "sign-flip permutation",
}
EDGES = 20
"""Edges that a table shows, those with most tokens read again."""


class Table(NamedTuple):
    """Rows under a head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def results(figures: Figures) -> Iterator[Table]:
    """What was measured: every system, the paired tests, accuracy against cost, more samples, difficulty."""
    yield _systems(figures)
    if figures["baselines"]:
        yield _paired(figures)
    if curve := figures.get("curve"):
        yield _points(curve)
    if curve and len(curve["dominates"]) > 1:
        yield _dominance(curve["dominates"])
    if at_k := figures.get("at_k"):
        rows = tuple(
            (f"{row['k']:.0f}", *(_percent(row[name]) for name in ("pass", "all", "majority"))) for row in at_k
        )
        yield Table("Several runs of the team", ("k", "one is right", "all are right", "their majority"), rows)
    if strata := figures.get("strata"):
        rows = tuple(
            (str(row["tasks"]), *map(_percent, (row["held_out"], *row["accuracy"].values()))) for row in strata
        )
        head = ("tasks", "single agent", *strata[0]["accuracy"])
        note = "Hardest first, by half of the single agent's draws; its column is of the other half."
        yield Table("By difficulty for a single agent", head, rows, note)


def diagnostics(found: Figures) -> Iterator[Table]:
    """How the members talked, and what the team made of them."""
    if whole := found["aggregation"]:
        names = {"mean_member": "mean member", "majority": "majority", "oracle": "oracle", "team": "team"}
        rows = [(said, _interval(whole[name])) for name, said in names.items()]
        rows.append(("efficiency", _interval(whole["efficiency"]) if whole["efficiency"] else "no gap to close"))
        note = "Efficiency: the share of the gap from mean member to oracle that the team closes."
        yield Table("First answers and the team's", ("", "accuracy"), tuple(rows), note)
    if found["dynamics"]["rounds"]:
        yield _rounds(found["dynamics"])
    yield _agents(found["communication"]["agents"])
    if edges := found["communication"]["edges"]:
        yield _edges(edges)
    shares = {
        "novelty": "new to its reader, of a message's word pairs",
        "idle_messages": "messages after which no reader changed its answer",
        "information_diversity": "information diversity of messages and those they answer (IDS)",
        "unnecessary_paths": "paths of messages that changed nothing (UPR)",
    }
    if rows := [(said, _percent(found[name])) for name, said in shares.items() if found[name] is not None]:
        yield Table("What was said", ("", "mean over runs"), tuple(rows))


def provenance(spec: Figures, log: Figures) -> Iterator[Table]:
    """What the evaluation was made with."""
    asked = tuple((name, _plain(value)) for name, value in spec.items() if value not in (None, {}))
    yield Table("What was asked", ("", ""), asked)
    if models := log.get("models"):
        parts = ("model", "weights", "adapter", "tokenizer", "template", "parameters", "repeatable")
        rows = tuple((name, *(_short(told.get(part)) for part in parts)) for name, told in models.items())
        yield Table("Models", ("policy", *parts), rows)
    if versions := log.get("versions"):
        yield Table("Versions", ("", ""), tuple((name, str(found)) for name, found in versions.items()))


def _systems(figures: Figures) -> Table:
    head = ("system", "strict", "flexible", "unparseable", "failed", "unscored", "tokens a task", "calls a task")
    rows = []
    for row in (figures, *figures["baselines"].values()):
        calls = row["usage"]["calls"] / row["n"] / row.get("samples", 1)
        counts = (str(row[name]) for name in ("unparseable", "failed", "unscored"))
        accuracy = (_interval(row["strict"]), _interval(row["flexible"]))
        rows.append((row["system"], *accuracy, *counts, f"{row['tokens_per_task']:,.1f}", f"{calls:.2f}"))
    return Table("Systems", head, tuple(rows), "Accuracy with 95 % intervals. Unparseable and failed runs are wrong.")


def _paired(figures: Figures) -> Table:
    head = (
        "team - baseline",
        "rule",
        "points",
        "p",
        "p by Holm",
        "right in one alone",
        "would be found",
        "test",
        "size",
    )
    rules: tuple[Rule, ...] = ("flexible", "strict")
    rows = []
    for name, row in figures["baselines"].items():
        for rule in rules:
            found = row["paired"][rule]
            points = f"{100 * found['delta']:+.1f} ({100 * found['ci_low']:+.1f} to {100 * found['ci_high']:+.1f})"
            alone = f"{found['discordant'][0]} and {found['discordant'][1]} of {found['n']}"
            corrected = f"{row['p_holm']:.2g}" if rule == "flexible" else ""
            shown = (points, f"{found['p']:.2g}", corrected, alone, f"{100 * found['mde']:.1f}")
            rows.append(
                (f"{figures['system']} - {name}", rule, *shown, TESTS[found["test"]], _size(row.get("matched")))
            )
    note = (
        "Who won is decided by the flexible rule after Holm's correction. Would be found: with 80 % power, in points."
    )
    return Table("Paired tests", head, tuple(rows), note)


def _size(matched: Figures | None) -> str:
    if matched is None:
        return ""
    least, most = matched["sizes"]["least"], matched["sizes"]["most"]
    ratio = "" if matched["ratio"] is None else f", x{matched['ratio']:.2f} the team's {matched['match']}"
    return f"{matched['parameter']} = {least}" + (f" to {most}" if most > least else "") + ratio


def _points(curve: Figures) -> Table:
    rows = []
    for point in curve["points"]:
        cost = point["cost"]
        spent = f"{cost['mean']:,.1f} ({cost['ci_low']:,.1f} to {cost['ci_high']:,.1f})"
        front = f"{'yes' if point['front'] else 'no'}, {100 * point['on_front']:.0f} % of draws"
        rows.append((point["name"], _interval(point["accuracy"]), spent, front))
    note = "On the front: nothing else is at least as accurate and no dearer. Bands are of the bootstrap over tasks."
    return Table("Accuracy and cost", ("", "accuracy", "tokens a task", "on the front"), tuple(rows), note)


def _dominance(found: Figures) -> Table:
    names = list(found)
    rows = tuple((a, *("" if a == b else _percent(found[a][b]) for b in names)) for a in names)
    note = "Share of the bootstrap's draws in which the row is at least as accurate as the column and no dearer."
    return Table("Dominance", ("", *names), rows, note)


def _rounds(found: Figures) -> Table:
    flips = {flip["round"]: flip for flip in found["flips"]}
    rows = []
    for row in found["rounds"]:
        flip = flips.get(row["round"])
        moved = (str(flip["right_wrong"]), str(flip["wrong_right"]), f"{flip['p']:.2g}") if flip else ("", "", "")
        rows.append((str(row["round"] + 1), _interval(row["members"]), _interval(row["majority"]), *moved))
    after = "" if found["consensus_rounds"] is None else f", after {found['consensus_rounds']:.2f} rounds on average"
    note = f"All agree in {_percent(found['agreed'])} of runs{after}."
    return Table("Rounds", ("round", "members", "majority", "right to wrong", "wrong to right", "p"), tuple(rows), note)


def _agents(agents: Sequence[Figures]) -> Table:
    names = ("calls", "tokens_in", "reread", "tokens_out")
    rows = tuple((a["agent"], *(f"{a[name]:,}" for name in names)) for a in agents)
    return Table("Tokens by agent", ("agent", "calls", "tokens in", "of these read again", "tokens out"), rows)


def _edges(edges: Sequence[Figures]) -> Table:
    kept = sorted(edges, key=lambda edge: -edge["reread"])[:EDGES]
    rows = tuple((e["from"], e["to"], f"{e['messages']:,}", f"{e['reread']:,}") for e in kept)
    note = f"The {len(kept)} of {len(edges)} with most." if len(kept) < len(edges) else ""
    return Table("Tokens by edge", ("from", "to", "messages", "tokens read again"), rows, note)


def _interval(found: Figures) -> str:
    if found["ci_low"] is None:  # of a single task
        return _percent(found["mean"])
    return f"{_percent(found['mean'])} ({100 * found['ci_low']:.1f} to {100 * found['ci_high']:.1f})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _plain(value: Any) -> str:
    """
    >>> _plain({"calls": 3, "seconds": None})
    'calls 3'
    """
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {inner}" for name, inner in value.items() if inner is not None)


def _short(value: Any) -> str:
    """Digests by their first twelve digits.

    >>> _short("44a385b702d0891a44026ca007a6c979"), _short(None), _short(134515008)
    ('44a385b702d0', '-', '134,515,008')
    """
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    text = str(value)
    return text[:12] if len(text) == 32 and set(text) <= set("0123456789abcdef") else text
