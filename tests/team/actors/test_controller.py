"""A controller: team size and token budget from closed sets, on the record, and a stop that is obeyed."""

import asyncio
import math

import pytest
from random_runs import transcript
from small_teams import agent

from orchestra.engine import START, Budget, Edge, MaxRounds, Node, Said, last, majority, run
from orchestra.errors import BadInput, BadTeam
from orchestra.models.scripted import Scripted
from orchestra.team import Role, Team, register
from orchestra.team.actors.controller import Controller
from orchestra.topologies import debate
from orchestra.trajectory.journal import MemoryJournal

CEO = Role("ceo", "{{ prompt }}{% for m in inbox %} {{ m.content }}{% endfor %} {{ memory }}", temperature=1.0)


@register("test_controller.vote")
def vote(agents):
    return Team("vote", [Node(a.name, a) for a in agents], [Edge(START, a.name) for a in agents], output=majority())


def controller(prefers, *, sizes=(1, 3, 5), tokens=(), may_stop=True, compose=vote, says="7"):
    """Its agent prefers these options by far, or all alike; the pool says one thing."""
    boss = Scripted(lambda r: "two agents, please", preference=lambda r, option: 60.0 * (option in prefers))
    pool = Scripted(lambda r: says)
    agents = tuple(agent(pool, f"p{i}") for i in range(1, 6))
    return Controller(CEO(boss, name="chief"), agents, compose, sizes, tokens, may_stop), boss, pool


def alone(actor, rounds=1, **options):
    edges = [Edge(START, "ceo"), Edge("ceo", "ceo", "temporal")]
    team = Team("t", [Node("ceo", actor)], edges, Said() | MaxRounds(rounds), last("ceo"))
    return asyncio.run(run(team, "q", **options))


@pytest.mark.parametrize(("text", "size"), [("1 agent", 1), ("3 agents", 3), ("5 agents", 5)])
def test_so_many_of_the_pool_work_as_it_chose(text, size):
    actor, boss, pool = controller([text])
    made = alone(actor)
    assert [d.path for d in made.decisions] == ["t/ceo", *(f"t/ceo/team/p{i}" for i in range(1, size + 1))]
    assert [(e.path, e.text) for e in made.events if e.kind == "selection"] == [("t/ceo", text)]
    choice = made.decisions[0]
    assert choice.request.options == ("1 agent", "3 agents", "5 agents", "stop") and choice.completion.text == text
    assert math.isclose(sum(math.exp(score) for score in choice.completion.scores), 1)  # a decision to train on
    assert made.answer == "7" and len(pool.calls) == size and len(boss.calls) == 1


def test_it_chooses_the_budget_knowing_the_size():
    actor, boss, pool = controller(["3 agents", "2000 tokens"], tokens=(1000, 2000))
    made = alone(actor)
    assert [e.text for e in made.events if e.kind == "selection"] == ["3 agents", "2000 tokens"]
    assert [c.messages[-1][1] for c in boss.calls] == ["q None", "q 3 agents"]
    assert made.decisions[1].request.options == ("1000 tokens", "2000 tokens") and len(pool.calls) == 3


@pytest.mark.parametrize(("tokens", "calls"), [(300, 1), (600, 4), (9000, 5)])
def test_the_chosen_budget_is_a_hard_cap_of_its_team_alone(tokens, calls):
    """A call reads 1 token, says 101 and might say 256: four of them in 600, since 3 x 102 + 257 is below that and
    4 x 102 + 257 is not. What comes after the team that has spent it goes on."""
    actor, _, pool = controller(["5 agents", f"{tokens} tokens"], tokens=(300, 600, 9000), says="7 |" + " so" * 99)
    after = agent(Scripted(lambda r: "8"), "after")
    team = Team("t", [Node("ceo", actor), Node("after", after)], [Edge(START, "ceo"), Edge("ceo", "after")])
    made = asyncio.run(run(team, "q"))
    assert len(pool.calls) == calls and [m.answer for m in made.messages[-2:]] == ["7", "8"]
    assert (made.stopped_by, sum(e.kind == "budget" for e in made.events)) == ("done", int(calls < 5))


