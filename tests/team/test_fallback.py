"""Fallback: the first actor that does not fail, and none after it is asked."""

import asyncio

import pytest
from small_teams import RANKER, Caller, agent

from orchestra.engine import START, Bounded, Budget, Edge, Node, run
from orchestra.errors import BadInput, BadTeam, CallFailed
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.team.fallback import BoundedFallback, Fallback, fallback
from orchestra.types import View


def down(request):
    raise CallFailed("down")


def alone(actor, **options):
    return asyncio.run(run(Team("t", [Node("a", actor)], [Edge(START, "a")]), "q", **options))


@pytest.mark.parametrize("failing", range(4))
def test_the_first_that_does_not_fail_answers(failing):
    models = [Scripted(down if i < failing else lambda r, i=i: str(i)) for i in range(3)]
    made = alone(fallback(*(agent(model, f"m{i}") for i, model in enumerate(models))))
    assert made.answer == (str(failing) if failing < 3 else None)
    assert [len(model.calls) for model in models] == [int(i <= failing) for i in range(3)]
    assert [d.path for d in made.decisions] == ["t/a", "t/a/fallback-2", "t/a/fallback-3"][: failing + 1]
    told = [e.text for e in made.events if " of 3: " in e.text]
    assert told == ["1 of 3: CallFailed: down", "2 of 3: CallFailed: down"][:failing]


def test_one_that_answers_nothing_has_not_failed():
    spare = Scripted(["7"])
    assert alone(fallback(agent(Scripted(["|"]), "a"), agent(spare, "b"))).answer is None and spare.calls == []


def test_what_no_other_actor_can_mend_is_raised():
    async def actor(view, ctx):
        raise BadInput("wrong file")

    with pytest.raises(BadInput, match="wrong file"):
        alone(fallback(actor, agent(Scripted(["7"]), "b")))
    spare = Scripted(["7"])
    spent = Fallback((agent(Scripted(down), "a"), agent(spare, "b")))
    made = alone(spent, budget=Budget(calls=1))
    assert (made.stopped_by, made.usage.calls, spare.calls) == ("budget", 1, [])


def test_a_worst_case_is_known_where_all_speak_with_one_role():
    one, two = agent(Scripted([]), "a"), agent(Scripted([]), "b")
    known = fallback(one, two)
    assert type(known) is BoundedFallback and known.bound(View("q")) == one.bound(View("q")) + two.bound(View("q"))
    assert known.speaker() == one.speaker() and known.name == "a"
    for others in ((one, RANKER(Scripted([]))), (one, Caller()), (Caller(), Caller())):
        assert type(fallback(*others)) is Fallback and not isinstance(fallback(*others), Bounded)


def test_a_role_that_is_spent_is_nothing_to_fall_back_from():
    spare = Scripted(lambda r: "7")
    actors = [agent(Scripted(down), "a"), agent(spare, "b"), RANKER(spare, name="c")]
    made = alone(fallback(*actors), budget=Budget(roles={"answerer": Budget(calls=1)}))
    assert (made.messages, made.usage.calls, spare.calls) == ((), 1, [])
    assert alone(fallback(*actors), budget=Budget(calls=9)).answer == "7"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: fallback(), "fallback of no actors"),
        (lambda: BoundedFallback([agent(Scripted([]), "a"), RANKER(Scripted([]))]), "expected actors of one role, got"),
        (lambda: BoundedFallback([Caller()]), "expected an actor whose worst case is known"),
    ],
)
def test_what_is_refused(make, told):
    with pytest.raises(BadTeam, match=told):
        make()
