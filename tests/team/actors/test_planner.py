"""A planner: the plan is a team built and called at run time, and nobody outside its palette can be reached."""

import asyncio
import json
from dataclasses import replace

import pytest
from random_runs import transcript
from small_teams import ANSWERER, Caller, letters

from orchestra.engine import START, Budget, Edge, MaxRounds, Node, Said, last, run
from orchestra.errors import BadTeam
from orchestra.models.scripted import Scripted
from orchestra.team import Role, Team
from orchestra.team.actors.plan import PlanForm, plan_answer
from orchestra.team.actors.planner import Planner
from orchestra.trajectory.journal import MemoryJournal

BOSS = Role(
    "boss",
    "{{ prompt }}{% for done in memory or [] %}; done {{ done.steps | length }}: {{ done.content }}{% endfor %}",
    output=PlanForm(("add", "tell", "spy")),
    answer=plan_answer,
)
WORKER = Role(
    "worker", "{{ prompt }}{% for m in inbox %} [{{ m.sender }}: {{ m.content }}]{% endfor %}", answer=letters
)


def plan(*parts):
    keys = ("id", "worker", "task", "needs")
    return json.dumps({"steps": [dict(zip(keys, part, strict=False)) for part in parts]})


DIAMOND = plan(
    ("one", "add", "add 1"),
    ("two", "add", "add 2"),
    ("both", "tell", "join", ["one", "two"]),
    ("end", "tell", "close", ["both"]),
)


def team(said, *, rounds=4, delay=None, workers=("add", "tell"), boss=BOSS):
    """A planner whose boss says these in turn, and workers that repeat what they were told."""
    turns = iter(said)
    bosses, hands = Scripted(lambda r: next(turns)), Scripted(lambda r: f"<{r.messages[-1][1]}>", delay=delay)
    planner = Planner(boss(bosses), {name: WORKER(hands, name=name) for name in workers})
    again = Edge("planner", "planner", "temporal")
    made = Team(
        "t", [Node("planner", planner)], [Edge(START, "planner"), again], Said() | MaxRounds(rounds), last("planner")
    )
    return made, bosses, hands


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_it_plans_then_answers(schedule):
    delay = lambda r: 0.003 * ("add 1" in r.messages[-1][1])  # noqa: E731
    made_by, bosses, hands = team([DIAMOND, '{"answer": "3"}'], delay=delay)
    made = asyncio.run(run(made_by, "sum", schedule=schedule))
    assert (made.answer, made.stopped_by, made.leaf.rounds) == ("3", "answered", 2)
    assert [call.messages[-1][1] for call in hands.calls] == [
        "add 1", "add 2", "join [one: <add 1>] [two: <add 2>]",
        "close [both: <join [one: <add 1>] [two: <add 2>]>]",
    ]  # fmt: skip
    done = "\n\n".join(f"{m.sender}: {m.content}" for m in made.messages[:4])
    assert [call.messages[-1][1] for call in bosses.calls] == ["sum", f"sum; done 4: {done}"]
    assert [d.path for d in made.decisions] == [
        "t/planner", *(f"t/planner/plan/{step}" for step in ("one", "two", "both", "end")), "t/planner"]  # fmt: skip


def test_its_memory_grows_by_what_was_done():
    """And steps without needs see what the planner sees: here its last word."""
    made_by, bosses, _ = team([plan(("a", "add", "x")), plan(("b", "tell", "y")), '{"answer": "3"}'])
    asyncio.run(run(made_by, "sum"))
    assert bosses.calls[-1].messages[-1][1] == "sum; done 1: a: <x>; done 1: b: <y [planner: a: <x>]>"


def test_without_an_answer_it_ends_with_what_its_workers_said():
    made_by, _, hands = team([plan(("a", "add", "x"))] * 2, rounds=2)
    made = asyncio.run(run(made_by, "sum"))
    assert (made.answer, made.stopped_by, len(hands.calls)) == ("<x [planner: a: <x>]>", "max rounds", 2)
    assert len({d.key for d in made.decisions}) == 4  # the same plan again is other effects


def test_nobody_outside_the_palette_is_reached():
    """The role's form lets `spy` through, and the planner does not have it."""
    made_by, _, hands = team([plan(("a", "spy", "x"))], rounds=1)
    made = asyncio.run(run(made_by, "sum"))
    assert hands.calls == [] and made.messages == ()
    assert made.events[0].text == "Unparseable: step 'a': unknown worker 'spy'; known: add, tell"
    has_it, _, hands = team([plan(("a", "spy", "x"))], rounds=1, workers=("add", "spy"))
    assert asyncio.run(run(has_it, "sum")).answer == "<x>" and len(hands.calls) == 1


def test_a_plan_that_cannot_be_read_is_asked_for_again_and_then_abstained_from():
    made_by, _, hands = team(["no plan", DIAMOND, '{"answer": "3"}'], boss=replace(BOSS, repairs=1))
    made = asyncio.run(run(made_by, "sum"))
    assert made.answer == "3" and len(hands.calls) == 4 and "expected" in made.decisions[0].error
    made_by, _, hands = team(["no plan", '{"answer": "3"}'])
    made = asyncio.run(run(made_by, "sum"))
    assert (made.answer, hands.calls, made.messages[0].content) == ("3", [], "no plan")


def test_a_boss_without_plans_is_told_so():
    made_by, _, _ = team(["91"], rounds=1, boss=ANSWERER)
    assert asyncio.run(run(made_by, "q")).answer == "91"  # it answers: then it needs no plan
    made_by, _, _ = team(["91"], rounds=1, boss=WORKER_OF_TEXT)
    told = asyncio.run(run(made_by, "q")).events[0].text
    assert told == "Unparseable: t/planner: expected a Plan of 'boss', got str"


WORKER_OF_TEXT = Role("boss", "{{ prompt }}")


@pytest.mark.parametrize("cap", range(1, 7))
def test_a_plan_counts_against_the_budget_of_the_run(cap):
    made_by, _, hands = team([DIAMOND, '{"answer": "3"}'])
    made = asyncio.run(run(made_by, "sum", budget=Budget(calls=cap)))
    assert made.usage.calls == cap == 1 + len(hands.calls) + (cap == 6)
    assert made.stopped_by == ("answered" if cap == 6 else "budget")


@pytest.mark.parametrize("kept", range(7))
def test_a_resumed_plan_repeats_no_call(kept):
    said = [DIAMOND, '{"answer": "3"}']
    whole, part = MemoryJournal(), MemoryJournal()
    first = asyncio.run(run(team(said)[0], "sum", journal=whole))
    part.entries = dict(list(whole.entries.items())[:kept])
    left = said[0 if kept == 0 else 1 :]
    made_by, bosses, hands = team(left)
    again = asyncio.run(run(made_by, "sum", journal=part))
    assert transcript(again) == transcript(first) and len(bosses.calls) + len(hands.calls) == 6 - kept


def test_it_is_saved_and_loaded():
    model = Scripted([])
    made = Team(
        "t", [Node("p", Planner(BOSS(model), {"add": WORKER(model), "deep": team([])[0]}, longest=3))],
        [Edge(START, "p")],
    )  # fmt: skip
    assert Team.load(made.save(), model).digest == made.digest
    assert {a.name for a in made.agents()} == {"boss", "worker", "add", "tell"}


@pytest.mark.parametrize(("workers", "longest"), [({}, 3), ({"a": Caller()}, 0)])
def test_it_needs_a_worker_and_a_step(workers, longest):
    with pytest.raises(BadTeam, match="planner 'boss': expected a worker and longest >= 1"):
        Planner(BOSS(Scripted([])), workers, longest)
