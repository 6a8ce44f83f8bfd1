"""Who is told what."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.evaluation.sources.generate import Dice
from orchestra.evaluation.sources.seats import alternate, known_seats, lacks, seated
from orchestra.types import FrozenMap, Task


@given(st.integers(0, 6), st.integers(0, 6), st.integers(1, 4))
def test_every_line_is_told_once_and_evidence_in_turn(evidence: int, others: int, seats: int) -> None:
    names = [f"seat-{i}" for i in range(seats)]
    facts, noise = [f"e{i}" for i in range(evidence)], [f"o{i}" for i in range(others)]
    private = alternate(facts, noise, names, Dice(str((evidence, others, seats))))
    told = [line for lines in private.values() for line in lines.split("\n")]
    assert sorted(told) == sorted(facts + noise)
    for i, fact in enumerate(facts):
        assert fact in private[names[i % seats]].split("\n")


def test_seats_are_named_once() -> None:
    assert known_seats(["a", "b"]) == ("a", "b")
    for seats in ([], ["a", "a"], ["a", ""]):
        with pytest.raises(BadInput, match="fix: the names of"):
            known_seats(seats)


def test_a_system_that_lacks_a_seat_is_told_everything():
    from orchestra.models.scripted import Scripted
    from orchestra.roles import debater, generator
    from orchestra.topologies import debate, solo

    heard = Scripted(lambda request: "It is 4.")
    task = Task("t", "Who?", private=FrozenMap({"ann": "A knows this.", "bob": "B knows that."}))
    reader = solo(generator(heard))
    asyncio.run(reader.run(seated(task, reader)))
    assert [call.messages[-1][1] for call in heard.calls] == ["Who?\nA knows this.\nB knows that."]
    pair = debate([debater(heard, name=name) for name in ("ann", "bob", "carl")], rounds=1)
    assert seated(task, pair) is task
    heard.calls.clear()
    asyncio.run(pair.run(task))
    assert sorted(call.messages[-1][1] for call in heard.calls) == [
        "Who?",
        "Who?\nA knows this.",
        "Who?\nB knows that.",
    ]


def test_a_seat_within_a_nested_team_is_a_seat():
    from orchestra.engine import START, Edge, Node
    from orchestra.team import Team

    inner = Team("inner", [Node("ann", print)], [Edge(START, "ann")])
    outer = Team("outer", [Node("inner", inner)], [Edge(START, "inner")])
    assert not lacks(outer, {"ann"}) and lacks(outer, {"ann", "bob"})