def test_a_stop_is_obeyed_and_repeats_what_was_found():
    said = iter(["5 agents", "stop", "5 agents"])
    turn = {}
    boss = Scripted(lambda r: "", preference=lambda r, o: 60.0 * (o == turn.setdefault(r.messages, next(said, "stop"))))
    pool = Scripted(lambda r: "7")
    chief = Controller(CEO(boss, name="chief"), tuple(agent(pool, f"p{i}") for i in range(5)), vote, (1, 5))
    made = alone(chief, rounds=5)
    assert (made.stopped_by, made.answer, made.leaf.content, made.leaf.rounds) == ("chief stopped", "7", "7", 2)
    assert len(pool.calls) == 5
    without = alone(controller(["5 agents"], may_stop=False)[0], rounds=2)  # the control: it cannot, and does not
    assert without.stopped_by == "max rounds" and without.usage.calls == 12
    assert "stop" not in without.decisions[0].request.options


def test_a_stop_at_once_answers_nothing():
    actor, _, pool = controller(["stop"])
    made = alone(actor, rounds=3)
    assert (made.stopped_by, made.answer, pool.calls) == ("chief stopped", None, [])


def test_options_outside_the_set_cannot_occur():
    for seed in range(30):
        made = alone(controller([], tokens=(1000, 2000))[0], seed=seed)
        texts = [e.text for e in made.events if e.kind == "selection"]
        assert texts == ["stop"] or (
            texts[0] in ("1 agent", "3 agents", "5 agents") and texts[1][:4] in ("1000", "2000")
        )
        assert made.usage.calls == (1 if texts == ["stop"] else 2 + int(texts[0].split()[0]))


def test_a_choice_of_one_is_not_asked_for():
    actor, boss, pool = controller(["800 tokens"], sizes=(3,), tokens=(400, 800), may_stop=False)
    alone(actor)
    assert [c.options for c in boss.calls] == [("400 tokens", "800 tokens")] and len(pool.calls) == 3
    actor, boss, _ = controller(["1 agent"], tokens=(400,))
    alone(actor)
    assert len(boss.calls) == 1


@pytest.mark.parametrize("cap", range(1, 8))
def test_the_cap_of_the_run_holds(cap):
    made = alone(controller(["5 agents"])[0], budget=Budget(calls=cap))
    assert made.usage.calls == min(cap, 6)


@pytest.mark.parametrize("kept", range(6))
def test_a_resumed_run_repeats_no_choice(kept):
    whole, part = MemoryJournal(), MemoryJournal()
    first = alone(controller(["3 agents", "2000 tokens"], tokens=(1000, 2000))[0], journal=whole)
    part.entries = dict(list(whole.entries.items())[:kept])
    actor, boss, pool = controller(["3 agents", "2000 tokens"], tokens=(1000, 2000))
    assert transcript(alone(actor, journal=part)) == transcript(first)
    assert len(boss.calls) + len(pool.calls) == 5 - kept


def test_it_is_saved_and_loaded():
    actor = controller([])[0]
    team = Team("t", [Node("ceo", actor)], [Edge(START, "ceo")])
    assert Team.load(team.save(), Scripted([])).digest == team.digest
    assert [a.name for a in team.agents()] == ["chief", "p1", "p2", "p3", "p4", "p5"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sizes": ()}, r"controller 'chief': expected different sizes from 1 to 5, got \(\)"),
        ({"sizes": (1, 1)}, "expected different sizes"),
        ({"sizes": (0, 1)}, "expected different sizes"),
        ({"sizes": (1, 6)}, "expected different sizes from 1 to 5"),
        ({"tokens": (5, 5)}, "expected different numbers of tokens above 0"),
        ({"tokens": (0, 5)}, "expected different numbers of tokens above 0"),
        ({"sizes": (2,), "may_stop": False}, "it has nothing to choose"),
        ({"sizes": (2,), "may_stop": False, "tokens": (9,)}, "it has nothing to choose"),
    ],
)
def test_what_is_refused(changes, told):
    with pytest.raises(BadTeam, match=told):
        controller([], **changes)


def test_a_team_that_cannot_be_made_is_refused_before_any_call():
    with pytest.raises(BadInput, match="debate of 1: expected at least two agents"):
        controller([], compose=debate)
    assert controller([], compose=debate, sizes=(2, 3))[0].sizes == (2, 3)
