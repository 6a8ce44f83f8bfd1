"""Each answer once: first come, by kind; what an agent would have cost on that view is its worst case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.answers import equal
from orchestra.models.scripted import Scripted
from orchestra.roles import debater
from orchestra.team.actors.distinct import Distinct, Same, distinct
from orchestra.types import Message, View

ANSWERS = st.lists(st.sampled_from(["1", "1.0", "1,000", "1000", "2", None, ""]), max_size=12)


def messages(answers):
    return tuple(Message(str(i), f"n{i}", 0, f"{i}", answer=answer) for i, answer in enumerate(answers))


@given(ANSWERS, st.sampled_from(["number", "text", "choice", "code"]))
def test_one_message_of_each_class_and_the_first(answers, kind):
    inbox = messages(answers)
    shown = distinct(inbox, kind)
    assert shown == tuple(m for i, m in enumerate(inbox) if not any(equal(m.answer, b.answer, kind) for b in inbox[:i]))
    assert distinct(shown, kind) == shown


def test_its_worst_case_is_that_of_what_it_shows():
    agent, view = debater(Scripted([])), View("q", messages(["1", "1.0", "2"]))
    whole, once = Distinct(agent, "code"), Distinct(agent, "number")
    assert whole.bound(view) == agent.bound(view)
    assert once.bound(view).tokens_in < whole.bound(view).tokens_in
    assert (once.name, once.speaker()) == ("debater", agent.speaker())


@pytest.mark.parametrize(("kind", "same"), [("number", True), ("code", False)])
def test_sameness_is_that_of_answers(kind, same):
    assert Same(kind)("18", "18.0") is same
