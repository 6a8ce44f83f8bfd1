"""A cascade: who is asked in each case, how often, and from what the strong one begins."""

import asyncio

import pytest

from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, solver, verifier
from orchestra.team import Team
from orchestra.topologies import cascade, self_consistency


def made(cheap, verdict=None, strong="92", **options):
    models = [Scripted(cheap), Scripted([strong] if strong else []), Scripted([verdict] if verdict else [])]
    judge = verifier(models[2]) if verdict is not None else None
    return cascade(generator(models[0]), solver(models[1]), judge, **options), models


def go(team):
    return asyncio.run(team.run("34 + 57?"))


@pytest.mark.parametrize(
    ("cheap", "verdict", "calls", "answer"),
    [
        (["91"] * 3, None, (3, 0, 0), "91"),
        (["91", "90", "91"], None, (3, 0, 0), "91"),
        (["91", "90", "89"], None, (3, 1, 0), "92"),
        (["91", "?", "?"], None, (3, 1, 0), "92"),
        (["91"] * 3, "Yes.", (3, 0, 1), "91"),
        (["91"] * 3, "No.", (3, 1, 1), "92"),
        (["91"] * 3, "Hm.", (3, 1, 1), "92"),
        (["91", "90", "89"], "Yes.", (3, 1, 0), "92"),
    ],
)
def test_who_is_asked(cheap, verdict, calls, answer):
    team, models = made(cheap, verdict)
    result = go(team)
    assert tuple(len(model.calls) for model in models) == calls and result.answer == answer
    assert result.usage.calls == sum(calls)


@pytest.mark.parametrize(("share", "agree"), [(0, 1), (1 / 2, 2), (2 / 3, 3)])
def test_how_many_must_agree(share, agree):
    for equal in (1, 2, 3):
        team, models = made(["91"] * equal + ["89", "88"][: 3 - equal], share=share)
        go(team)
        assert len(models[1].calls) == (equal < agree)


def test_the_strong_one_begins_anew_and_the_verifier_sees_the_answer():
    team, models = made(["I say 91"] * 3, "No.")
    go(team)
    assert models[1].calls[0].messages[-1][1] == "34 + 57?"
    assert "Proposed: I say 91" in models[2].calls[0].messages[-1][1]


def test_answers_are_compared_by_their_kind():
    for kind, calls in (("text", 1), ("number", 0)):
        team, models = made(["3/4", "0.75", "5"], kind=kind)
        assert go(team).answer == ("92" if calls else "3/4") and len(models[1].calls) == calls


def test_where_all_cheap_ones_fail_the_strong_one_is_asked():
    team, models = made([])
    assert go(team).answer == "92" and len(models[1].calls) == 1


@pytest.mark.parametrize("strong", [None, "I cannot tell."])
def test_a_strong_one_that_abstains_leaves_the_most_frequent_answer(strong):
    team, _ = made(["90", "91", "91", "?"], strong=strong, n=4)
    assert go(team).answer == "91"


def test_a_verifier_that_fails_leaves_the_vote():
    team, models = made(["91"] * 3, "")
    assert go(team).answer == "91" and models[1].calls == []


def test_the_strong_one_may_be_a_team():
    crowd = self_consistency(generator(Scripted(["92", "92", "7"])), n=3)
    result = go(cascade(generator(Scripted(["91", "90", "89"])), crowd))
    assert (result.answer, result.usage.calls) == ("92", 6)


def test_one_sample_that_answers_is_solo():
    team, models = made(["91"], n=1)
    assert go(team).answer == "91" and models[1].calls == []
    team, models = made(["?"], n=1)
    assert go(team).answer == "92"


def test_escalation_is_on_the_record():
    team, _ = made(["91", "90", "89"])
    assert [event.text for event in go(team).events if event.kind == "selection"] == ["solver"]


def test_saved_it_escalates_as_before():
    team, _ = made([], "Yes.")
    replies = iter(["91", "90", "89", "92"])
    again = Team.load(team.save(), Scripted(lambda request: next(replies)))
    assert again.digest == team.digest and go(again).answer == "92"


@pytest.mark.parametrize("options", [{"n": 0}, {"n": 1001}, {"share": 1.0}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(BadInput, match="expected"):
        made([], **options)
