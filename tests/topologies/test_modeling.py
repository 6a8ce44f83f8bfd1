"""Modeling: a real computation between a modeler and a reporter, and what happens where there is none."""

import asyncio
from importlib.util import find_spec

import pytest

from orchestra.engine import Budget
from orchestra.errors import UnknownName
from orchestra.models.scripted import Scripted
from orchestra.roles import analyst, modeler, reporter
from orchestra.team import Team
from orchestra.topologies import modeling
from orchestra.trajectory.journal import MemoryJournal

QUESTION = "A pen and a book cost 10, and the book costs 2 more than the pen. What does the book cost?"
SYSTEM = "Formula: solve([book + pen == 10, book - pen == 2], [book, pen])"
needs_sympy = pytest.mark.skipif(find_spec("sympy") is None, reason="sympy is not installed (extra local)")


def made(formulas, report="Answer: 6", analysis="Two prices.", **options):
    models = [Scripted([analysis]), Scripted(formulas), Scripted([report] if report else [])]
    return modeling(analyst(models[0]), modeler(models[1]), reporter(models[2]), **options), models


def go(team, **options):
    return asyncio.run(team.run(QUESTION, **options))


def told(model):
    return [call.messages[-1][1] for call in model.calls]


@needs_sympy
def test_it_analyses_formulates_computes_and_reports():
    team, models = made([SYSTEM])
    result = go(team)
    assert (result.answer, result.usage.calls) == ("6", 3)
    assert told(models[1])[0].startswith(f"{QUESTION}\nKnown:\nTwo prices.\nWrite the calculation")
    assert (
        "analyst: Two prices.\nsolve: solve([book + pen == 10, book - pen == 2], [book, pen]) = book = 6, pen = 4"
        in (told(models[2])[0])
    )
    assert [message.sender for message in result.messages if message.origin == "tool"] == ["compute"]


def test_what_cannot_be_computed_goes_back_with_the_reason():
    team, models = made(["Formula: 1 / 0", "Formula: 5 + 1"], tool="calculator")
    result = go(team)
    assert result.usage.calls == 4
    again = told(models[1])[1]
    assert "Known:\nTwo prices." in again and "Error: formula '1 / 0': expected a number" in again
    assert "solve: 5 + 1 = 6" in told(models[2])[0]


def test_tries_are_bounded_and_the_reporter_hears_the_last_error():
    for tries in (1, 2, 3):
        team, models = made(["Formula: 1 / 0"] * 9, tool="calculator", tries=tries)
        result = go(team)
        assert len(models[1].calls) == tries and "solve: Error:" in told(models[2])[0] and result.answer == "6"


@pytest.mark.parametrize(
    "said", ["It is 6.", "Formula: __import__('os')", "Formula: lambda: 1", "", "```\nopen(x)\n```"]
)
def test_a_modeler_without_a_formula_is_asked_once_more_and_nothing_is_computed(said):
    team, models = made([said] * 2)
    result = go(team)
    assert len(models[1].calls) == 2 and result.answer == "6"
    assert all(message.origin != "tool" for message in result.messages)
    assert "solve:" not in told(models[2])[0]


def test_the_computed_number_stands_where_the_reporter_gives_none():
    for report in (None, "I cannot tell."):
        assert go(made(["Formula: 5 + 1"], report, tool="calculator")[0]).answer == "6"


def test_the_reporter_has_the_last_word():
    assert go(made(["Formula: 5 + 1"], "Answer: 7", tool="calculator")[0]).answer == "7"


def test_an_analyst_that_fails_leaves_the_others_nothing():
    team = made(["Formula: 5 + 1"], tool="calculator")[0]
    silent = modeling(analyst(Scripted([])), *(modeler(Scripted([])), reporter(Scripted([]))))
    assert go(silent).answer is None and go(team).answer == "6"


def corrected(request):
    return "Formula: 5 + 1" if "Error" in request.messages[-1][1] else "Formula: 1 / 0"


@pytest.mark.parametrize("kept", range(7))
def test_a_resumed_run_repeats_no_call(kept):
    """Four model calls and two of the tool, in the order analyst, modeler, tool, modeler, tool, reporter."""
    whole, part = MemoryJournal(), MemoryJournal()
    first = go(made(corrected, tool="calculator")[0], journal=whole)
    part.entries = dict(list(whole.entries.items())[:kept])
    team, models = made(corrected, tool="calculator")
    assert go(team, journal=part) == first
    assert sum(len(model.calls) for model in models) == [4, 3, 2, 2, 1, 1, 0][kept] and len(whole.entries) == 6


@pytest.mark.parametrize("cap", range(1, 5))
def test_a_tool_takes_no_call_of_a_budget(cap):
    result = go(made(["Formula: 1 / 0", "Formula: 5 + 1"], tool="calculator")[0], budget=Budget(calls=cap))
    assert result.usage.calls == cap


def test_saved_it_computes_with_the_same_tool():
    team, _ = made([], tool="calculator")
    replies = iter(["Two prices.", "Formula: 5 + 1", "I cannot tell."])
    again = Team.load(team.save(), Scripted(lambda request: next(replies)))
    assert again.digest == team.digest != made([])[0].digest and go(again).answer == "6"


def test_a_tool_that_there_is_not_is_refused():
    with pytest.raises(UnknownName, match="tool of modeling 'calculater'; did you mean 'calculator'"):
        made([], tool="calculater")
