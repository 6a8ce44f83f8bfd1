"""How much a row counts in the loss: alike, by its value, or by its advantage.

    one         1: every distinct row alike, however often it was sampled
    value       V(u), the reward that its decision led to (reward-weighted, as in AgentEvol, arXiv 2406.04151)
    advantage   min(exp(A(u)), 20) (advantage-weighted regression, arXiv 1910.00177)

A row of several turns, whose decisions weigh differently, is cut into rows of equal text that each label the turns of
one weight; a tree reads the text once. Every labelled token stays in exactly one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import exp, log
from typing import Literal, NamedTuple, get_args

from orchestra.credit.credit import Annotation, Table
from orchestra.errors import BadData
from orchestra.learning.row import IGNORED, Row
from orchestra.trajectory.trajectory import Decision, Trajectory

Weigh = Literal["one", "value", "advantage"]
WAYS = get_args(Weigh)
MOST = 20.0
"""Of an advantage's weight, as in the paper: one lucky row must not be the whole step."""


class Scale(NamedTuple):
    """Rows and, in the same order, their weights."""

    rows: list[Row]
    weights: list[float]


def weighed(rows: Sequence[Row], batch: Iterable[Trajectory], tables: Iterable[Table] | None, way: Weigh) -> Scale:
    """The rows of `sft_rows(batch, tables)` with their weights; how many equal rows there were is no part of it.

    Of equal rows the one kept speaks. Raises BadData where a decision lacks what is asked for.
    """
    if way == "one":
        return Scale(list(rows), [1.0] * len(rows))
    if tables is None:
        raise BadData(f"expected credit to weigh by {way}, got none; fix: --credit nested_mean, or --weigh one")
    known = {run.id: (run, table) for run, table in zip(batch, tables, strict=True)}
    cut = [part for row in rows for part in _cut(row, *known[row.run], way)]
    return Scale([row for row, _ in cut], [weight for _, weight in cut])


def _cut(row: Row, run: Trajectory, table: Table, way: Weigh) -> list[tuple[Row, float]]:
    """The row once for each weight of its turns, labelled there alone."""
    own = _weight(table.rows.get(row.key), way)
    if own is None:
        raise BadData(
            f"trajectory {row.run}: expected the {way} of decision {row.key.state}, got none; "
            "fix: another --credit, or --weigh one"
        )
    weights = [own] * len(row.labels)
    for decision in reversed(run.decisions):  # of equal outputs the first speaks, and the row's own before all
        weight, span = _weight(table.rows.get(decision.key), way), _span(decision, row)
        if weight is not None and span is not None:
            weights[span] = [weight] * len(weights[span])
    for decision in run.decisions:
        if decision.key == row.key and (span := _span(decision, row)) is not None:
            weights[span] = [own] * len(weights[span])
    of_labels = dict.fromkeys(w for w, label in zip(weights, row.labels, strict=True) if label != IGNORED)
    return [(_only(row, [w == weight for w in weights]), weight) for weight in of_labels]


def _only(row: Row, kept: Sequence[bool]) -> Row:
    return replace(row, labels=tuple(i if keep else IGNORED for i, keep in zip(row.labels, kept, strict=True)))


def _span(decision: Decision, row: Row) -> slice | None:
    """Where in the row the decision's output is; None where it is not."""
    said = decision.completion
    if said is None or said.prompt_ids is None or said.output_ids is None:
        return None
    whole = (*said.prompt_ids, *said.output_ids)
    policy = decision.policy.rpartition("@")[0] or decision.policy
    if policy != row.policy or row.input_ids[: len(whole)] != whole:
        return None
    return slice(len(said.prompt_ids), len(whole))


def _weight(annotation: Annotation | None, way: Weigh) -> float | None:
    found: float | None = getattr(annotation, way, None)
    return found if found is None or way == "value" else exp(min(found, log(MOST)))
