"""A tool as a node: what it says, what stands on the record, and what is not done again."""

import asyncio
from dataclasses import dataclass

import pytest

from orchestra.engine import START, Edge, Node, last
from orchestra.errors import CallFailed, Unparseable
from orchestra.models.scripted import Scripted
from orchestra.roles import modeler
from orchestra.team import Team, register
from orchestra.team.tools.calculator import calculate
from orchestra.team.tools.tool import Tool
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Reply

CALLS = []


@register("test_counting")
def counting(text):
    CALLS.append(text)
    return calculate(text)


@register("test_broken")
def broken(text):
    raise CallFailed("the tool is gone")


def team(said, function=counting):
    role = modeler(Scripted(said))
    nodes = [Node("modeler", role), Node("compute", Tool(function))]
    return Team("t", nodes, [Edge(START, "modeler"), Edge("modeler", "compute")], output=last("compute"))


def go(made, **options):
    CALLS.clear()
    return asyncio.run(made.run("q", **options))


def test_it_computes_what_the_one_before_it_wrote():
    result = go(team(["Formula: 34 + 57"]))
    said = result.messages[-1]
    assert (said.content, said.answer, said.parsed, said.origin) == ("34 + 57 = 91", "91", "91", "tool")
    assert result.usage.calls == 1 and ("tool", "test_counting: 91") in [(e.kind, e.text) for e in result.events]


def test_what_cannot_be_computed_is_said_and_is_on_the_record():
    for function, why in ((counting, "a division by zero"), (broken, "the tool is gone")):
        result = go(team(["Formula: 1 / 0"], function))
        said = result.messages[-1]
        assert said.content.startswith("Error: ") and why in said.content and said.answer is None
        assert any(event.kind == "failure" and why in event.text for event in result.events)
        assert result.error is None


def test_a_reply_without_a_formula_is_nothing_to_compute():
    result = go(team(["It is 91.", "I said 91."]))
    assert CALLS == [] and [message.sender for message in result.messages] == ["modeler"]


def test_a_resumed_run_computes_nothing_again():
    journal = MemoryJournal()
    first = go(team(["Formula: 34 + 57"]), journal=journal)
    again = go(team([]), journal=journal)
    assert again == first and CALLS == []
    assert len(journal.entries) == 2


def test_a_failure_is_not_tried_again_by_a_resumed_run():
    journal = MemoryJournal()
    first = go(team(["Formula: 1 / 0"]), journal=journal)
    assert go(team([]), journal=journal) == first and CALLS == []


def test_saved_it_is_named():
    made = team([])
    assert made.save()["team"]["nodes"][1]["actor"] == {"$": "tool", "function": {"@": "test_counting"}}
    assert Team.load(made.save(), Scripted([])).digest == made.digest
    assert "calls test_counting" in Tool(counting).manner


@dataclass(frozen=True)
class Says:
    parsed: object

    async def __call__(self, view, ctx):
        return Reply("x", parsed=self.parsed)


@pytest.mark.parametrize("parsed", [None, 91, ("34 + 57",), {}])
def test_only_a_text_is_computed(parsed):
    nodes = [Node("before", Says(parsed)), Node("compute", Tool(counting))]
    result = go(Team("t", nodes, [Edge(START, "before"), Edge("before", "compute")]))
    assert CALLS == [] and "expected a text to compute" in " ".join(event.text for event in result.events)


def test_control_unparseable_is_what_a_function_may_raise():
    with pytest.raises(Unparseable):
        counting("1 / 0")
