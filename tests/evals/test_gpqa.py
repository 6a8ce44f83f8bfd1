"""Shuffled options: the right one is known, stands anywhere, and stays where it is."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData
from orchestra.evals import gpqa
from orchestra.types import Task

HEADER = ["Record ID", "Question", "Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3",
          "Subdomain"]  # fmt: skip


def written(file: Path, rows: list[list[str]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([HEADER, *rows])
    return file


def made(n: int) -> list[list[str]]:
    return [[f"rec{i}", f'Which, "of\nthese", is {i}?', f" right {i}", "w1", "w2", "w3 ", "Sums"] for i in range(n)]


def right_one(task: Task) -> str:
    return next(line for line in task.prompt.split("\n") if line.startswith(f"{task.gold}. "))


def test_the_right_answer_stands_anywhere_and_is_the_gold(tmp_path: Path) -> None:
    tasks = gpqa().load(written(tmp_path / "gpqa.csv", made(400)), split="test")
    assert all(right_one(task).endswith(f"right {i}") for i, task in enumerate(tasks))
    places = Counter(task.gold for task in tasks)
    assert all(abs(places[label] - 100) < 4 * 75**0.5 for label in "ABCD")
    assert (tasks[3].id, tasks[3].family) == ("gpqa/test/rec3", "Sums")
    check_benchmark(gpqa(), loaded=tasks[:20])


def test_the_order_is_that_of_the_seed_and_the_question(tmp_path: Path) -> None:
    rows = made(60)
    first = gpqa().load(written(tmp_path / "a.csv", rows), split="test")
    backwards = gpqa().load(written(tmp_path / "b.csv", rows[::-1]), split="test")
    other = gpqa(shuffle=1).load(tmp_path / "a.csv", split="test")
    assert [task.prompt for task in first] == [task.prompt for task in backwards][::-1]
    assert sum(a.prompt != b.prompt for a, b in zip(first, other, strict=True)) > 40


@pytest.mark.parametrize("bad", [["r", "", "1", "2", "3", "4", ""], ["r", "Q", "1", "1", "3", "4", ""],
                                 ["r", "Q", "1", "2", "", "4", ""]])  # fmt: skip
def test_a_row_of_another_form_is_named(tmp_path: Path, bad: list[str]) -> None:
    with pytest.raises(BadData, match=r"gpqa\.csv:\d+: expected"):
        gpqa().load(written(tmp_path / "gpqa.csv", [*made(1), bad]), split="test")
