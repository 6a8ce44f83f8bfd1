"""Which tokens are learnt from: worked by hand, and as a property of random conversations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.credit import Annotation, Table
from orchestra.errors import BadData
from orchestra.learning import Encoder, Row, dropped, joined, refuse_overlap, sft_rows
from orchestra.learning.row import IGNORED
from orchestra.trajectory.trajectory import Decision, Trajectory
from orchestra.types import Key

Decide = Callable[..., Decision]
RunOf = Callable[..., Trajectory]


def table(**values: float | None) -> Table:
    return Table("test", "", {Key(name): Annotation(value) for name, value in values.items()})


def test_only_sampled_tokens_are_labelled(decide: Decide, run_of: RunOf) -> None:
    (row,) = sft_rows([run_of(decide(prompt=(5, 6), output=(7, 8, 9), mask=(1, 0, 1)))], None)
    assert row.input_ids == (5, 6, 7, 8, 9)
    assert row.labels == (IGNORED, IGNORED, 7, IGNORED, 9)
    assert (row.role, row.policy, row.weight, row.source) == ("solver", "solver", 1.0, "sampled")


def test_a_choice_is_learnt_whole(decide: Decide, run_of: RunOf) -> None:
    (row,) = sft_rows([run_of(decide(output=(7, 8), options=("yes", "no"), mask=(0, 0)))], None)
    assert row.labels == (IGNORED, IGNORED, 7, 8)


def test_values_at_the_threshold_count_as_wrong(decide: Decide, run_of: RunOf) -> None:
    trajectory = run_of(*(decide(name, (5,), (at,)) for at, name in enumerate("abcd", start=10)))
    values = table(a=0.5, b=0.5 + 1e-12, c=2 / 3, d=None)  # b: one half, rounded up on its way
    assert [row.key.state for row in sft_rows([trajectory], [values])] == ["c"]
    assert [row.key.state for row in sft_rows([trajectory], [values], over=0.4)] == ["a", "b", "c"]


def test_what_is_dropped_is_named(decide: Decide) -> None:
    good = decide()
    assert dropped(good, 1.0, over=0.5) is None
    assert dropped(good, None, over=0.5) == "not scored"
    assert dropped(good, 0.25, over=0.5) == "with a value <= 0.5"
    assert dropped(good, 1.0, over=0.5, roles=["judge"]) == "of other roles"
    assert dropped(replace(good, error="no number"), 1.0, over=0.5) == "failed or unparseable"
    assert dropped(replace(good, completion=None), 1.0, over=0.5) == "failed or unparseable"
    assert dropped(decide(finish="cancelled"), 1.0, over=0.5) == "failed or unparseable"
    assert dropped(decide(output=(), text=""), 1.0, over=0.5) == "without a sampled token"
    assert dropped(decide(mask=(0, 0)), 1.0, over=0.5) == "without a sampled token"


def test_equal_rows_are_counted_and_policies_kept_apart(decide: Decide, run_of: RunOf) -> None:
    same = [decide("s", draw=draw) for draw in range(3)]
    rows = sft_rows([run_of(*same, decide("s2", output=(9,)), decide("o", role="judge"))], None)
    assert [(row.policy, row.input_ids[2:], row.weight) for row in rows] == [
        ("solver", (7, 8), 3.0),
        ("solver", (9,), 1.0),
        ("judge", (7, 8), 1.0),
    ]


def test_a_task_gives_its_best_rows(decide: Decide, run_of: RunOf) -> None:
    first = run_of(*(decide(name, (5,), (at,)) for at, name in enumerate("abc", start=10)), run="1")
    again = run_of(decide("d", (5,), (20,)), run="2", prompt=" 1 +  1? ")
    other = run_of(decide("e", (5,), (21,)), run="3", prompt="2 + 2?")
    values = [table(a=0.6, b=0.9, c=0.9), table(d=1.0), table(e=0.6)]
    rows = sft_rows([first, again, other], values, per_task=2)
    assert [row.key.state for row in rows] == ["b", "d", "e"]


def test_text_without_ids_is_encoded(decide: Decide, run_of: RunOf) -> None:
    encoder = Encoder(lambda messages: [len(messages)], lambda text: [ord(letter) for letter in text], 2)
    first = decide("a", None, None, text="x")
    second = decide("b", None, None, text="yz", prefix=Key("a"), finish="length")
    rows = sft_rows([run_of(first, second)], None, encoder=encoder)
    assert [(row.input_ids, row.labels) for row in rows] == [
        ((1, 120, 2), (IGNORED, 120, 2)),
        ((3, 121, 122), (IGNORED, 121, 122)),  # user, assistant, user; cut off, so without an end of turn
    ]
    assert {row.source for row in rows} == {"reencoded"}
    with pytest.raises(BadData, match=r"expected token ids, got text alone from 'solver@0'"):
        sft_rows([run_of(first)], None)


def test_turns_that_extend_each_other_become_one_row(decide: Decide, run_of: RunOf) -> None:
    one = decide("one", (5,), (6,))
    two = decide("two", (5, 6, 1, 1), (7, 8))
    sibling = decide("sibling", (5, 6, 1, 1), (9,))
    stranger = decide("stranger", (5, 6, 1), (7,), role="judge")
    rows = sft_rows([run_of(one, two, sibling, stranger)], None)
    assert [row.labels for row in rows] == [
        (IGNORED, 6, IGNORED, IGNORED, 7, 8),
        (IGNORED, IGNORED, IGNORED, IGNORED, 9),
        (IGNORED, IGNORED, IGNORED, 7),
    ]


@given(st.data())
def test_cutting_a_conversation_keeps_its_mass(data: st.DataObject) -> None:
    """Each labelled token once, weight and neighbours unchanged, however many turns continue one another."""
    token = st.integers(3, 5)
    rows, ids = [], data.draw(st.lists(token, min_size=1, max_size=3))
    for turn in range(data.draw(st.integers(1, 5))):
        if data.draw(st.booleans()):
            ids = data.draw(st.lists(token, min_size=1, max_size=3))  # another conversation
        said = data.draw(st.lists(token, min_size=1, max_size=3))
        labels = (*[IGNORED] * len(ids), *said)
        rows.append(Row("run", Key(str(turn)), "r", "p", "t", (*ids, *said), labels))
        ids = [*ids, *said, *data.draw(st.lists(token, max_size=2))]

    def learnt(rows: list[Row]) -> list[tuple[tuple[int, ...], int]]:
        """(what precedes it, token) of each labelled token."""
        return sorted((row.input_ids[:at], i) for row in rows for at, i in enumerate(row.labels) if i != IGNORED)

    merged = joined(rows)
    assert learnt(merged) == learnt(rows)
    assert all(label in (IGNORED, i) for row in merged for i, label in zip(row.input_ids, row.labels, strict=True))


def test_held_out_tasks_are_refused(decide: Decide, run_of: RunOf) -> None:
    rows = sft_rows([run_of(decide(), prompt="What is 1 + 1?")], None)
    refuse_overlap(rows, ["What is 1 + 2?"])
    with pytest.raises(BadData, match=r"got 1, the first of 'what  IS 1 \+ 1\?'"):
        refuse_overlap(rows, ["what  IS 1 + 1?"])
