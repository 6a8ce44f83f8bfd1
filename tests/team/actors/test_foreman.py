"""A foreman: states of steps, waves, stalls and replans; hostile plans are refused with a reason and reach nobody."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_runs import transcript

from orchestra.engine import START, Budget, Edge, MaxRounds, Node, Said, last
from orchestra.errors import BadTeam
from orchestra.models.scripted import Scripted
from orchestra.roles import planner
from orchestra.team import Role, Team, number
from orchestra.team.actors.foreman import Foreman, Item
from orchestra.trajectory.journal import MemoryJournal

DIAMOND = "1 add: one\n2 add: two\n3 tell (1, 2): join\n4 tell (3): close"
WORKER = Role("worker", "{{ prompt }}{% for m in inbox %} [{{ m.sender }}: {{ m.content }}]{% endfor %}", answer=number)


def made(plans, says=lambda task: f"{task} 7", *, rounds=6, patience=2, delay=None, repairs=0, palette=("add", "tell")):
    """A foreman whose boss says these in turn, and workers who answer as a function of what they were told."""
    bosses = Scripted(plans)
    hands = Scripted(lambda r: says(r.messages[-1][1]), delay=delay)
    boss = replace(planner, repairs=repairs)(bosses)
    foreman = Foreman(boss, {name: WORKER(hands, name=name) for name in palette}, patience=patience)
    edges = [Edge(START, "planner"), Edge("planner", "planner", "temporal")]
    return Team("t", [Node("planner", foreman)], edges, Said() | MaxRounds(rounds), last("planner")), bosses, hands


def go(team, **options):
    return asyncio.run(team.run("q", **options))


def told(model):
    return [call.messages[-1][1] for call in model.calls]


def states(result):
    """Of the plan after each round, by step."""
    said = [message.parsed for message in result.messages if message.sender == "planner"]
    return [{item.step.id: item.state for item in items} for items in said if items and isinstance(items[0], Item)]


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_steps_run_as_soon_as_what_they_need_is_there_and_the_boss_answers_last(schedule):
    team, bosses, hands = made([DIAMOND, "Answer: 3"], delay=lambda r: 0.003 * (r.messages[-1][1] == "one"))
    result = go(team, schedule=schedule)
    assert (result.answer, result.stopped_by, result.leaf.rounds, result.usage.calls) == ("3", "answered", 2, 6)
    assert told(hands) == [
        "one", "two", "join [1: one 7] [2: two 7]", "close [3: join [1: one 7] [2: two 7] 7]",
    ]  # fmt: skip
    assert states(result)[0] == dict.fromkeys("1234", "completed")
    lines = told(bosses)[1].splitlines()
    assert lines[:3] == ["q", "1 add: one [completed] one 7", "2 add: two [completed] two 7"]
    assert lines[4].startswith("4 tell: close [completed] close [3: join") and lines[5] == "Workers: add, tell."


@pytest.mark.parametrize("budget", [None, Budget(calls=9)])
def test_two_steps_that_need_nothing_of_each_other_are_in_flight_together(budget):
    flying, most = [0], [0]

    class Watched(Scripted):
        async def generate(self, requests):
            flying[0] += 1
            most[0] = max(most[0], flying[0])
            await asyncio.sleep(0.002)
            flying[0] -= 1
            return await super().generate(requests)

    hands = Watched(lambda r: "7")
    foreman = Foreman(planner(Scripted([DIAMOND])), {"add": WORKER(hands), "tell": WORKER(hands)})
    go(Team("t", [Node("planner", foreman)], [Edge(START, "planner")]), budget=budget)
    assert most[0] == 2 and len(hands.calls) == 4


def test_the_boss_is_told_its_palette_before_it_plans():
    team, bosses, _ = made(["Answer: 3"])
    assert go(team).answer == "3" and "Workers: add, tell." in told(bosses)[0]


def test_a_blocked_step_blocks_those_that_need_it_and_is_tried_again():
    """`two` answers at the second attempt; `one` is not paid for again."""
    tries = iter(["I cannot tell.", "two 7"])
    team, bosses, hands = made([DIAMOND, "Answer: 3"], lambda t: next(tries) if t == "two" else f"{t} 7")
    result = go(team)
    assert states(result) == [
        {"1": "completed", "2": "blocked", "3": "not_started", "4": "not_started"},
        dict.fromkeys("1234", "completed"),
    ]
    assert told(hands)[:3] == ["one", "two", "two"] and told(hands)[3] == "join [1: one 7] [2: two 7]"
    assert len(bosses.calls) == 2 and result.usage.calls == 2 + 5


def test_a_worker_that_fails_blocks_its_step():
    def says(task):
        if task == "two":
            raise ValueError("lost")
        return f"{task} 7"

    result = go(made([DIAMOND], says, rounds=1)[0])
    assert states(result) == [{"1": "completed", "2": "blocked", "3": "not_started", "4": "not_started"}]
    assert result.answer == "7"  # the last that was completed


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_replan_on_a_stall_after_so_many_waves_that_completed_nothing(patience):
    """The first wave completes step 1, then `patience` waves complete nothing, then the boss plans anew; what it
    repeats of the work done is not done again."""
    plans = ["1 add: one\n2 add: two", "1 add: one\n2 tell (1): around", "Answer: 3"]
    team, bosses, hands = made(plans, lambda t: "?" if t == "two" else f"{t} 7", patience=patience, rounds=9)
    result = go(team)
    assert told(hands) == ["one", *["two"] * (1 + patience), "around [1: one 7]"]
    assert len(bosses.calls) == 3 and result.answer == "3" and result.leaf.rounds == 1 + patience + 2
    assert "2 add: two [blocked] ?" in told(bosses)[1] and "1 add: one [completed] one 7" in told(bosses)[1]


def test_a_plan_that_never_moves_ends_with_the_rounds():
    team, bosses, hands = made(["1 add: one"] * 9, lambda t: "?", patience=1, rounds=4)
    result = go(team)
    assert (result.stopped_by, result.answer, len(bosses.calls), len(hands.calls)) == ("max rounds", None, 4, 4)


def test_a_boss_that_repeats_a_plan_that_is_done_spends_nothing_but_its_own_calls():
    team, bosses, hands = made(["1 add: one"] * 9, rounds=4)
    result = go(team)
    assert (result.answer, len(bosses.calls), len(hands.calls)) == ("7", 4, 1)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ("1 spy: look", "step '1': unknown worker 'spy'; known: add, tell"),
        ("1 add (9): look", "step '1' needs unknown step '9'; known: 1"),
        ("1 add (2): x\n2 add (1): y", "steps need each other"),
        ("1 add: x\n1 add: y", "two steps are called '1'"),
        ("start add: x", "step 'start': expected an id"),
        ("\n".join(f"{i} add: x" for i in range(21)), "expected a plan of 1 to 20 steps, got 21"),
        ("hm.", "it could not be read"),
    ],
)
def test_a_hostile_plan_reaches_nobody_and_the_boss_is_told_why(plan, why):
    team, bosses, hands = made([plan, plan, "1 add: one", "Answer: 3"])
    result = go(team)
    assert result.answer == "3" and told(hands) == ["one"]
    assert all(f"Your last plan was refused: {why}" in text for text in told(bosses)[1:3])
    assert "refused" not in told(bosses)[3] and all(d.error for d in result.decisions[:2])


def test_a_refused_replan_leaves_the_work_done_as_it_is():
    plans = ["1 add: one\n2 add: two", "1 spy: x", "1 add: one", "Answer: 3"]
    team, _, hands = made(plans, lambda t: "7" if t == "one" else "?", patience=1, rounds=9)
    result = go(team)
    assert result.answer == "3" and told(hands) == ["one", "two", "two"]


def test_a_repair_comes_before_a_refusal():
    team, _, hands = made(["hm.", "1 add: one", "Answer: 3"], repairs=1)
    result = go(team)
    assert result.answer == "3" and len(result.messages) == 3 and told(hands) == ["one"]


def test_a_boss_without_plans_is_told_so():
    foreman = Foreman(Role("boss", "{{ prompt }}")(Scripted(["words"])), {"add": WORKER(Scripted([]))})
    result = go(Team("t", [Node("planner", foreman)], [Edge(START, "planner")]))
    assert result.events[0].text == "Unparseable: t/planner: expected a Plan of 'boss', got str"


def test_runs_side_by_side_share_no_plan():
    """The public code keeps plans on a class: there the second run would find the first one's steps."""

    def boss(request):
        text = request.messages[-1][1]
        mine = text.partition("\n")[0]
        if "[completed]" not in text:
            return f"{mine} add: work for {mine}"
        return f"Answer: {text.count('[completed]')}{mine}" if f"work for {mine} [completed]" in text else "Answer: 0"

    hands = Scripted(lambda r: "7", delay=lambda r: 0.001)
    foreman = Foreman(planner(Scripted(boss, delay=lambda r: 0.001)), {"add": WORKER(hands)})
    edges = [Edge(START, "planner"), Edge("planner", "planner", "temporal")]
    team = Team("t", [Node("planner", foreman)], edges, Said() | MaxRounds(5), last("planner"))
    tasks = [str(number) for number in range(10, 40)]
    results = asyncio.run(team.map(tasks, concurrency=30))
    assert [result.answer for result in results] == [f"1{task}" for task in tasks]
    assert asyncio.run(team.run("99")).answer == "199"  # and a later one finds nothing of them


