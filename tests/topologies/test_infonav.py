"""Two who know different things: who is told what, when they agree, what reaches the decider, and split benchmarks."""

import asyncio
import re
from dataclasses import replace

import pytest

from orchestra.engine import START, Edge
from orchestra.errors import BadInput
from orchestra.evals.schedule import schedule
from orchestra.models.scripted import Scripted
from orchestra.roles import decider, informant, navigator
from orchestra.team import Team
from orchestra.topologies import infonav, solo
from orchestra.types import FrozenMap, Task

TASK = Task("t", "When can all meet?", gold="9", kind="number", private=FrozenMap({"A": "hidden-a", "B": "hidden-b"}))


def made(a, b, verdict="Answer: 9", **options):
    models = Scripted(a), Scripted(b), Scripted([verdict] if verdict else [])
    pair = [navigator(model, name=name) for model, name in zip(models, "AB", strict=False)]
    return infonav(pair, decider(models[2]), **options), models


def go(team, task=TASK):
    return asyncio.run(team.run(task))


def told(model):
    return [call.messages[-1][1] for call in model.calls]


def test_each_is_told_its_own_line_alone():
    team, (a, b, decides) = made(["[hour]"] * 2, ["[hour]"] * 2, turns=2)
    go(team)
    for model, own, other in ((a, "hidden-a", "hidden-b"), (b, "hidden-b", "hidden-a")):
        assert all(f"You alone know: {own}" in text and other not in text for text in told(model))
    assert "hidden" not in told(decides)[0]


def test_where_both_answer_alike_at_once_it_takes_two_calls():
    team, models = made(["Answer: 9"], ["Answer: 9.0"], kind="number")
    result = go(team)
    assert (result.answer, result.usage.calls) == ("9.0", 2)
    assert [event.text for event in result.events if event.kind == "stop"] == ["quorum", "done"]
    assert models[2].calls == []


def test_a_talk_that_gets_there():
    team, (a, b, decides) = made(
        ["When are you free? [B's hours]", "B's hours: 9 and 11\nI am free at 9.\nAnswer: 9"],
        ["At 9 and 11. [A's hours]", "A's hours: 9\nAnswer: 9"],
    )
    result = go(team)
    assert (result.answer, result.usage.calls) == ("9", 4) and decides.calls == []
    assert "A says: When are you free? [B's hours]\nI need to know: B's hours.\n" in told(b)[0]
    assert "Still unknown: [B's hours]." in told(a)[1] and "B says: At 9 and 11." in told(a)[1]
    assert "I need to know" not in told(b)[1]


def test_where_they_do_not_agree_both_lists_are_made_one_for_the_decider():
    team, (_, _, decides) = made(
        ["[hour] [day]", "hour: 9\nHm."], ["[Hour] [place]", "hour: 10\nplace: Rome\nAnswer: 7"], turns=2
    )
    result = go(team)
    assert result.answer == "9" and result.usage.calls == 5
    [asked] = told(decides)
    assert asked == (
        "When can all meet?\nReport of talk: hour: 9 or 10\nday: not known\nplace: Rome\nA: hour: 9\nHm.\n"
        "B: hour: 10\nplace: Rome\nAnswer: 7\nWeigh the reports and give the final answer."
    )


def test_the_list_stays_at_home():
    team, _ = made(["[hour]", "Hm."], ["[day]", "Hm."], turns=2)
    talk = team.nodes[0].actor
    carried = [edge.carry for edge in talk.edges if edge.src in "AB"]
    assert len(carried) == 2 and all(carried)
    result = go(team)
    assert [m.parsed[0].name for m in result.messages if m.sender in "AB"] == ["hour", "day"] * 2


def test_agreement_with_an_open_fact_is_none():
    team, models = made(["[hour]\nAnswer: 7"] * 3, ["Answer: 7"] * 3, turns=3)
    result = go(team)
    assert result.answer == "9" and [len(model.calls) for model in models] == [3, 3, 1]


