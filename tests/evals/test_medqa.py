"""The official file, its counts, and rows that are not of its form."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData, BadInput
from orchestra.evals import medqa

OFFICIAL = Path(__file__).parents[3] / "shared" / "data" / "medqa" / "test.jsonl"
ROW = {"question": "Which?", "options": {"A": "one", "B": "two", "C": "three", "D": "four"}, "answer_idx": "B"}


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official file is not beside the repository")
def test_loads_the_official_file() -> None:
    tasks = medqa().load(OFFICIAL, split="test")
    assert len(tasks) == 1273 == len({task.prompt for task in tasks})
    assert Counter(task.family for task in tasks) == {"step1": 679, "step2&3": 594}
    assert Counter(task.gold for task in tasks) == {"A": 353, "C": 346, "B": 309, "D": 265}
    assert tasks[0].gold == "B"
    assert "\nB. Tell the attending that he cannot fail to disclose this mistake\n" in tasks[0].prompt
    assert medqa().score(tasks[0], "Tell the attending that he cannot fail to disclose this mistake")[:2] == (0.0, 1.0)
    check_benchmark(medqa(), loaded=tasks[::20])
    with pytest.raises(BadInput, match="--split test"):
        medqa().load(OFFICIAL, split="train")


def test_five_options_and_options_in_another_order(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    options = {"E": "five", "B": "two", "A": "one", "C": "three", "D": "four"}
    file.write_text(json.dumps({**ROW, "options": options, "answer_idx": "E"}), "utf-8")
    [task] = medqa().load(file, split="train")
    assert task.prompt == "Which?\nA. one\nB. two\nC. three\nD. four\nE. five"
    assert (task.gold, task.choices) == ("E", ("A", "B", "C", "D", "E"))


@pytest.mark.parametrize(
    "change",
    [{"answer_idx": "E"}, {"answer": "one"}, {"options": {"A": "one"}}, {"options": ["one"]}, {"question": 1},
     {"options": {"A": "one", "B": "two", "C": "three", "X": "four"}}],
    ids=str,
)  # fmt: skip
def test_a_row_of_another_form_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, **change}), "utf-8")
    with pytest.raises(BadData, match=r"rows\.jsonl:2: expected"):
        medqa().load(file, split="train")


def test_there_is_no_sample() -> None:
    with pytest.raises(BadInput, match="medqa has no sample of its own; fix: --data FILE"):
        medqa().sample(1, split="test")
