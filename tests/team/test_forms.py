"""Forms of replies: numbers, verdicts and own words."""

import pytest

from orchestra.errors import Unparseable
from orchestra.team import Verdict, number, own_words, verdict
from orchestra.types import View


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("Yes.", True),
        ("No, it is 91.", False),
        ("The answer is correct.", True),
        ("That is not right", False),
        ("It isn't correct.", False),
        ("It isn’t right.", False),
        ("INCORRECT", False),
        ("That is wrong.", False),
        ("It is not wrong.", True),
        ("Yes. It is not right to doubt that.", True),
        ("No: the sum is right, the sign is not.", False),
    ],
)
def test_the_first_word_that_judges_is_the_verdict(said, right):
    assert verdict(f"  {said}\n") == Verdict(right, said)


@pytest.mark.parametrize("said", ["", "Perhaps.", "yesterday I noted rights and nothing", "¡sí!"])
def test_no_judgement_is_unparseable_and_quoted(said):
    with pytest.raises(Unparseable, match="expected a verdict that says yes or no"):
        verdict(said)


@pytest.mark.parametrize(("said", "found"), [("34 + 57 makes 91.", "91"), ("none", None), ("#### 1,234", "1234")])
def test_number(said, found):
    assert number(said) == found


def test_own_words_are_remembered_as_they_were():
    assert own_words(View("q"), "I said 4.") == "I said 4."


@pytest.mark.parametrize(
    ("said", "kind", "choices", "answer"),
    [
        ("I think it is (B).", "choice", (), "B"),
        ("No, they never met.", "choice", ("yes", "no"), "no"),
        ("Answer: Paris", "text", (), "Paris"),
        ("It is 91.", "number", (), "91"),
    ],
)
def test_a_role_answers_in_the_kind_of_its_tasks(said, kind, choices, answer):
    from orchestra.roles import debater, peer, verifier

    for role in (debater, peer):
        assert role.answering(kind, choices).reply(said, View("?")).answer == answer
    assert verifier.answering(kind, choices) == verifier, "a verdict is no answer"


def test_a_rating_is_read_beside_an_answer_of_any_kind():
    from orchestra.roles import peer

    reply = peer.answering("choice").reply("It is (C).\nRatings: 5 1", View("?"))
    assert (reply.answer, reply.parsed.scores) == ("C", (5, 1))
