"""Contributions and calls of leave-one-out, by hand; what the journal holds is not called again."""

import asyncio
from dataclasses import replace

import pytest

from orchestra.engine import MaxRounds
from orchestra.errors import BadInput, UnknownName
from orchestra.evals import arith
from orchestra.evaluation.contribution import Replay, leave_one_out, scored
from orchestra.evaluation.contribution.muted import Muted, muted
from orchestra.team import Team
from orchestra.topologies import chain, debate, self_consistency
from orchestra.trajectory.journal import MemoryJournal

WORTH = scored(arith())


def measured(team, task, agents=None, **options):
    """The run, and its leave-one-out."""
    journal = MemoryJournal()
    run = team.run_sync(task, journal=journal)
    return run, asyncio.run(leave_one_out(team, Replay(run, journal, **options), WORTH, agents))


def test_votes_by_hand_cost_nothing(crowd, always, task):
    """7 7 9: without either 7 there is a tie, which the first declared wins."""
    agents, model = crowd({"a": always("7"), "b": always("7"), "c": always("9")})
    _, found = measured(debate(agents, rounds=1), task)
    assert found.agents == {"a": 0.0, "b": 0.0, "c": 0.0}
    agents, model = crowd({"c": always("9"), "a": always("7"), "b": always("7")})
    _, found = measured(debate(agents, rounds=1), task)
    assert found.agents == {"c": 0.0, "a": 1.0, "b": 1.0}
    assert (found.variants, found.calls, len(model.calls)) == (3, 0, 3)


def test_only_those_that_heard_are_asked_again(crowd, always, follows, task):
    """Two rounds, all read all: without one the two others are asked again in round 1, and nobody in round 0."""
    agents, model = crowd({"a": always("7"), "b": follows("9"), "c": follows("9")})
    team = replace(debate(agents, rounds=2), stop=MaxRounds(2))
    run, found = measured(team, task)
    assert run.usage.calls == 6
    assert (found.calls, len(model.calls)) == (6, 12)
    # b hears 7 and 9 and takes the first, so all say 7; without a nobody says 7.
    assert found.worth == 1.0 and found.agents["a"] == 1.0


def test_a_ring_asks_the_neighbours_alone(crowd, always, task):
    """In a ring of five with two rounds, two have heard the one that is muted."""
    agents, model = crowd({name: always("7") for name in "abcde"})
    team = replace(debate(agents, rounds=2, graph="ring"), stop=MaxRounds(2))
    _, found = measured(team, task, agents=["a"])
    assert (found.calls, len(model.calls)) == (2, 12)


def test_chain(crowd, always, follows, task):
    """Muting the last takes its answer and costs nothing; muting the first silences all."""
    agents, model = crowd(
        {"first": always("7"), "middle": always("0"), "last": lambda heard: heard[0] if heard else "9"}
    )
    _, found = measured(chain(*agents), task)
    assert found.agents == {"first": 1.0, "middle": 0.0, "last": 1.0}
    assert (found.calls, len(model.calls)) == (1, 4)


@pytest.mark.parametrize("graph", ["full", "ring", "star"])
def test_a_dummy_gets_nothing(crowd, always, follows, task, graph):
    """One that abstains, and whom those that follow others cannot follow."""
    agents, _ = crowd({"a": always("7"), "b": follows("9"), "dummy": always("?"), "c": follows("9")})
    team = replace(debate(agents, rounds=3, graph=graph), stop=MaxRounds(3))
    _, found = measured(team, task, agents=["dummy"])
    assert found.agents == {"dummy": 0.0}


def test_without_a_journal_the_trajectory_is_one(crowd, always, follows, task):
    agents, _ = crowd({"a": always("7"), "b": follows("9"), "c": follows("9")})
    team = replace(debate(agents, rounds=2), stop=MaxRounds(2))
    run, with_journal = measured(team, task)
    assert asyncio.run(leave_one_out(team, Replay(run), WORTH)) == with_journal


def test_the_run_itself_costs_nothing_and_comes_out_equal(crowd, always, follows, task):
    agents, _ = crowd({"a": always("7"), "b": follows("9"), "c": follows("9")})
    team = debate(agents, rounds=3)
    run = team.run_sync(task)
    variant = asyncio.run(Replay(run).run(team))
    assert variant.trajectory == run and variant.calls == 0


def test_muted_in_one_round(crowd, always, task):
    agents, _ = crowd({"a": always("7"), "b": always("7")})
    team = replace(debate(agents, rounds=3), stop=MaxRounds(3))
    quiet = muted(team, ["a"], 1).run_sync(task)
    assert [(m.sender, m.round) for m in quiet.messages if m.content] == [
        ("a", 0),
        ("b", 0),
        ("b", 1),
        ("a", 2),
    ]  # fmt: skip  (nobody speaks to b in round 2)


def test_mistakes_are_named(crowd, always, task):
    agents, _ = crowd({"ada": always("7"), "bob": always("7")})
    team, other = debate(agents, rounds=1), debate(agents, rounds=2)
    run = team.run_sync(task)
    with pytest.raises(UnknownName, match="did you mean 'ada'"):
        asyncio.run(leave_one_out(team, Replay(run), WORTH, ["adda"]))
    with pytest.raises(BadInput, match="was made by the team"):
        asyncio.run(leave_one_out(other, Replay(run), WORTH))
    with pytest.raises(BadInput, match="has no gold"):
        asyncio.run(leave_one_out(team, Replay(replace(run, task=replace(task, gold=None))), WORTH))
    with pytest.raises(BadInput, match="no agents"):
        asyncio.run(leave_one_out(team, Replay(run), WORTH, []))


def test_muted_teams_are_saved(crowd, always):
    agents, model = crowd({"a": always("7"), "b": always("7")})
    quiet = muted(debate(agents, rounds=2), ["a"])
    again = Team.load(quiet.save(), model)
    assert isinstance(again.nodes[0].actor, Muted) and again.digest == quiet.digest


def test_failed_calls_of_variants_count(crowd, task):
    """A model that fails where it hears nobody: the variant is wrong, and its failed call is a call."""
    agents, _ = crowd({"a": lambda heard: "7", "b": lambda heard: heard[0] if heard else {}["lost"]})
    team = chain(*agents)
    _, found = measured(team, task, agents=["a"])
    assert found.agents == {"a": 1.0} and found.calls == 0  # b is not asked where nobody speaks to it


def test_samples_of_one_agent(crowd, always, task):
    agents, _ = crowd({"a": always("7")})
    _, found = measured(self_consistency(agents[0], n=3), task)
    assert set(found.agents.values()) == {0.0} and found.calls == 0
