"""A person in a team: an interrupt ends the run, an answer lets it go on, and no call is made twice."""

import asyncio
from itertools import pairwise

import pytest
from random_runs import transcript
from small_teams import ANSWERER

from orchestra.engine import START, Edge, Node, Question, answer, last, run
from orchestra.errors import BadInput, BadRole
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team import Team
from orchestra.team.actors.fallback import Fallback
from orchestra.team.actors.person import Person
from orchestra.team.actors.retry import Retry
from orchestra.topologies import chain
from orchestra.trajectory.journal import MemoryJournal

ANN = Person("ann", "Is {{ inbox[-1].content }} right for {{ prompt }}?", ("yes", "no"))
BOB = Person("bob")


def team(model, *people, beside=True):
    """A generator, people one after another, and an end; an agent beside them that only the end waits for."""
    names = ["first", *(person.name for person in people), "end"]
    nodes = [Node("first", generator(model, name="first")), *(Node(person.name, person) for person in people)]
    edges = [Edge(START, "first"), *(Edge(a, b) for a, b in pairwise(names))]
    if beside:
        nodes.append(Node("beside", ANSWERER(model, name="beside")))
        edges += [Edge(START, "beside"), Edge("beside", "end")]
    return Team("t", [*nodes, Node("end", ANSWERER(model, name="end"))], edges, output=last("end"))


def model():
    return Scripted(lambda r: "91", delay=lambda r: (r.seed % 3) / 2000)


@pytest.mark.parametrize("schedule", ["sequential", "speculative"])
def test_two_people_one_after_another_and_a_sibling_beside(schedule):
    journal, said = MemoryJournal(), model()

    def go():
        return asyncio.run(run(team(said, ANN, BOB), "34 + 57", journal=journal, schedule=schedule))

    first = go()
    assert (first.stopped_by, first.answer, first.error) == ("question", None, None)
    assert [(q.path, q.text) for q in first.questions] == [("t/ann", "Is 91 right for 34 + 57?")]
    assert len(said.calls) == 2  # `first` and `beside`, which does not wait for the answer
    answer(journal, first.questions[0], "yes")
    second = go()
    assert [(q.path, q.text) for q in second.questions] == [("t/bob", "34 + 57\nann: yes")] and len(said.calls) == 2
    answer(journal, second.questions[0], " fine \n")
    whole = go()
    assert (whole.stopped_by, whole.answer, whole.questions, len(said.calls)) == ("done", "91", [], 3)
    spoken = {m.sender: (m.content, m.answer, m.origin) for m in whole.messages}
    assert spoken["ann"] == ("yes", "yes", "person") and spoken["bob"] == ("fine", "fine", "person")
    assert go() == whole and len(said.calls) == 3


def test_two_people_beside_each_other_are_both_answered():
    """Each waits under a key of its own; none is asked again once it has an answer."""
    journal, said = MemoryJournal(), model()
    nodes = [Node("ann", Person("ann")), Node("bob", BOB), Node("end", ANSWERER(said, name="end"))]
    edges = [Edge(START, "ann"), Edge(START, "bob"), Edge("ann", "end"), Edge("bob", "end")]
    both = Team("t", nodes, edges, output=last("end"))
    asked = []
    for _ in range(3):
        made = asyncio.run(run(both, "q", journal=journal))
        for question in made.questions:
            asked.append(question.path)
            answer(journal, question, "sure")
    assert sorted(asked) == ["t/ann", "t/bob"] and made.stopped_by == "done" and len(said.calls) == 1
    assert made.decisions[0].request.messages[-1][1] == "end@0 ann=sure bob=sure"


def test_a_person_who_is_there_is_asked_at_once():
    heard = []

    async def ask(question):
        heard.append(question)
        return "no"

    made = asyncio.run(run(team(model(), ANN), "q", ask=ask))
    assert made.stopped_by == "done" and heard == [Question("Is 91 right for q?", ("yes", "no"))]


def test_answered_later_or_at_once_it_is_one_transcript():
    async def ask(question):
        return "no"

    journal = MemoryJournal()
    waiting = asyncio.run(run(team(model(), ANN), "q", journal=journal)).questions[0]
    answer(journal, waiting, "no")
    later = asyncio.run(run(team(model(), ANN), "q", journal=journal))
    assert transcript(later) == transcript(asyncio.run(run(team(model(), ANN), "q", ask=ask)))


def test_silence_is_no_failure():
    """Nobody is asked in their place, and nobody is asked again."""
    said = model()
    for actor in (Retry(ANN, base=0), Fallback([ANN, generator(said, name="spare")])):
        both = Team(
            "t", [Node("first", generator(said)), Node("ann", actor)], [Edge(START, "first"), Edge("first", "ann")]
        )
        made = asyncio.run(run(both, "q"))
        assert (made.stopped_by, len(made.questions)) == ("question", 1)
    assert len(said.calls) == 2


def test_only_an_option_is_taken():
    journal = MemoryJournal()
    made = asyncio.run(run(team(model(), ANN), "q", journal=journal))
    with pytest.raises(BadInput, match="expected one of yes, no, got 'maybe'"):
        answer(journal, made.questions[0], "maybe")


def test_an_empty_answer_abstains():
    async def ask(question):
        return "  "

    made = asyncio.run(run(Team("t", [Node("bob", BOB)], [Edge(START, "bob")]), "q", ask=ask))
    assert (made.answer, made.messages[0].content) == (None, "")


def test_a_prompt_only_reads():
    with pytest.raises(BadRole, match="person 'eve': unknown variable secret"):
        Person("eve", "{{ secret }}")


def test_a_person_is_saved_and_stands_in_a_chain():
    made = chain(generator(Scripted([]), name="first"), ANN, BOB)
    assert [n.name for n in made.nodes] == ["first", "ann", "bob"]
    assert Team.load(made.save(), Scripted([])).digest == made.digest
