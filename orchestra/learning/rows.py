"""Which decisions become training rows, and how rows are merged.

Every sampled token of a kept decision is labelled in exactly one row, so that a loss summed over labelled tokens does
not depend on how a conversation was cut into rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from orchestra.credit.credit import Annotation, Table
from orchestra.credit.labels import label
from orchestra.errors import BadData
from orchestra.learning.row import IGNORED, Encoder, Row, content, row_of, sampled
from orchestra.trajectory.trajectory import Decision, Trajectory

if TYPE_CHECKING:
    from orchestra.learning.pairs import Pair


def sft_rows(
    batch: Iterable[Trajectory],
    values: Iterable[Table] | None,
    *,
    over: float = 0.5,
    roles: Collection[str] | None = None,
    per_task: int | None = None,
    encoder: Encoder | None = None,
) -> list[Row]:
    """The decisions worth imitating: value > `over` (with `values` None: all), of these `roles` (None: all).

    `values` has one table a trajectory, in order. Of equal rows one is kept, with their number as its weight; then of a
    task and policy the `per_task` rows of highest value, the earlier of equals; then a row that another one extends
    becomes part of it. Raises BadData where ids are unknown and no `encoder` is given.
    """
    found: dict[tuple[object, ...], tuple[float, Row]] = {}
    for trajectory, decision, value in valued(batch, values):
        if value is not None and dropped(decision, value, over=over, roles=roles) is None:
            row = row_of(trajectory, decision, encoder)
            name = (row.role, row.policy, row.input_ids, row.labels)
            best, kept = found.get(name, (value, replace(row, weight=0.0)))
            found[name] = max(best, value), replace(kept, weight=kept.weight + 1)
    return joined(_capped(found.values(), per_task))


def valued(
    batch: Iterable[Trajectory], values: Iterable[Table] | None
) -> Iterator[tuple[Trajectory, Decision, float | None]]:
    """Every decision with its value: None where it is not scored, infinity where no table is asked."""
    if values is None:
        yield from ((trajectory, decision, inf) for trajectory in batch for decision in trajectory.decisions)
        return
    for trajectory, table in zip(batch, values, strict=True):
        for decision in trajectory.decisions:
            annotation = table.rows.get(decision.key)
            yield trajectory, decision, annotation.value if annotation else None


def dropped(
    decision: Decision, value: float | None, *, over: float, roles: Collection[str] | None = None
) -> str | None:
    """Why a decision gives no row, in words that follow a number; None if it gives one."""
    said = decision.completion
    if roles is not None and decision.role not in roles:
        return "of other roles"
    if said is None or decision.error is not None or said.finish == "cancelled":
        return "failed or unparseable"
    if value is None:
        return "not scored"
    if not label(Annotation(value), over):
        return f"with a value <= {over:g}"
    return None if any(sampled(decision)) else "without a sampled token"


def joined(rows: Iterable[Row]) -> list[Row]:
    """Rows with each one that a later row of its run, policy and weight extends token by token made part of that row.

    Under causal attention the joined row has the log-probabilities of its parts. Siblings that extend the same row
    cannot both contain it: the first does, and the others read it without labels.
    """
    merged: list[Row] = []
    places: defaultdict[tuple[str, str, float], dict[tuple[int, ...], int]] = defaultdict(dict)
    for row in rows:
        ends = places[row.run, row.policy, row.weight]
        unlabelled = next(at for at, label in enumerate(row.labels) if label != IGNORED)
        for length in sorted({len(ids) for ids in ends if len(ids) <= unlabelled}, reverse=True):
            place = ends.pop(row.input_ids[:length], None)
            if place is not None:
                merged[place] = replace(row, labels=merged[place].labels + row.labels[length:])
                break
        else:
            place = len(merged)
            merged.append(row)
        ends[row.input_ids] = place
    return merged


def refuse_overlap(rows: Iterable[Row | Pair], held_out_prompts: Iterable[str]) -> None:
    """Raises BadData if a row or pair comes from a held-out task; case and white space of its prompt do not matter."""
    held_out = {content(prompt): prompt for prompt in held_out_prompts}
    found = [row for row in rows if row.task in held_out]
    if found:
        raise BadData(
            f"expected no training row of a held-out task, got {len(found)}, the first of "
            f"{held_out[found[0].task]!r:.80} in trajectory {found[0].run}; fix: collect on other tasks"
        )


def _capped(rows: Iterable[tuple[float, Row]], per_task: int | None) -> list[Row]:
    """In the order given; sorting is stable, so that of equal values the earlier row stays."""
    listed = list(rows)
    if per_task is None:
        return [row for _, row in listed]
    best, taken = set[int](), Counter[tuple[str, str]]()
    for at in sorted(range(len(listed)), key=lambda at: -listed[at][0]):
        row = listed[at][1]
        taken[row.policy, row.task] += 1
        if taken[row.policy, row.task] <= per_task:
            best.add(at)
    return [row for at, (_, row) in enumerate(listed) if at in best]
