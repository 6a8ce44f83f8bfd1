"""Messages in other words, or unsaid: who is asked again, and what becomes of the run."""

import asyncio
from dataclasses import replace

import pytest

from orchestra.engine import MaxRounds
from orchestra.errors import BadInput
from orchestra.evals import arith
from orchestra.evaluation.contribution import Replay, majority, nothing, replacements, scored
from orchestra.topologies import chain, debate
from orchestra.types import Key

WORTH = scored(arith())


def tried(team, task, words):
    run = team.run_sync(task)
    return asyncio.run(replacements(team, Replay(run), WORTH, words))


def test_chain_by_hand(crowd, always, task):
    """The last repeats the first it hears: only the first and the last message matter."""
    agents, model = crowd({"a": always("7"), "b": always("0"), "c": lambda heard: heard[0]})
    found = tried(chain(*agents), task, lambda run, message: "9")
    assert [(each.sender, each.worth, each.effect, each.calls) for each in found] == [
        ("a", 0.0, 1.0, 2),
        ("b", 1.0, 0.0, 1),
        ("c", 0.0, 1.0, 0),
    ]
    assert len(model.calls) == 3 + 3


def test_nothing_mutes_one_round(crowd, always, follows, task):
    agents, _ = crowd({"a": always("7"), "b": follows("9")})
    team = replace(debate(agents, rounds=2), stop=MaxRounds(2))
    found = tried(team, task, nothing)
    # Whoever is muted in round 0 has no memory in round 1 and is asked again; the other hears nobody there.
    assert [(each.sender, each.round, each.worth, each.calls) for each in found] == [
        ("a", 0, 1.0, 1),
        ("b", 0, 1.0, 1),
        ("a", 1, 1.0, 0),
        ("b", 1, 1.0, 0),
    ]


def test_majority_words(crowd, always, task):
    """Each one's answer replaced by what most of the others say: the odd one out comes round, and nobody else."""
    agents, _ = crowd({"a": always("9"), "b": always("7"), "c": always("7"), "d": always("9")})
    team = debate(agents, rounds=1)
    run = team.run_sync(task)
    assert [majority(run, message) for message in run.messages] == ["7", "9", "9", "7"]
    assert [each.worth for each in tried(team, task, majority)] == [1.0, 0.0, 0.0, 1.0]


def test_alone_in_its_round_there_is_no_majority(crowd, always, task):
    agents, _ = crowd({"a": always("7")})
    run = chain(*agents).run_sync(task)
    assert majority(run, run.messages[0]) is None


def test_its_own_words_change_nothing(crowd, always, follows, task):
    """The control: all who heard or remember it are asked again, and the run comes out as it did."""
    agents, _ = crowd({"a": always("7"), "b": follows("9"), "c": follows("8")})
    team = replace(debate(agents, rounds=2), stop=MaxRounds(2))
    found = tried(team, task, lambda run, message: message.content)
    assert {each.effect for each in found} == {0.0}
    assert [each.calls for each in found] == [3, 3, 3, 0, 0, 0]


def test_equal_words_share_their_states(crowd, always, follows, task):
    """Said twice, the second time is free; what was said is no sample of the model."""
    agents, _ = crowd({"a": always("7"), "b": follows("9")})
    team = chain(*agents)
    run = team.run_sync(task)
    replay, key = Replay(run), run.decisions[0].key
    first, second = (asyncio.run(replay.run(team, {key: "5"})) for _ in range(2))
    assert (first.calls, second.calls) == (1, 0) and first.trajectory == second.trajectory
    assert first.trajectory.answer == "5"
    assert first.trajectory.decisions[0].completion.output_ids is None
    assert first.trajectory.id != run.id


def test_an_unknown_decision_is_named(crowd, always, task):
    agents, _ = crowd({"a": always("7")})
    team = chain(*agents)
    with pytest.raises(BadInput, match="has no reply under"):
        asyncio.run(Replay(team.run_sync(task)).run(team, {Key("nowhere"): "5"}))
