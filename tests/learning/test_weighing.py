"""How much rows count, and that what a turn got wrong stays as context without a label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import e

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.credit import Annotation, Table
from orchestra.errors import BadData
from orchestra.learning import sft_rows
from orchestra.learning.row import IGNORED
from orchestra.learning.weighing import MOST, weighed
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Key

Decide = Callable[..., Decision]
RunOf = Callable[..., Trajectory]


def table(**rows: tuple[float | None, float | None]) -> Table:
    return Table(
        "t", "", {Key(name): Annotation(value, advantage=advantage) for name, (value, advantage) in rows.items()}
    )


def turns(decide: Decide, run_of: RunOf) -> Trajectory:
    """Three turns of one conversation."""
    return run_of(
        decide("one", (5,), (6, 2)),
        decide("two", (5, 6, 2, 7), (8, 2)),
        decide("three", (5, 6, 2, 7, 8, 2, 7), (9, 2)),
    )


def test_an_erroneous_turn_is_context_and_not_learnt(decide: Decide, run_of: RunOf) -> None:
    """AgentRefine (arXiv 2501.01702): the second turn is wrong, the third puts it right."""
    run, values = turns(decide, run_of), table(one=(1.0, None), two=(0.0, None), three=(1.0, None))
    (row,) = sft_rows([run], [values])
    assert row.input_ids == (5, 6, 2, 7, 8, 2, 7, 9, 2)
    assert row.labels == (IGNORED, 6, 2, IGNORED, IGNORED, IGNORED, IGNORED, 9, 2)
    (whole,) = sft_rows([run], None)  # control
    assert whole.labels == (IGNORED, 6, 2, IGNORED, 8, 2, IGNORED, 9, 2)


def test_rows_count_alike_by_value_or_by_advantage(decide: Decide, run_of: RunOf) -> None:
    runs = [run_of(decide(name, (at,), (6, 2)), run=name) for at, name in enumerate("abc", start=10)]
    tables = [table(a=(0.6, -1.0)), table(b=(0.75, 0.0)), table(c=(1.0, 50.0))]
    rows = sft_rows(runs, tables)
    assert weighed(rows, runs, tables, "one") == (rows, [1.0, 1.0, 1.0])
    assert weighed(rows, runs, tables, "value") == (rows, [0.6, 0.75, 1.0])
    by_advantage = weighed(rows, runs, tables, "advantage")
    assert by_advantage.rows == rows
    assert by_advantage.weights == pytest.approx([1 / e, 1.0, MOST])


def test_turns_that_count_differently_are_cut_apart(decide: Decide, run_of: RunOf) -> None:
    run, values = turns(decide, run_of), table(one=(0.75, None), two=(1.0, None), three=(0.75, None))
    rows = sft_rows([run], [values])
    assert len(rows) == 1
    cut = weighed(rows, [run], [values], "value")
    assert cut.weights == [0.75, 1.0]
    assert [row.labels for row in cut.rows] == [
        (IGNORED, 6, 2, IGNORED, IGNORED, IGNORED, IGNORED, 9, 2),
        (IGNORED, IGNORED, IGNORED, IGNORED, 8, 2, IGNORED, IGNORED, IGNORED),
    ]
    assert {row.input_ids for row in cut.rows} == {rows[0].input_ids}


@given(st.lists(st.sampled_from((0.0, 0.6, 0.8, 1.0)), min_size=3, max_size=3))
def test_each_label_is_in_one_row_with_its_turn_s_weight(decide: Decide, run_of: RunOf, values: list[float]) -> None:
    run, credit = (
        turns(decide, run_of),
        table(**{n: (v, None) for n, v in zip(("one", "two", "three"), values, strict=True)}),
    )
    cut = weighed(sft_rows([run], [credit]), [run], [credit], "value")
    found = sorted(
        (at, weight)
        for row, weight in zip(*cut, strict=True)
        for at, label in enumerate(row.labels)
        if label != IGNORED
    )
    wanted = [(at, v) for v, places in zip(values, ((1, 2), (4, 5), (7, 8)), strict=True) if v > 0.5 for at in places]
    assert found == wanted


def test_what_is_not_there_is_refused(decide: Decide, run_of: RunOf) -> None:
    run, values = turns(decide, run_of), table(one=(1.0, None), two=(1.0, None), three=(1.0, None))
    rows = sft_rows([run], [values])
    with pytest.raises(
        BadData, match=r"trajectory t: expected the advantage of decision three, got none; fix: another"
    ):
        weighed(rows, [run], [values], "advantage")
    with pytest.raises(BadData, match="expected credit to weigh by value, got none; fix: --credit nested_mean"):
        weighed(rows, [run], None, "value")
    assert weighed(rows, [replace(run)], None, "one").rows == rows