CUT = {
    1: "in_progress in_progress not_started not_started",
    2: "completed in_progress not_started not_started",
    3: "completed completed in_progress not_started",
    4: "completed completed completed in_progress",
    5: "completed completed completed completed",
}
"""States of the diamond when so many calls, the boss's first among them, are all."""


@pytest.mark.parametrize("cap", range(1, 8))
def test_a_budget_ends_it_in_mid_plan_with_the_best_so_far(cap):
    result = go(made([DIAMOND, "Answer: 3"])[0], budget=Budget(calls=cap))
    assert result.usage.calls == min(cap, 6)
    assert result.answer == (None if cap == 1 else "7" if cap < 6 else "3")
    assert list(states(result)[0].values()) == CUT[min(cap, 5)].split()


@pytest.mark.parametrize("kept", range(8))
def test_a_resumed_run_repeats_no_call(kept):
    def fresh():
        return made(lambda r: DIAMOND if "[" not in r.messages[-1][1] else "Answer: 3", lambda t: f"{t} 7")

    whole, part = MemoryJournal(), MemoryJournal()
    first = go(fresh()[0], journal=whole)
    part.entries = dict(list(whole.entries.items())[:kept])
    team, bosses, hands = fresh()
    assert transcript(go(team, journal=part)) == transcript(first)
    assert len(bosses.calls) + len(hands.calls) == max(0, 6 - kept)


