"""Navigators: the list of facts, what their messages ask for, and when their answers count."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from orchestra.engine import START, Edge, MaxRounds, Node, last
from orchestra.models.scripted import Scripted
from orchestra.roles import informant, navigator
from orchestra.team import Team
from orchestra.team.actors.navigator import MOST, Fact, Move, Navigator, folded, merged, moved
from orchestra.types import FrozenMap


def test_a_fact_is_open_until_its_value_is_told():
    facts = moved((), Move("", ("hour", "day")))
    facts = moved(facts, Move("", filled=FrozenMap({"HOUR ": "9", "weather": "fine"})))
    assert [(fact.name, fact.value) for fact in facts] == [("hour", "9"), ("day", "")]
    assert moved(facts, Move("", filled=FrozenMap({"hour": "10"})))[0].value == "10"
    assert moved(facts, Move("", filled=FrozenMap({"hour": ""})))[0].value == "9"


def test_a_list_is_bounded():
    assert len(moved((), Move("", tuple(f"fact {i}" for i in range(99))))) == MOST


NAMES = st.sampled_from(["hour", "Hour", "day", " day", "place"])
MOVES = st.builds(lambda marked, filled: Move("", tuple(marked), FrozenMap(filled)), st.lists(NAMES, max_size=3),
                  st.dictionaries(NAMES, st.sampled_from(["", "9", "10"]), max_size=3))  # fmt: skip


@given(st.lists(MOVES, max_size=6))
def test_what_is_marked_stays_on_the_list_once_and_a_value_is_never_lost(moves):
    facts = ()
    for move in moves:
        before, facts = facts, moved(facts, move)
        names = [folded(fact.name) for fact in facts]
        assert len(set(names)) == len(names) and {folded(name) for name in move.marked} <= set(names)
        assert all(facts[i].value or not fact.value for i, fact in enumerate(before))


def test_lists_made_one_hold_every_fact_once():
    both = merged([(Fact("hour", "9"), Fact("day")), (Fact("day", "Monday"), Fact("HOUR", "9"), Fact("place"))])
    assert both == (Fact("hour", "9"), Fact("day", "Monday"), Fact("place"))
    assert merged([(Fact("a", "1"),), (Fact("a", "2"),)]) == (Fact("a", "1 or 2"),)
    assert merged([]) == ()


def pair(a, b, others=(), turns=3):
    """Two navigators, and what each hears."""
    models = Scripted(a), Scripted(b)
    names = tuple(other.name for other in others)
    nodes = [
        Node("A", Navigator(navigator(models[0], name="A"), "B", names)),
        Node("B", Navigator(navigator(models[1], name="B"), "A", names)),
        *(Node(other.name, other, votes=False) for other in others),
    ]
    edges = [Edge(START, "A"), Edge(START, "B"), Edge("A", "B"), Edge("B", "A", "temporal")]
    edges += [Edge(name, other) for name in "AB" for other in names]
    edges += [Edge(other, name, "temporal") for name in "AB" for other in names]
    return Team("pair", nodes, edges, MaxRounds(turns), last("A")), models


def told(model):
    return [call.messages[-1][1] for call in model.calls]


def test_whatever_is_said_asks_for_what_is_open():
    team, (a, b) = pair(["[hour] [day]", "Fine weather.", "hour: 9"], ["Hello."] * 3)
    asyncio.run(team.run("q"))
    heard = [text.split("A says: ")[1].split("Tell what")[0] for text in told(b)]
    assert [text.split("I need to know: ")[1].split(".")[0] for text in heard] == ["hour; day", "hour; day", "day"]
    assert "Still unknown: [hour] [day].\n" in told(a)[1] and "hour: 9" not in told(a)[2]


def test_an_answer_does_not_count_as_long_as_a_fact_is_open():
    team, _ = pair(["[hour]\nAnswer: 9", "Answer: 9", "hour: 9\nAnswer: 9"], ["Hello."] * 3)
    result = asyncio.run(team.run("q"))
    assert [m.answer for m in result.messages if m.sender == "A"] == [None, None, "9"]


def test_a_third_party_is_asked_for_what_the_partner_did_not_tell():
    third = Scripted(["It is 9."] * 3)
    team, (a, _) = pair(["[hour]", "Hm.", "hour: 9", "All is clear."], ["Hello."] * 4, [informant(third, name="C")], 4)
    asyncio.run(team.run("q"))
    assert told(third) == ["q\nA asks: I need to know: hour.\nTell what you know of that, and nothing else."]
    assert "C says: It is 9." in told(a)[2] and len(a.calls) == 4


def test_a_reply_without_a_form_leaves_the_list_as_it_is():
    team, _ = pair(["[hour]", "", "\x00{[]}: ="], ["Hello."] * 3)
    result = asyncio.run(team.run("q"))
    lists = [m.parsed for m in result.messages if m.sender == "A"]
    assert [[fact.name for fact in facts] for facts in lists] == [["hour"]] * 3
    assert [facts[0].asked for facts in lists] == [1, 2, 3]
