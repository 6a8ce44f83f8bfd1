"""A main agent that asks as often as it takes: who hears what, when it ends, what counts, and trees of such talks."""

import asyncio
import re
from collections import Counter
from dataclasses import replace

import pytest

from orchestra.engine import Budget, Full, grow
from orchestra.errors import BadInput, CallFailed
from orchestra.evals import hotpot
from orchestra.models.scripted import Scripted
from orchestra.roles import delegator, generator, informant, solver
from orchestra.team import Team
from orchestra.topologies import chain, delegate, self_consistency, solo
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import FrozenMap, Task

TASK = Task("t", "Where was the director of Red Door born?", gold="Rome", private=FrozenMap({
    "main": "hidden-main", "ada": "hidden-ada", "bob": "hidden-bob",
}))  # fmt: skip


def made(main, ada=("It was Ann.",), bob=("In Rome.",), **options):
    models = [say if isinstance(say, Scripted) else Scripted(say) for say in (main, ada, bob)]
    experts = [informant(model, name=name) for model, name in zip(models[1:], ("ada", "bob"), strict=True)]
    return delegate(delegator(models[0], name="main"), experts, **options), models


def go(team, task=TASK, **options):
    return asyncio.run(team.run(task, **options))


def told(model):
    return [call.messages[-1][1] for call in model.calls]


def test_the_expert_that_is_named_alone_is_asked_and_the_main_agent_sees_all_so_far():
    team, (main, _, _) = made(["ada: Who directed Red Door?", "BOB : Where was Ann born?", "Answer: Rome"])
    result = go(team)
    assert (result.answer, result.stopped_by, result.usage.calls) == ("Rome", "answered", 5)
    assert [d.agent for d in result.decisions] == ["main", "ada", "main", "bob", "main"]
    assert told(main)[2] == (
        "Where was the director of Red Door born?\nYou alone know: hidden-main\n"
        "You asked ada: Who directed Red Door?\nada replied: It was Ann.\n"
        "You asked bob: Where was Ann born?\nbob replied: In Rome.\n"
        "Write one line: NAME: and a question to one of ada, bob (you may ask 2 more), or Answer: and the answer."
    )


def test_an_expert_sees_its_question_and_its_line_and_nothing_else():
    team, (main, ada, bob) = made(
        ["ada: Who?", "bob: Where?", "bob: Again?", "Answer: Rome"], bob=["In Rome.", "As I said."]
    )
    go(team)
    form = "{}\nYou alone know: {}\nTell what you know of that, and nothing else."
    assert told(ada) == [form.format("Who?", "hidden-ada")]
    assert told(bob) == [form.format("Where?", "hidden-bob"), form.format("Again?", "hidden-bob")]
    assert not any("hidden-ada" in text or "hidden-bob" in text for text in told(main))


def test_one_that_answers_at_once_is_solo():
    team, models = made(["Answer: Rome"])
    alone = go(solo(generator(Scripted(["Answer: Rome"]))))
    result = go(team)
    assert (result.answer, result.usage.calls) == ("Rome", alone.usage.calls) and result.stopped_by == "answered"
    assert [len(model.calls) for model in models] == [1, 0, 0]


@pytest.mark.parametrize("said", ["eve: Who?", "Who directed it?", "ada:", "adam: Who?", "main: Who?", ""])
def test_a_question_that_names_no_expert_reaches_nobody_and_counts(said):
    team, (main, ada, bob) = made([said, "Answer: Rome"], calls=1)
    result = go(team)
    assert result.answer == "Rome" and not ada.calls and not bob.calls
    assert "Note: nobody was asked; expected 'NAME: question' with one of ada, bob\n" in told(main)[1]
    assert told(main)[1].endswith("\nWrite Answer: and the answer."), "none is left"
    assert result.decisions[0].error == "nobody was asked; expected 'NAME: question' with one of ada, bob"
    assert result.error is None


@pytest.mark.parametrize("calls", [0, 1, 4])
def test_after_so_many_questions_it_is_asked_a_last_time(calls):
    team, (main, ada, _) = made(lambda request: "ada: Who?", ada=lambda request: "Ann.", calls=calls)
    result = go(team)
    assert (len(main.calls), len(ada.calls)) == (calls + 1, calls)
    assert (result.answer, result.stopped_by) == (None, "max rounds"), "it abstains"
    assert ["you may ask" in text for text in told(main)] == [True] * calls + [False]


def test_a_reply_that_asks_is_no_answer_until_no_question_is_left():
    team, (_, ada, _) = made(["ada: Who?\nAnswer: Ann", "Answer: Rome"])
    assert go(team).answer == "Rome" and len(ada.calls) == 1
    team, (_, ada, _) = made(["ada: Who?\nAnswer: Ann"], calls=0)
    assert go(team).answer == "Ann" and not ada.calls


def test_a_role_that_reads_any_number_as_its_answer_can_ask_for_one():
    main, ada = Scripted(["ada: What is 3 + 4?", "It is 14."]), Scripted(["7"])
    result = go(delegate(solver(main, name="main"), [generator(ada, name="ada")]), "What is 2 * (3 + 4)?")
    assert (result.answer, result.usage.calls) == ("14", 3)
    assert [message.answer for message in result.messages if message.sender == "main"] == [None, "14"]


def test_an_expert_that_fails_has_not_replied():
    def fail(request):
        raise CallFailed("gone")

    team, (main, _, _) = made(["ada: Who?", "Answer: Rome"], ada=fail)
    result = go(team)
    assert result.answer == "Rome" and "ada replied: nothing\n" in told(main)[1] and "3 more" in told(main)[1]


