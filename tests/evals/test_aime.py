"""Integers from 0 to 999, in a box or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData
from orchestra.evals import aime
from orchestra.evaluation.benchmark import Score
from orchestra.types import Task

TASK = Task("t", "How many?", "25", "number")


@pytest.mark.parametrize(
    ("text", "strict", "flexible"),
    [
        (r"so it is $\boxed{025}$.", 1.0, 1.0),
        (r"\boxed{24}, no: \boxed{25}", 1.0, 1.0),
        (r"\boxed{25}, no: \boxed{24}", 0.0, 0.0),
        (r"\boxed{25.0}", 0.0, 1.0),
        (r"\boxed{x = 25}", 0.0, 1.0),
        (r"\boxed{2", 0.0, 0.0),
        ("Answer: 25", 1.0, 1.0),
        ("There are 25 of them.", 0.0, 1.0),
        ("There are 250 of them.", 0.0, 0.0),
    ],
)
def test_boxes_and_other_forms(text: str, strict: float, flexible: float) -> None:
    assert aime().score(TASK, text)[:2] == (strict, flexible)


def test_failed_unparsed_and_unscored() -> None:
    assert aime().score(TASK, None) == Score(0.0, 0.0, False)
    assert aime().score(TASK, "I cannot tell.") == Score(0.0, 0.0, False)
    assert aime().score(Task("t", "?", None, "number"), r"\boxed{25}") == Score(None, None, True)


@given(st.text() | st.text(alphabet=r"\boxed{}0123456789 ", max_size=30))
def test_no_text_raises_and_strict_right_is_flexible_right(text: str) -> None:
    strict, flexible, parsed = aime().score(TASK, text)
    assert strict is not None
    assert flexible is not None
    assert strict <= flexible <= float(parsed)


def test_loads_both_spellings_and_refuses_what_is_no_answer(tmp_path: Path) -> None:
    file = tmp_path / "aime.jsonl"
    rows = [{"ID": "2030-I-1", "Problem": "One?", "Answer": 7}, {"problem": "Two?", "answer": "070"}]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    tasks = aime().load(file, split="test")
    assert [(task.id, task.gold) for task in tasks] == [("aime/test/aime:2030-I-1", "7"), ("aime/test/aime:2", "70")]
    check_benchmark(aime(), loaded=tasks)
    for answer in (1000, "-1", "7.5", None):
        file.write_text(json.dumps({"Problem": "?", "Answer": answer}), "utf-8")
        with pytest.raises(BadData, match=r"aime\.jsonl:1: expected"):
            aime().load(file, split="test")
