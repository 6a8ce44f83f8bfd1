"""Fallback: the first actor that does not fail, and none after it is asked."""

import asyncio

import pytest
from small_teams import RANKER, Caller, agent

from orchestra.engine import START, Budget, Edge, Node, run
from orchestra.errors import BadInput, BadTeam, CallFailed
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.team.actors.fallback import Fallback
from orchestra.team.actors.retry import Retry
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import View


def down(request):
    raise CallFailed("down")


def alone(actor, **options):
    return asyncio.run(run(Team("t", [Node("a", actor)], [Edge(START, "a")]), "q", **options))


@pytest.mark.parametrize("failing", range(4))
def test_the_first_that_does_not_fail_answers(failing):
    models = [Scripted(down if i < failing else lambda r, i=i: str(i)) for i in range(3)]
    made = alone(Fallback([agent(model, f"m{i}") for i, model in enumerate(models)]))
    assert made.answer == (str(failing) if failing < 3 else None)
    assert [len(model.calls) for model in models] == [int(i <= failing) for i in range(3)]
    assert [d.path for d in made.decisions] == ["t/a", "t/a/fallback#2", "t/a/fallback#3"][: failing + 1]
    told = [e.text for e in made.events if " of 3: " in e.text]
    assert told == ["1 of 3: CallFailed: down", "2 of 3: CallFailed: down"][:failing]


def test_one_that_answers_nothing_has_not_failed():
    spare = Scripted(["7"])
    assert alone(Fallback([agent(Scripted(["|"]), "a"), agent(spare, "b")])).answer is None and spare.calls == []


def test_what_no_other_actor_can_mend_is_raised():
    async def actor(view, ctx):
        raise BadInput("wrong file")

    with pytest.raises(BadInput, match="wrong file"):
        alone(Fallback([actor, agent(Scripted(["7"]), "b")]))
    spare = Scripted(["7"])
    spent = Fallback((agent(Scripted(down), "a"), agent(spare, "b")))
    made = alone(spent, budget=Budget(calls=1))
    assert (made.stopped_by, made.usage.calls, spare.calls) == ("budget", 1, [])


def test_a_worst_case_is_known_where_all_speak_with_one_role():
    one, two = agent(Scripted([]), "a"), agent(Scripted([]), "b")
    known = Fallback([one, two])
    assert known.bound(View("q")) == one.bound(View("q")) + two.bound(View("q"))
    assert known.speaker() == one.speaker() and known.name == "a"
    for others in ((one, RANKER(Scripted([]))), (one, Caller()), (Caller(), Caller())):
        assert Fallback(others).bound(View("q")) is None


def test_a_role_that_is_spent_is_nothing_to_fall_back_from():
    spare = Scripted(lambda r: "7")
    actors = [agent(Scripted(down), "a"), agent(spare, "b"), RANKER(spare, name="c")]
    made = alone(Fallback(actors), budget=Budget(roles={"answerer": Budget(calls=1)}))
    assert (made.messages, made.usage.calls, spare.calls) == ((), 1, [])
    assert alone(Fallback(actors), budget=Budget(calls=9)).answer == "7"


@pytest.mark.parametrize(("spare", "most"), [(agent, 3), (lambda model, name: RANKER(model, name=name), 1)])
def test_under_a_budget_only_those_of_one_role_run_side_by_side(spare, most):
    running, widest = [], []

    async def generate(requests):
        running.append(1)
        widest.append(len(running))
        await asyncio.sleep(0.002)
        running.pop()
        return await Scripted(["7"]).generate(requests)

    model = Scripted([])
    model.generate = generate
    nodes = [Node(n, Fallback([agent(model, n), spare(model, f"{n}2")])) for n in "abc"]
    made = asyncio.run(run(Team("t", nodes, [Edge(START, n) for n in "abc"]), "q", budget=Budget(calls=9)))
    assert made.usage.calls == 3 and max(widest) == most


@pytest.mark.parametrize(
    ("name", "around"),
    [
        ("fallback-2", lambda team, spare: Fallback([team, spare])),
        ("try-2", lambda team, spare: Retry(Fallback([Retry(team, 2, base=0), spare]), 2, base=0)),
    ],
)
def test_no_node_of_the_team_that_failed_has_the_name_of_what_comes_after(name, around):
    """The team ran in the activation itself, so two effects of one name would be taken for drift."""
    nodes = [Node(name, agent(Scripted(lambda r: "1"), "x")), Node("y", agent(Scripted(down), "y"), on_error="fail")]
    team = Team("i", nodes, [Edge(START, name), Edge(name, "y")])
    made = alone(around(team, agent(Scripted(["2"]), "z")), journal=MemoryJournal())
    assert made.answer == "2" and len({d.key for d in made.decisions}) == len(made.decisions) == made.usage.calls
    with pytest.raises(BadTeam, match="NUMBER SIGN"):
        Team("i", [Node(name.replace("-", "#"), down)], [])


def test_what_is_refused():
    with pytest.raises(BadTeam, match="fallback of no actors"):
        Fallback([])
