"""Rankings and ratings as they are read: leniently, but never what is not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.team.ranking import Rated, places, rated, rated_answer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("1, 2", (0, 1)), ("[3,1]", (2, 0)), ("2 2", (1,)), ("Best: 4\n2. second", (3, 1)), ("", ()), ("0", ()),
        ("none", ()), ("1234567", ()), ("99", (98,)),
    ],
)  # fmt: skip
def test_places(said, expected):
    assert places(said) == expected


@given(st.permutations(range(7)))
def test_a_ranking_is_read_back(order):
    assert places(" > ".join(str(place + 1) for place in order)) == tuple(order)


@pytest.mark.parametrize(
    ("said", "answer", "scores"),
    [
        ("Answer: 91\nRatings: 5 1 4", "91", (5, 1, 4)),
        ("The answer is 91. Ratings: [5, 1, 4]", "91", (5, 1, 4)),
        ("It is 91.\n[[Ratings]]: 5,1,4.", "91", (5, 1, 4)),
        ("91\nrating 3", "91", (3,)),
        ("91\nRatings: 5/1/4\nI am sure, 2 times.", "91", (5, 1, 4)),
        ("Ratings: 3 3\nAnswer: 91\nRatings: 5 1", "91", (5, 1)),
        ("91\nRatings: 6 0 7 10 2.5 45", "91", ()),
        ("91\nRatings: none", "91", ()),
        ("It is 91.", "91", ()),
        ("I give it a rating of 3. It is 91.", "91", ()),
        ("Ratings: 5 5", None, (5, 5)),
        ("", None, ()),
    ],
)
def test_ratings(said, answer, scores):
    parsed = rated(said)
    assert (parsed.answer, parsed.scores, parsed.ratings, rated_answer(parsed)) == (answer, scores, {}, answer)


def test_what_was_said_is_without_the_ratings():
    assert rated(" It is 91.\n\nRatings: 5 1 ") == Rated("It is 91.", "91", (5, 1))
    assert rated(" It is 91. ") == Rated("It is 91.", "91") and rated("Ratings: 5") == Rated("", None, (5,))


@given(st.text(max_size=200))
def test_whatever_is_said_scores_are_from_1_to_5(said):
    assert set(rated(said).scores) <= {1, 2, 3, 4, 5} and rated(f"{said}\nRatings: 2 4").scores == (2, 4)
