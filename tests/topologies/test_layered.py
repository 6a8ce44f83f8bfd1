"""Layers: who hears what, and what each aggregation makes of a layer."""

import asyncio

import pytest

from orchestra.errors import BadInput, UnknownName
from orchestra.models.scripted import Scripted
from orchestra.roles import judge, solver
from orchestra.team import Team
from orchestra.topologies import ensemble, layered


def made(said, verdict="7", **options):
    models = [Scripted([text]) for text in said]
    agents = [solver(model, name=f"s{i}") for i, model in enumerate(models)]
    decides = Scripted(lambda request: verdict)
    return layered(agents, judge(decides), **options), models, decides


def go(team):
    return asyncio.run(team.run("q"))


def told(model):
    return model.calls[0].messages[-1][1]


@pytest.mark.parametrize(
    ("way", "heard"),
    [
        ("majority", "layer-1: It is 1.\n"),
        ("last", "layer-1: It is 2.\n"),
        ("judge", "layer-1: So 7.\n"),
        ("concatenation", "layer-1: s0: It is 1.\n\ns1: It is 1.\n\ns2: It is 2.\n"),
    ],
)
def test_what_the_next_layer_hears(way, heard):
    team, models, decides = made(
        ["It is 1.", "It is 1.", "It is 2.", "3", "3", "4"], "So 7.", aggregate=f"{way},majority"
    )
    result = go(team)
    for model in models[3:]:
        assert told(model) == f"q\n{heard}Use this and give your answer."
    assert result.answer == "3" and len(decides.calls) == (way == "judge")
    assert result.usage.calls == 6 + (way == "judge")


def test_members_of_a_layer_hear_each_other_in_the_last_way_alone():
    for way, hears in (("majority", False), ("concatenation", False), ("judge", False), ("last", True)):
        team, models, _ = made(["1", "2", "3"], layers=1, aggregate=way)
        result = go(team)
        assert ("s0: 1\ns1: 2" in told(models[2])) == hears and told(models[0]) == "q"
        assert result.answer == {"majority": "1", "concatenation": "3", "judge": "7", "last": "3"}[way]


@pytest.mark.parametrize(("n", "layers", "sizes"), [(6, 2, [3, 3]), (5, 2, [2, 3]), (5, 3, [1, 2, 2]), (2, 2, [1, 1])])
def test_how_agents_are_divided(n, layers, sizes):
    team, _, _ = made(["1"] * n, layers=layers)
    assert [len(node.actor.nodes) for node in team.nodes] == sizes
    assert [node.name for layer in team.nodes for node in layer.actor.nodes] == [f"s{i}" for i in range(n)]


def test_a_layer_hears_the_one_before_it_alone():
    team, models, _ = made(["first", "second", "third"], layers=3, aggregate="last")
    go(team)
    assert "second" in told(models[2]) and "first" not in told(models[2])


def test_a_layer_that_fails_leaves_the_last_answer():
    models = [Scripted(["1"]), Scripted([])]
    team = layered([solver(model, name=f"s{i}") for i, model in enumerate(models)])
    assert go(team).answer == "1"


def test_one_layer_of_majority_is_an_ensemble():
    said = ["1", "2", "2"]
    team, _, _ = made(said, layers=1)
    other = ensemble([solver(Scripted([text]), name=f"s{i}") for i, text in enumerate(said)])
    one, two = go(team), go(other)
    assert (one.answer, one.usage) == (two.answer, two.usage)


def test_saved_it_says_the_same():
    team, _, _ = made(["1"] * 4, aggregate="concatenation,judge")
    again = Team.load(team.save(), Scripted(lambda request: "7"))
    assert again.digest == team.digest and go(again).answer == "7"


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"layers": 0}, BadInput, "expected 1 to 2 layers"),
        ({"layers": 3}, BadInput, "expected 1 to 2 layers"),
        ({"aggregate": "majority,last,last"}, BadInput, "one for each"),
        ({"aggregate": "mean"}, UnknownName, "aggregation of layered 'mean'"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, error, says):
    with pytest.raises(error, match=says):
        made(["1", "2"], **options)


def test_a_judge_that_is_missing_is_named():
    with pytest.raises(BadInput, match="layer-1: the aggregation 'judge' needs a judge"):
        layered([solver(Scripted([]))], layers=1, aggregate="judge")