def test_an_expert_may_be_a_team_and_the_team_a_node():
    crowd = self_consistency(generator(Scripted(["7", "8", "7"])), n=3)
    asks = delegate(delegator(Scripted(["self_consistency: What is 3 + 4?", "Answer: 7"]), name="main"), [crowd])
    first = generator(Scripted(["It is 9."]), name="first")
    result = go(chain(first, asks))
    main = [d.request.messages[-1][1] for d in result.decisions if d.agent == "main"]
    assert result.answer == "7" and result.usage.calls == 6
    assert all("first: It is 9.\n" in text for text in main), "what its team heard is there in every round"
    assert "self_consistency replied: 7\n" in main[1]
    voters = [d for d in result.decisions if "self_consistency/" in d.path]
    assert len(voters) == 3 and {d.request.messages[-1][1].splitlines()[0] for d in voters} == {"What is 3 + 4?"}


def roaming(request):
    """Answers, or asks one of two, or nobody, as its seed has it."""
    return ("Answer: Rome", "ada: Who?", "bob: Where?", "eve: What?")[request.seed % 4]


def roams(calls=2):
    return made(roaming, *[Scripted(lambda request: f"{request.seed % 3}.") for _ in "ab"], calls=calls)


def test_a_tree_holds_talks_of_different_lengths_and_no_state_twice():
    team, models = roams()
    tree = asyncio.run(grow(team, TASK, Full(4, FrozenMap({"informant": 2}))))
    made_by = {d.key: d.agent for d in tree.decisions}
    lengths = Counter(sum(made_by[key] != "main" for key in leaf.taken) for leaf in tree.leaves)
    assert set(lengths) == {0, 1, 2}
    assert len({d.key for d in tree.decisions}) == len(tree.decisions) == sum(len(m.calls) for m in models)
    draws = Counter(d.key.state for d in tree.decisions)
    agents = {d.key.state: d.agent for d in tree.decisions}
    assert all(n == (4 if agents[state] == "main" else 2) for state, n in draws.items())
    for leaf in tree.leaves:
        talk = [made_by[key] for key in leaf.taken]
        assert talk[0] == talk[-1] == "main" and leaf.stopped_by in ("answered", "max rounds")


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 4, 5])
def test_a_run_that_was_broken_off_makes_no_call_twice(kept):
    def replies():
        return made(["ada: Who?", "bob: Where?", "Answer: Rome"])

    journal = MemoryJournal()
    whole = go(replies()[0], journal=journal)
    part = MemoryJournal()
    part.entries = dict(list(journal.entries.items())[:kept])
    rest = iter([d.completion.text for d in whole.decisions[kept:]])
    shared = Scripted(lambda request: next(rest))
    team, _ = made(shared, shared, shared)
    again = go(team, journal=part)
    assert again == whole and len(shared.calls) == 5 - kept


def test_a_budget_is_never_passed():
    for calls in range(1, 6):
        team, models = made(["ada: Who?", "bob: Where?", "Answer: Rome"])
        result = go(team, budget=Budget(calls=calls))
        assert sum(len(model.calls) for model in models) == calls
        assert (result.answer, result.stopped_by) == (("Rome", "answered") if calls == 5 else (None, "budget"))


def test_saved_it_asks_as_before():
    team, _ = made([], calls=3)
    again = Team.load(team.save(), Scripted(["ada: Who?", "It was Ann.", "Answer: Ann"]))
    assert again.digest == team.digest and made([], calls=2)[0].digest != team.digest
    result = go(again)
    assert result.answer == "Ann" and [d.agent for d in result.decisions] == ["main", "ada", "main"]


SEATS = ("ada", "bob")


def follows(request):
    """Asks both, and follows film, director and city through what they said."""
    text = request.messages[-1][1]
    missing = next((name for name in SEATS if f"You asked {name}" not in text), None)
    if missing:
        return f"{missing}: What do you know?"
    film = re.search(r"director of (.*) born\?", text)[1]
    director = re.search(rf"{film} was directed by ([^.]*)\.", text)
    city = director and re.search(rf"{director[1]} was born in ([^.]*)\.", text)
    return f"Answer: {city[1] if city else 'nowhere'}"


def tells(request):
    return " ".join(request.messages[-1][1].partition("You alone know: ")[2].partition("\nTell")[0].splitlines())


def test_split_evidence_is_put_together_by_asking_alone():
    benchmark = hotpot("bridge", seats=SEATS)
    tasks = benchmark.sample(20, split="dev", level=0)
    team, _ = made(follows, tells, tells)
    done = asyncio.run(team.map(tasks))
    assert all(result.answer == task.gold for result, task in zip(done, tasks, strict=True))
    assert {result.usage.calls for result in done} == {5}
    deaf = replace(team, edges=[edge for edge in team.edges if (edge.src, edge.dst) != ("bob", "main")])
    control = asyncio.run(deaf.map(tasks))
    assert not any(result.answer == task.gold for result, task in zip(control, tasks, strict=True))


def test_without_an_expert_or_with_fewer_than_no_questions_it_is_refused():
    main = delegator(Scripted([]))
    for experts, calls in (([], 4), ([informant(Scripted([]))], -1)):
        with pytest.raises(BadInput, match="expected one expert at least, and calls >= 0"):
            delegate(main, experts, calls=calls)
