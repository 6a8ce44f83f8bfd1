"""Knowledge with four options: facts worked out again by other means, surface guesses, and the official files."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from generated_items import everything, official

from orchestra.errors import BadData
from orchestra.evals import mmlu
from orchestra.evaluation.sources import facts
from orchestra.evaluation.sources.multiple_choice import options
from orchestra.types import Task

METRES = {"mm": 0.001, "cm": 0.01, "m": 1.0, "km": 1000.0}
BASE = {  # each unit in a base unit of its quantity
    "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 1, "year": 12, "decade": 120,
    "century": 1200, "millimetre": 1, "centimetre": 10, "metre": 1000, "kilometre": 10**6, "gram": 1, "kilogram": 1000,
    "millilitre": 1, "litre": 1000, "inch": 1, "foot": 12, "yard": 36, "ounce": 1, "pound": 16, "pint": 1, "quart": 2,
    "gallon": 8, "piece": 1, "dozen": 12,
}  # fmt: skip
SINGULAR = {"centuries": "century", "feet": "foot", "inches": "inch", "dozen": "dozen"}


def base(unit: str) -> int:
    return BASE[SINGULAR.get(unit) or unit.removesuffix("s")]


def day(words: str) -> date:
    return datetime.strptime(f"{words} 2023", "%B %d %Y").date()


def answer(family: str, question: str, texts: list[str]) -> str:
    """What is right, from the question and the options alone."""
    numbers = list(map(int, re.findall(r"\d+", question)))
    if family == "largest":
        return max(texts, key=int)
    if family == "alphabet":
        return min(texts)
    if family == "longest":
        return max(texts, key=lambda text: float(text.split()[0]) * METRES[text.split()[1]])
    if family == "days":
        start = next(number for number, name in enumerate(facts.DAYS) if name in question)
        return (date(2024, 1, 1 + start) + timedelta(numbers[0])).strftime("%A")  # a Monday
    if family == "months":
        start = next(number for number, name in enumerate(facts.MONTHS, 1) if name in question)
        return date(2023, (start + numbers[0] - 1) % 12 + 1, 1).strftime("%B")
    if family == "units":
        _, small, n, large = re.findall(r"(How many) (\w+) are there in (\d+) (\w+)", question)[0]
        return str(int(n) * base(large) // base(small))
    if family == "mixed":
        small, n, large, rest = re.findall(r"How many (\w+) are (\d+) (\w+) and (\d+)", question)[0]
        return str(int(n) * base(large) // base(small) + int(rest))
    if family == "clock":
        hour, minute, later = numbers
        return f"{datetime(2023, 1, 1, hour, minute) + timedelta(minutes=later):%H:%M}".removeprefix("0")
    first, last = (day(f"{month} {number}") for month, number in re.findall(r"([A-Z][a-z]+) (\d+)", question))
    if family == "dates":
        return str(abs((last - first).days))
    start = next(name for name in facts.DAYS if name in question)
    return facts.DAYS[(facts.DAYS.index(start) + (last - first).days) % 7]


@pytest.mark.parametrize("family", facts.FAMILIES)
def test_the_labelled_option_is_right_and_no_other_is(family: str) -> None:
    for task in everything(mmlu(), family):
        shown = options(task)
        assert len({text.casefold() for text in shown.values()}) == 4
        assert shown[task.gold] == answer(family, task.prompt.split("\n")[0], list(shown.values())), task.prompt


@pytest.mark.parametrize("family", ["units", "mixed", "dates", "clock"])
def test_the_right_number_is_as_often_small_as_large(family: str) -> None:
    def size(text: str) -> int:
        hour, _, minute = text.rpartition(":")
        return int(hour or 0) * 60 + int(minute)

    tasks = everything(mmlu(), family)
    ranks = Counter(sorted(map(size, options(t).values())).index(size(options(t)[t.gold])) for t in tasks)
    share = len(tasks) / 4
    assert sum((ranks[rank] - share) ** 2 / share for rank in range(4)) < 16.3  # chi-square, 3 degrees, p = 0.001


def test_official_facts() -> None:
    test, dev = (mmlu().load(official("mmlu", split), split=split) for split in ("test", "dev"))
    assert (len(test), len(dev)) == (14042, 285)
    assert len({task.family for task in test}) == len({task.family for task in dev}) == 57
    assert set(Counter(task.family for task in dev).values()) == {5}
    assert Counter(task.gold for task in test) == {"D": 3776, "C": 3582, "B": 3462, "A": 3222}
    shown = next(task for task in test if task.prompt.startswith("A Mars year is approximately how many"))
    assert (options(shown), shown.gold) == ({"A": "1/2", "B": "1", "C": "2", "D": "4"}, "C")


def test_three_formats_give_the_same_tasks(tmp_path: Path) -> None:
    """Without a header as published, with one, and flat rows; a question of several lines keeps them."""
    texts = ["0", "4", "2", "6"]
    (tmp_path / "algebra_val.csv").write_text('"Which, and\nwhy?",0,4,2,6,B\n', "utf-8")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "algebra_val.csv").write_text(
        'question,choice0,choice1,choice2,choice3,answer\n"Which, and\nwhy?",0,4,2,6,1\n', "utf-8"
    )
    row = {"question": "Which, and\nwhy?", "subject": "algebra", "choices": texts, "answer": 1}
    (tmp_path / "flat.jsonl").write_text(json.dumps(row), "utf-8")
    files = (tmp_path / "algebra_val.csv", tmp_path / "b" / "algebra_val.csv", tmp_path / "flat.jsonl")
    tasks = [task for file in files for task in mmlu().load(file, split="dev")]
    assert {(task.prompt, task.gold, task.family) for task in tasks} == {
        ("Which, and\nwhy?\nA. 0\nB. 4\nC. 2\nD. 6", "B", "algebra")
    }
    assert len(tasks) == 3


@pytest.mark.parametrize("row", ["Which?,0,4,2,B", "Which?,0,4,2,6,E", 'Which?,"0,4,2,6,A'])
def test_a_row_of_another_format_is_refused_with_its_place(tmp_path: Path, row: str) -> None:
    file = tmp_path / "algebra.csv"
    file.write_text(f"Which?,0,4,2,6,A\n{row}\n", "utf-8")
    with pytest.raises(BadData, match=r"algebra\.csv:[23]: expected"):
        mmlu().load(file, split="train")


def test_the_words_of_an_option_count_only_where_no_letter_is_named() -> None:
    task = Task("t", "Which?\nA. iron\nB. gold\nC. iron\nD. A dog", "C", "choice", choices=("A", "B", "C", "D"))
    assert mmlu().score(task, "Answer: iron") == (0.0, 1.0, True)
    assert mmlu().score(task, "Answer: B. iron") == (0.0, 0.0, True)
    assert mmlu().score(task, "It must be gold.") == (0.0, 0.0, True)
    assert mmlu().score(task, "iron or gold") == (0.0, 0.0, False)
    assert mmlu().score(task, None) == (0.0, 0.0, False)