@st.composite
def graphs(draw):
    """A plan of up to 6 steps in a random acyclic order, and which of them never answer."""
    n = draw(st.integers(1, 6))
    needs = [sorted(draw(st.sets(st.integers(0, i - 1), max_size=3))) if i else [] for i in range(n)]
    return needs, draw(st.sets(st.integers(0, n - 1)))


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_states_are_those_of_a_walk_over_the_plan(drawn):
    """Second derivation: a step is completed if it answers and all that it needs is, blocked if only it is at fault."""
    needs, mute = drawn
    plan = "\n".join(f"s{i} add ({', '.join(f's{j}' for j in need)}): task{i}" for i, need in enumerate(needs))
    _, _, hands = both = made([plan], lambda t: "?" if int(t.split()[0][4:]) in mute else "7", rounds=1)
    result = go(both[0])
    expected: dict[str, str] = {}
    for i, need in enumerate(needs):
        ready = all(expected[f"s{j}"] == "completed" for j in need)
        expected[f"s{i}"] = ("blocked" if i in mute else "completed") if ready else "not_started"
    assert states(result) == [expected]
    assert sorted(text.split()[0] for text in told(hands)) == sorted(
        f"task{s[1:]}" for s, state in expected.items() if state != "not_started"
    )


def test_it_is_saved_and_loaded():
    team = made([])[0]
    assert Team.load(team.save(), Scripted([])).digest == team.digest
    assert [agent.name for agent in team.agents()] == ["planner", "add", "tell"]


@pytest.mark.parametrize("changes", [{"workers": {}}, {"longest": 0}, {"patience": 0}])
def test_what_is_refused(changes):
    with pytest.raises(BadTeam, match="foreman of 'planner': expected a worker, longest and patience >= 1"):
        Foreman(**{"boss": planner(Scripted([])), "workers": {"a": WORKER(Scripted([]))}, **changes})
