"""The official scorer's rules for numbers, lists and text, and where ours is stricter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData
from orchestra.evals import gaia
from orchestra.evals.gaia import right
from orchestra.evaluation.benchmark import Score
from orchestra.types import Task


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        ("$1,000", "1000", True),
        ("17%", "17", True),
        ("17.0", "17", True),
        ("seventeen", "17", False),
        ("about 17", "17", False),
        ("a, B", "A,b", True),
        ("a; b", "a, b", True),
        ("b, a", "a, b", False),
        ("a", "a, b", False),
        ("$2, 3", "2, 3", True),
        ("a!, b", "a, b", False),  # in a list punctuation counts
        ("St. Petersburg!", "saint petersburg", False),
        ("Sea-Gull", "seagull", True),
        ("", "", False),
        ("", "!", False),
        ("anything", "inf", False),  # the official rule: what is no number is infinite
        ("INF", "inf", True),
        ("nan", "nan", True),
    ],
)
def test_the_rule_looks_at_the_gold(answer: str, gold: str, expected: bool) -> None:
    assert right(answer, gold) is expected


def test_strict_is_the_last_line_that_the_paper_asks_for() -> None:
    task = Task("t", "Which?", "2, 3")
    assert gaia().score(task, "They are small.\nFINAL ANSWER: 2, 3") == Score(1.0, 1.0, True)
    assert gaia().score(task, "They are small.\nAnswer: 2, 3") == Score(1.0, 1.0, True)
    assert gaia().score(task, "FINAL ANSWER: 2, 3\nDone.") == Score(0.0, 1.0, True)
    assert gaia().score(task, "FINAL ANSWER: 3") == Score(0.0, 0.0, True)
    assert gaia().score(task, None) == Score(0.0, 0.0, False)


@given(st.text(), st.text(min_size=1))
def test_no_text_raises_and_strict_right_is_flexible_right(text: str, gold: str) -> None:
    strict, flexible, _ = gaia().score(Task("t", "?", gold), text)
    assert strict is not None
    assert flexible is not None
    assert strict <= flexible


def test_loads_rows_and_scores_no_hidden_answer(tmp_path: Path) -> None:
    file = tmp_path / "metadata.jsonl"
    rows = [
        {"task_id": "a", "Question": "Which?", "Level": 1, "Final answer": "red", "file_name": ""},
        {"task_id": "b", "Question": "Which?", "Level": 2, "Final answer": "?", "file_name": "b.xlsx"},
    ]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    shown, hidden = gaia().load(file, split="test")
    assert (shown.id, shown.gold, shown.family) == ("gaia/test/a", "red", "level-1")
    assert (hidden.prompt, hidden.gold) == ("Which?\nFile: b.xlsx", None)
    assert gaia().score(hidden, "FINAL ANSWER: ?") == Score(None, None, True)
    check_benchmark(gaia(), loaded=[shown])
    file.write_text(json.dumps({"task_id": "a", "Question": "Which?"}), "utf-8")
    with pytest.raises(BadData, match=r"metadata\.jsonl:1: expected"):
        gaia().load(file, split="test")
