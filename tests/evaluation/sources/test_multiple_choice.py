"""Options: written, read back, and named by label or by words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.evaluation.benchmark import Score
from orchestra.evaluation.sources.multiple_choice import LETTERS, Fact, grade_choice, options, posed, prompt
from orchestra.types import Task

FACT = Fact(("wet",), "Which is wet?", "the sea", ["sand", "dust", "salt", "stone"])
LABELS = LETTERS[:4]


def task(texts: list[str], gold: str | None = "B") -> Task:
    labels = LETTERS[: len(texts)]
    return Task(
        "t", prompt("Which?\nA. no option", dict(zip(labels, texts, strict=True))), gold, "choice", choices=labels
    )


@given(st.lists(st.text("ab .\n\t", min_size=1).filter(str.strip), min_size=2, max_size=10))
def test_options_are_read_back_on_one_line_each(texts: list[str]) -> None:
    assert list(options(task(texts, None)).values()) == [" ".join(text.split()) for text in texts]


def test_a_posed_fact_has_its_right_answer_once_and_wrong_ones_of_its_own() -> None:
    for labels in (LETTERS[:3], LETTERS[:4], LETTERS[:5], ("1", "2", "3")):
        item = posed(FACT, labels)
        shown = options(Task("t", item.prompt, choices=item.choices))
        assert tuple(shown) == labels
        assert shown[item.gold] == "the sea"
        assert len({*shown.values()} - {"the sea"} & {*FACT.wrong}) == len(labels) - 1
        assert posed(FACT, labels) == item


def test_the_right_place_is_drawn_for_each_phrasing() -> None:
    golds = [posed(FACT._replace(question=f"Which is wet ({n})?"), LABELS).gold for n in range(400)]
    assert all(70 <= golds.count(label) <= 130 for label in LABELS)


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("Answer: B", Score(1.0, 1.0, True)),
        ("It must be the sea.", Score(0.0, 1.0, True)),
        ("Answer: THE SEA!", Score(0.0, 1.0, True)),
        ("Answer: A sea", Score(0.0, 0.0, False)),
        ("Answer: C. the sea", Score(0.0, 0.0, True)),
        ("sand or dust", Score(0.0, 0.0, False)),
        ("I would not know.", Score(0.0, 0.0, False)),
        (None, Score(0.0, 0.0, False)),
    ],
)
def test_words_count_where_no_label_is_named(reply: str | None, score: Score) -> None:
    assert grade_choice(task(["sand", "the sea", "dust"]), reply) == score


def test_an_article_before_an_option_is_no_label() -> None:
    """Read as the label A, this would be scored as sand."""
    assert grade_choice(task(["sand", "river", "dust"]), "Answer: A river") == Score(0.0, 1.0, True)


def test_options_that_say_the_same_are_both_right_by_their_words() -> None:
    assert grade_choice(task(["sea", "sea", "dust"]), "the sea") == Score(0.0, 1.0, True)


def test_without_an_answer_nothing_is_scored() -> None:
    for reply in ("Answer: B", "the sea"):
        assert grade_choice(task(["sand", "the sea"], None), reply) == Score(None, None, True)
