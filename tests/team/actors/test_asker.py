"""Which line of a reply is a question, and to whom; what an asked actor may spend."""

from hypothesis import given
from hypothesis import strategies as st

from orchestra.models.scripted import Scripted
from orchestra.roles import informant
from orchestra.team.actors.asker import Asked, Exchange, addressed
from orchestra.types import Message, View

NAMES = ("ada", "bob", "Cy-2")


def test_the_first_line_to_an_expert_is_the_question():
    assert addressed("Hm: let me see.\n  CY-2 : When: 9 or 10? \nada: Who?", NAMES) == Exchange(
        "Cy-2", "When: 9 or 10?"
    )
    assert addressed("ada:\nbob: Who?", NAMES) == Exchange("bob", "Who?"), "a name alone asks nothing"
    assert addressed("ask ada: Who?", NAMES).expert == ""


@given(st.text(alphabet="adbo cy-2:\n?A", max_size=40))
def test_a_reply_asks_one_of_those_there_are_or_nobody(said):
    """Told another way: the lines that begin with a name, a colon and a word, in order."""
    asked = []
    for line in said.splitlines():
        for name in NAMES:
            stripped = line.strip()
            rest = stripped[len(name) :].lstrip()
            if stripped.lower().startswith(name.lower()) and rest.startswith(":") and rest[1:].strip():
                asked.append((name, rest[1:].strip()))
    found = addressed(said, NAMES)
    if asked:
        assert found == Exchange(*asked[0])
    else:
        assert (found.expert, found.question) == ("", said) and "ada, bob, Cy-2" in found.reply


def test_its_worst_case_is_that_of_its_question():
    """And not of the prompt of its team, which it does not see."""
    agent = informant(Scripted([]), name="ada")
    asked = View("a prompt " * 500, (Message("m", "main", 0, "Who?"),), private="a line")
    assert Asked(agent).bound(asked) == agent.bound(View("Who?", private="a line"))
    assert Asked(agent).bound(asked) != agent.bound(asked)
    assert Asked(agent).speaker() == agent.speaker()
