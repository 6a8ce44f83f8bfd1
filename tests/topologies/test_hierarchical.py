"""A planner and its workers as a team of the shelf; what a foreman does is in tests/team/actors/test_foreman.py."""

import asyncio

import pytest

from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, planner, solver
from orchestra.team import Team
from orchestra.topologies import hierarchical, self_consistency, solo


def go(team, **options):
    return asyncio.run(team.run("What is 2 * (3 + 4)?", **options))


def test_it_plans_works_and_answers():
    boss = Scripted(["1 solver-1: Add 3 and 4.\n2 solver-2 (1): Double it.", "Answer: 14"])
    hands = Scripted(["It is 7.", "It is 14."])
    team = hierarchical(planner(boss), [solver(hands, name=f"solver-{i}") for i in (1, 2)])
    result = go(team)
    assert (result.answer, result.stopped_by, result.usage.calls) == ("14", "answered", 4)
    assert [call.messages[-1][1] for call in hands.calls] == [
        "Add 3 and 4.", "Double it.\n1: It is 7.\nUse this and give your answer.",
    ]  # fmt: skip
    assert [d.path for d in result.decisions] == [
        "hierarchical/planner", *(f"hierarchical/planner/plan/{i}" for i in (1, 2)), "hierarchical/planner",
    ]  # fmt: skip


def test_a_worker_may_be_a_team():
    hands = Scripted(["7", "8", "7"])
    crowd = self_consistency(generator(hands), n=3)
    result = go(hierarchical(planner(Scripted(["1 self_consistency: Add.", "Answer: 14"])), [crowd]))
    assert result.answer == "14" and result.usage.calls == 5
    assert "hierarchical/planner/plan/1/generator-3" in [d.path for d in result.decisions]


def test_a_boss_that_answers_at_once_is_solo():
    one = go(hierarchical(planner(Scripted(["Answer: 14"])), [solver(Scripted([]))]))
    alone = go(solo(generator(Scripted(["Answer: 14"]))))
    assert (one.answer, one.usage.calls) == (alone.answer, alone.usage.calls) and one.stopped_by == "answered"


def test_one_that_never_answers_ends_with_what_its_workers_found():
    boss = Scripted(lambda r: "1 solver: Add 3 and 4.")
    result = go(hierarchical(planner(boss), [solver(Scripted(["7"]))], rounds=3))
    assert (result.answer, result.stopped_by, len(boss.calls)) == ("7", "max rounds", 3)


def test_a_longer_plan_than_allowed_is_refused():
    plan = "\n".join(f"{i} solver: step" for i in range(1, 7))
    boss = Scripted([plan, "Answer: 14"])
    result = go(hierarchical(planner(boss), [solver(Scripted([]))]))
    assert result.answer == "14" and "expected a plan of 1 to 5 steps, got 6" in boss.calls[1].messages[-1][1]


def test_saved_it_keeps_its_palette():
    team = hierarchical(planner(Scripted([])), [solver(Scripted([]), name="a"), solo(generator(Scripted([])))])
    again = Team.load(team.save(), Scripted(["1 solo: Add.", "7", "Answer: 14"]))
    assert again.digest == team.digest and go(again).answer == "14"


def test_who_is_not_told_apart_is_refused():
    twin = solver(Scripted([]))
    for workers in ([], [twin, twin]):
        with pytest.raises(BadInput, match="expected one at least, of different names"):
            hierarchical(planner(Scripted([])), workers)
