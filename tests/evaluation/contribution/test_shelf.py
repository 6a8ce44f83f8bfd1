"""Every topology of the shelf, with its own roles: all rules run, and what they say they paid is what the model was
asked."""

import asyncio

import pytest

from orchestra import topologies
from orchestra.cli import teams
from orchestra.cli.options import TeamOptions
from orchestra.evals import arith
from orchestra.evaluation.contribution import (
    Replay,
    guilty,
    importance,
    leave_one_out,
    longer,
    of_importance,
    replacements,
    scored,
    shapley,
)
from orchestra.evaluation.diagnostics import summary
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted

BENCH = arith()
WORTH = scored(BENCH)


@pytest.mark.parametrize("name", topologies.__all__)
def test_all_rules(name, task):
    model = Scripted(lambda request: f"The answer is {6 + request.seed % 3}.\nRatings: 3 4 3 2")
    plan = teams.plan(name, TeamOptions())
    team = plan.make({policy: Policy(policy, model) for policy in plan.models})
    run = team.run_sync(task)
    before = len(model.calls)

    async def everything():
        replay = Replay(run)
        alone = await replay.run(team)
        left = await leave_one_out(team, replay, WORTH)
        shares = await shapley(team, replay, WORTH, permutations=4)
        tried = [*await replacements(team, replay, WORTH), *(await guilty(team, replay, BENCH)).tried]
        on = await longer(team, replay, WORTH)
        return alone, shares, left.calls + shares.calls + sum(each.calls for each in tried) + on.calls

    alone, shares, paid = asyncio.run(everything())
    assert alone.calls == 0 and alone.trajectory == run
    assert paid == len(model.calls) - before
    assert sum(shares.agents.values()) == pytest.approx(WORTH(run))
    assert set(of_importance(run).rows) == {made.key for made in run.decisions}
    assert all(share >= 0 for share in importance(run).agents.values())
    assert summary([run], BENCH)["runs"] == 1