def test_without_a_decider_the_last_answer_stands():
    team, _ = made(["Answer: 7"], ["Answer: 8"], verdict=None, turns=1)
    assert go(team).answer == "8"


def test_one_whose_partner_fails_speaks_once_and_is_heard_by_the_decider():
    team, models = made([], ["Answer: 8"] * 2, turns=2)
    result = go(team)
    assert result.answer == "9" and len(models[1].calls) == 1 and "B: Answer: 8" in told(models[2])[0]


def test_what_neither_tells_is_asked_of_others_once_it_was_asked_in_vain():
    third = Scripted(["At 9."] * 9)
    task = Task("t", "q", private=FrozenMap({"A": "a", "C": "hidden-c"}))
    team, (a, b, _) = made(
        ["[hour]", "Hm.", "hour: 9\nAnswer: 9"], ["Hello.", "Hello.", "Answer: 9"], others=[informant(third, name="C")]
    )
    result = go(team, task)
    assert result.answer == "9" and len(third.calls) == 1
    assert "You alone know: hidden-c\nA asks: I need to know: hour." in told(third)[0]
    assert "C says: At 9." in told(a)[2] and "C says: At 9." in told(b)[2]
    assert not any("hidden-c" in text for text in told(a) + told(b))


def test_a_third_party_may_be_a_team():
    group = solo(informant(Scripted(["At 9."]), name="C"))
    team, (a, _, _) = made(["[hour]", "Hm.", "hour: 9\nAnswer: 9"], ["Hello.", "Hello.", "Answer: 9"], others=[group])
    assert go(team).answer == "9" and "solo says: At 9." in told(a)[2]


HOURS = re.compile(r"free at ([\d, and]+)\.")


def planner(request):
    """Tells its own hours, asks for the other's, and answers with what both have."""
    text = request.messages[-1][1]
    own, heard = HOURS.search(text), re.search(r"says: I am free at ([\d, and]+)\.", text)
    hours = f"I am free at {own[1]}."
    if heard is None:
        return f"{hours} [the other's hours]"
    common = set(re.findall(r"\d+", own[1])) & set(re.findall(r"\d+", heard[1]))
    return f"{hours}\nthe other's hours: {heard[1]}\nAnswer: {min(common, key=int) if common else 'none'}"


def meeting():
    pair = [navigator(Scripted(planner), name=name) for name in ("ann", "bob")]
    return infonav(pair, decider(Scripted(lambda request: "Answer: 0")), turns=3)


def cut(team):
    """The same, neither of whom hears the other."""
    talk, decides = team.nodes
    alone = [Edge(START, name) for name in ("ann", "bob")]
    return replace(team, nodes=[replace(talk, actor=replace(talk.actor, edges=alone)), decides])


@pytest.mark.parametrize("level", [0, 1])
def test_split_calendars_are_solved_by_talk_alone(level):
    benchmark = schedule(seats=("ann", "bob"))
    tasks = [task for task in benchmark.sample(20, split="dev", level=level) if task.family in ("free", "earliest")]
    done = asyncio.run(meeting().map(tasks))
    assert len(tasks) == 20 and all(result.answer == task.gold for result, task in zip(done, tasks, strict=True))
    assert {result.usage.calls for result in done} == {3 + 1}
    control = asyncio.run(cut(meeting()).map(tasks))
    assert not any(result.answer == task.gold for result, task in zip(control, tasks, strict=True))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_it_takes_two(n):
    with pytest.raises(BadInput, match="expected two agents"):
        infonav([navigator(Scripted([]), name=f"n{i}") for i in range(n)], decider(Scripted([])))


def test_saved_it_talks_as_before():
    team, _ = made([], [], kind="number")
    replies = iter(["Answer: 9", "Answer: 9.0"])
    again = Team.load(team.save(), Scripted(lambda request: next(replies)))
    assert again.digest == team.digest and go(again).usage.calls == 2
