"""Trivia: the official normal form and scores by hand, and the published files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from generated_items import official
from hypothesis import given
from hypothesis import strategies as st

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData, BadInput
from orchestra.evals import triviaqa
from orchestra.evals.triviaqa import TriviaQA, f1, match, normal
from orchestra.evaluation.benchmark import Score
from orchestra.types import Task

SUNSET = Task("t", "Which musical?", ("Sunset Boulevard", "Sunset Blvd", "sunset blvd"), "text", split="dev")


def right(task: Task) -> str:
    return f"Answer: {task.gold[-1]}"


def wrong(task: Task) -> str:
    return f"Answer: not {task.gold[0]}"


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("The  Beatles!", "beatles"),
        ("rock-n-roll", "rock n roll"),
        ("Sunset_Blvd.", "sunset blvd"),
        ("\u2018A\u2019 an the", ""),
        ("Anna", "anna"),
        ("", ""),
    ],
)
def test_the_normal_form_has_spaces_for_punctuation(answer: str, form: str) -> None:
    assert normal(answer) == form


def test_a_dot_parts_words_as_in_the_official_score_and_not_as_in_that_of_hotpotqa() -> None:
    assert not match("U.S.", ("us",))
    assert match("U.S.", ("u s",))


@pytest.mark.parametrize(
    ("answer", "aliases", "expected"),
    [
        ("sunset", ("Sunset Blvd",), 2 / 3),
        ("sunset sunset", ("Sunset Blvd",), 0.5),
        ("Paris", ("London", "Paris France"), 2 / 3),
        ("Paris", ("London",), 0.0),
        (None, ("London",), 0.0),
        ("Paris", (), 0.0),
    ],
)
def test_f1_is_of_words_and_the_best_alias(answer: str | None, aliases: tuple[str, ...], expected: float) -> None:
    assert f1(answer, aliases) == pytest.approx(expected)


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3))
def test_a_match_has_full_f1(answer: str, aliases: list[str]) -> None:
    assert 0.0 <= f1(answer, aliases) <= 1.0
    assert f1(answer, aliases) == 1.0 or not match(answer, aliases)
    assert normal(normal(answer)) == normal(answer)


def test_no_answer_is_wrong_even_where_an_alias_is_empty() -> None:
    """As an alias such as "The A" is, of which the normal form leaves nothing."""
    task = Task("t", "?", ("The A", "x"), "text")
    for reply in ("Answer: the", "", None):
        assert triviaqa().score(task, reply)[:2] == (0.0, 0.0)


def test_scores() -> None:
    assert triviaqa().score(SUNSET, "Answer: the sunset blvd.") == Score(1.0, 1.0, True)
    assert triviaqa().score(SUNSET, "I think so.\nThe answer is **Sunset Blvd**.\nBye.") == Score(0.0, 1.0, True)
    assert triviaqa().score(SUNSET, "Answer: Cats") == Score(0.0, 0.0, True)
    assert triviaqa().score(Task("t", "?"), "Answer: Cats") == Score(None, None, True)


def test_official_facts() -> None:
    """The sample prediction of the authors is right; a row of the converted subset carries its aliases."""
    [task] = triviaqa().load(official("triviaqa", "triviaqa_sample.json"), split="dev")
    assert (task.id, task.gold[0]) == ("triviaqa/dev/tc_33", "Sunset Boulevard")
    [said] = json.loads(official("triviaqa", "sample_predictions.json").read_text("utf-8")).values()
    assert triviaqa().score(task, said) == Score(1.0, 1.0, True)
    tasks = triviaqa().load(official("triviaqa", "triviaqa_sm_sub.llmfoundry.jsonl"), split="dev")
    assert len(tasks) == 3000
    assert tasks[0].prompt == "Brunswick, Lancastrian and Pearl Pickler are types of which vegetable?"
    assert {"Onion", "Spanish onion"} <= set(tasks[0].gold)
    right_answers = [triviaqa().score(task, right(task)) for task in tasks if normal(task.gold[-1])]
    assert set(right_answers) == {Score(1.0, 1.0, True)}


def test_flat_rows_are_read_and_others_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    answer = {"value": "Cats", "aliases": ["The Cats"], "normalized_aliases": ["cats"]}
    file.write_text(json.dumps({"question": "Which?", "question_id": "tc_1", "answer": answer}), "utf-8")
    [task] = triviaqa().load(file, split="train")
    assert (task.id, task.prompt, task.gold) == ("triviaqa/train/tc_1", "Which?", ("Cats", "The Cats", "cats"))
    for row in ({"question": "Which?"}, {"answer": "Cats"}, {"question": "Which?", "answer": {"aliases": []}}):
        file.write_text(json.dumps(row), "utf-8")
        with pytest.raises(BadData, match=r"rows\.jsonl:1: expected"):
            triviaqa().load(file, split="train")


def test_there_is_no_sample() -> None:
    with pytest.raises(BadInput, match=r"triviaqa generates no tasks; fix: --data FILE"):
        triviaqa().sample(1, split="test")
    with pytest.raises(BadInput, match="generates no tasks"):
        check_benchmark(triviaqa())
    check_benchmark(triviaqa(), loaded=[SUNSET], right=right, wrong=wrong)


class GivesHalf(TriviaQA):
    """Scores what it could not read."""

    def score(self, task: Task, text: str | None) -> Score:
        return super().score(task, text) if text else Score(0.5, 0.5, False)


def test_the_contract_is_kept_by_loaders_too() -> None:
    with pytest.raises(AssertionError, match="must score"):
        check_benchmark(GivesHalf(), loaded=[SUNSET], right=right, wrong=wrong)
