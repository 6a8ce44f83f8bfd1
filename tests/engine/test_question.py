"""Interrupts: a question without an answer ends the run, and with one the same run goes on; nothing is called again."""

import asyncio
from dataclasses import replace

import pytest
from small_teams import ANSWERER

from orchestra.engine import START, Edge, MaxRounds, Node, Question, answer, last, run
from orchestra.engine.question import asked
from orchestra.errors import BadInput, Interrupted
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team import Team
from orchestra.trajectory.journal import MemoryJournal
from orchestra.types import Reply


async def person(view, ctx):
    said = await ctx.ask(
        f"{view.seat}: what of {view.inbox[-1].content if view.inbox else view.prompt}?", ("yes", "no")
    )
    return Reply(said, said, origin="person")


def team(model, *people):
    """A generator, then people one after another; beside them an agent that nobody waits for before the end."""
    first, beside = generator(model, name="first"), ANSWERER(model, name="beside")
    names = ["first", *people]
    edges = [Edge(START, "first"), Edge(START, "beside"), *(Edge(a, b) for a, b in zip(names, people, strict=False))]
    edges += [Edge(people[-1], "end"), Edge("beside", "end")]
    nodes = [Node("first", first), Node("beside", beside), *(Node(p, person) for p in people)]
    return Team("ask", [*nodes, Node("end", ANSWERER(model, name="end"))], edges, output=last("end"))


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_a_run_waits_for_its_answer_and_goes_on_without_a_repeated_call(schedule):
    journal, model = MemoryJournal(), Scripted(lambda r: r.messages[-1][1][:9])

    def go():
        return asyncio.run(run(team(model, "ann"), "q", journal=journal, schedule=schedule))

    first = go()
    assert (first.stopped_by, first.answer, first.error) == ("question", None, None)
    assert [(q.path, q.text) for q in first.questions] == [("ask/ann", "ann: what of q?")]
    assert len(model.calls) == 2  # the agent beside is not held up by the question
    assert go().questions == first.questions and len(model.calls) == 2
    answer(journal, first.questions[0], "yes")
    whole = go()
    assert (whole.stopped_by, whole.questions, len(model.calls)) == ("done", [], 3)
    assert [e.data["answer"] for e in whole.events if e.kind == "question"] == ["yes"]
    assert whole.messages[-2].origin == "person"


def test_questions_one_after_another():
    journal, model = MemoryJournal(), Scripted(lambda r: "7")
    for waiting, said in (("ann", "yes"), ("bob", "no")):
        made = asyncio.run(run(team(model, "ann", "bob"), "q", journal=journal))
        assert [q.path for q in made.questions] == [f"ask/{waiting}"]
        answer(journal, made.questions[0], said)
    made = asyncio.run(run(team(model, "ann", "bob"), "q", journal=journal))
    assert made.stopped_by == "done" and len(model.calls) == 3


def test_a_person_who_is_there_is_asked_and_the_answer_kept():
    heard = []

    async def ask(question):
        heard.append(question)
        return "no"

    journal, model = MemoryJournal(), Scripted(lambda r: "7")
    made = asyncio.run(run(team(model, "ann"), "q", journal=journal, ask=ask))
    again = asyncio.run(run(team(model, "ann"), "q", journal=journal))
    assert made == again and heard == [Question("ann: what of 7?", ("yes", "no"))]


def test_an_answer_that_is_no_option_is_refused():
    journal = MemoryJournal()
    made = asyncio.run(run(team(Scripted(lambda r: "7"), "ann"), "q", journal=journal))
    with pytest.raises(BadInput, match="expected one of yes, no, got 'maybe'"):
        answer(journal, made.questions[0], "maybe")
    with pytest.raises(Interrupted, match="waits for its answer: sure"):
        asyncio.run(asked(None)([Question("sure?")]))


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_people_who_are_asked_at_the_same_time_all_wait(schedule):
    names = ("ann", "bob", "cem")
    team = Team("all", [Node(n, person) for n in names], [Edge(START, n) for n in names], output=last("cem"))
    journal = MemoryJournal()
    made = asyncio.run(run(team, "q", journal=journal, schedule=schedule))
    assert [q.path for q in made.questions] == [f"all/{n}" for n in names]
    for question in reversed(made.questions):
        answer(journal, question, "no")
    assert asyncio.run(run(team, "q", journal=journal, schedule=schedule)).answer == "no"


def test_a_question_within_a_team_within_a_team():
    inner = replace(team(Scripted(lambda r: "7", name="in"), "ann"), name="inner")
    outer = Team(
        "outer", [Node("inner", inner), Node("after", ANSWERER(Scripted(lambda r: "8"), name="after"))],
        [Edge(START, "inner"), Edge("inner", "after"), Edge("after", "inner", "temporal")], MaxRounds(2), last("after"),
    )  # fmt: skip
    journal, asked_for = MemoryJournal(), []
    while (made := asyncio.run(run(outer, "q", journal=journal))).questions:
        asked_for += [q.path for q in made.questions]
        answer(journal, made.questions[0], "yes")
    assert asked_for == ["outer/inner/ann", "outer/inner:1/ann"] and made.answer == "8"
