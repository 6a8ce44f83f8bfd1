"""Exact match and F1 of short answers, against hand-written values and a second way to count."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.evaluation.benchmark import Score
from orchestra.evaluation.sources.squad import exact, f1, score, words


def counted(answer: str, gold: str) -> float:
    """F1 by striking out words one by one."""
    bare = ["".join(c for c in text.lower() if c not in string.punctuation) for text in (answer, gold)]
    said, wanted = (
        re.sub(r"\b(a|an|the)\b", " ", text).split() or text.split() or whole.split()
        for text, whole in zip(bare, (answer, gold), strict=True)
    )
    if said != wanted and {" ".join(said), " ".join(wanted)} & {"yes", "no", "noanswer"}:
        return 0.0
    left, common = list(wanted), 0
    for word in said:
        if word in left:
            left.remove(word)
            common += 1
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize(
    ("answer", "gold", "em", "overlap"),
    [
        ("The Chief of Protocol!", "chief of protocol", True, 1.0),
        ("Protocol of Chief", "Chief of Protocol", False, 1.0),
        ("chief", "Chief of Protocol", False, 0.5),
        ("yes", "Yes.", True, 1.0),
        ("Yes, both are American", "yes", False, 0.0),
        ("no", "no one", False, 0.0),
        ("U.S.", "us", True, 1.0),  # TriviaQA's normal form has it otherwise
        ("", "", False, 0.0),
        ("the", "a", False, 0.0),
        ("the the", "The The", True, 1.0),  # the gold of one question of HotpotQA
    ],
)
def test_known_answers(answer: str, gold: str, em: bool, overlap: float) -> None:
    assert exact(answer, gold) is em
    assert f1(answer, gold) == pytest.approx(overlap)


@given(st.text(alphabet="ab the.no yes-", max_size=20), st.text(alphabet="ab the.no yes-", max_size=20))
def test_f1_is_the_other_count_symmetric_and_one_where_em_is(answer: str, gold: str) -> None:
    assert f1(answer, gold) == pytest.approx(counted(answer, gold)) == pytest.approx(f1(gold, answer))
    assert 0.0 <= f1(answer, gold) <= 1.0
    if exact(answer, gold):
        assert f1(answer, gold) == 1.0 == f1(gold, answer)
        assert words(answer) == words(gold)


@given(st.text(), st.text())
def test_no_text_raises_and_strict_right_is_flexible_right(text: str, gold: str) -> None:
    for partial in (False, True):
        strict, flexible, parsed = score(gold, text, partial=partial)
        assert strict is not None
        assert flexible is not None
        assert 0.0 <= strict <= flexible <= 1.0
        assert parsed or flexible == 0.0


def test_strict_flexible_partial_and_unscored() -> None:
    assert score("Red Door", "Answer: the red door") == Score(1.0, 1.0, True)
    assert score("Red Door", "I think so.\nThe answer is Red Door.") == Score(0.0, 1.0, True)
    assert score("Red Door", "Answer: Red") == Score(0.0, 0.0, True)
    assert score("Red Door", "Answer: Red", partial=True).flexible == pytest.approx(2 / 3)
    assert score("Red Door", None) == Score(0.0, 0.0, False)
    assert score(None, "Answer: Red") == Score(None, None, True)
