"""Running on past a stop: what it would have brought, and that only what comes after is paid."""

import asyncio
from dataclasses import replace

import pytest
from small_teams import Caller

from orchestra.engine import START, Edge, MaxRounds, Never, Node, Unchanged
from orchestra.errors import BadInput
from orchestra.evals import arith
from orchestra.evaluation.contribution import Replay, longer, regret, scored
from orchestra.evaluation.contribution.regret import without_stop
from orchestra.team import Team
from orchestra.topologies import chain, debate

WORTH = scored(arith())


def run_on(team, task):
    return asyncio.run(longer(team, Replay(team.run_sync(task)), WORTH))


def test_a_wrong_quorum(crowd, task):
    """All say 9 at once and the team stops; had it gone on, they would have found 7."""
    agents, model = crowd({name: lambda heard: "7" if heard else "9" for name in "abc"})
    found = run_on(debate(agents, rounds=2), task)
    assert (found.early, found.late, found.calls) == (0.0, 1.0, 3)
    assert found.saved > 0
    assert len(model.calls) == 3 + 3


def test_a_right_quorum_saves(crowd, always, task):
    agents, _ = crowd({name: always("7") for name in "abcd"})
    found = run_on(debate(agents, rounds=3), task)  # stops after three replies of twelve
    assert (found.early, found.late, found.calls) == (1.0, 1.0, 9)


def test_nothing_to_regret(crowd, always, task):
    """It went to its last round anyway: no call, no token, the same run."""
    agents, _ = crowd({"a": always("7"), "b": always("9")})
    assert run_on(debate(agents, rounds=2), task)[1:] == (1.0, 1.0, 0, 0)
    agents, _ = crowd({"a": always("7"), "b": always("9")})
    assert run_on(chain(*agents), task)[1:] == (0.0, 0.0, 0, 0)


def test_over_runs(crowd, always, task):
    lost, _ = crowd({name: lambda heard: "7" if heard else "9" for name in "abc"})
    kept, _ = crowd({name: always("7") for name in "abc"})
    runs = [run_on(debate(agents, rounds=2), task) for agents in (lost, kept, kept, lost)]
    found = regret(runs)
    assert found.answers.delta == 0.5 and found.answers.discordant == (2, 0)
    assert found.saved.mean == pytest.approx(sum(run.saved for run in runs) / 4)


def test_stops():
    actor = Caller()
    straight = Team("t", [Node("a", actor)], [Edge(START, "a")], Never())
    assert without_stop(straight).stop == Never()
    cyclic = Team("t", [Node("a", actor)], [Edge(START, "a"), Edge("a", "a", "temporal")], Unchanged() | MaxRounds(4))
    assert without_stop(cyclic).stop == MaxRounds(4)
    endless = replace(straight)
    object.__setattr__(endless, "plan", cyclic.plan)  # a graph without a bound is refused when made
    with pytest.raises(BadInput, match="no bound on rounds"):
        without_stop(endless)
