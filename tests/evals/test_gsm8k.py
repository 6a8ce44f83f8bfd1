"""Word problems: our own, solved again from their words, and the official files."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from generated_items import everything, official

from orchestra.errors import BadData, BadInput
from orchestra.evals import gsm8k
from orchestra.evals._word_problems import LEVELS
from orchestra.evals.gsm8k import solve
from orchestra.evaluation.benchmark import Score

# From the numbers in the order in which the story tells them, by other means than the generator's steps.
SOLUTIONS: dict[str, Callable[..., int | Fraction]] = {
    "find": lambda a, b: a + b,
    "give": lambda a, b: a - b,
    "both": lambda a, b: a + b,
    "rows": lambda a, b: a * b,
    "ages": lambda a, b: a - b,
    "share": lambda a, b: Fraction(a, b),
    "boxes": lambda a, b: a * b,
    "want": lambda a, b: a - b,
    "pages": lambda a, b: a - b,
    "school": lambda a, b: a + b,
    "tickets": lambda a, b: a * b,
    "bags": lambda a, b: Fraction(a, b),
    "walks": lambda a, b: a * b,
    "sold": lambda a, b: a - b,
    "times": lambda a, b: a * b,
    "rope": lambda a, b: Fraction(a, b),
    "packs": lambda had, packs, each: had + packs * each,
    "loses": lambda a, b, c: a + b - c,
    "pens": lambda had, pens, price: had - pens * price,
    "party": lambda a, b, children: Fraction(a + b, children),
    "bus": lambda a, off, on: a - off + on,
    "cakes": lambda a, times: a * (1 + times),
    "years": lambda a, older, later: a + older + later,
    "fence": lambda a, b: 2 * a + 2 * b,
    "muffins": lambda trays, each, eaten, price: (trays * each - eaten) * price,
    "wages": lambda hours, days, wage, spent: hours * days * wage - spent,
    "farm": lambda cows, times, sold: cows * (1 + times) - sold,
    "stationery": lambda a, b, c, d: a * b + c * d,
    "vans": lambda children, adults, seats, price: Fraction(children + adults, seats) * price,
    "bike": lambda a, weeks, gift, price: price - gift - a * weeks,
    "tank": lambda a, buckets, litres, back: a + back - buckets * litres,
    "reader": lambda monday, more, wednesday: 2 * monday + more + wednesday,
    "pears": lambda a, b, c, d, eaten: a * b + c * d - eaten,
    "cinema": lambda a, b, c, d, paid: paid - a * b - c * d,
    "runner": lambda a, five, b, two, weeks: (five * a + two * b) * weeks,
    "store": lambda boxes, each, given, bag, price: Fraction(boxes * each - given, bag) * price,
    "three": lambda a, times, fewer: a + 2 * a * times - fewer,
    "weekend": lambda wage, more, week, weekend: wage * (week + weekend) + more * weekend,
    "shelves": lambda a, b, c, d, shelves: Fraction(a * b + c * d, shelves),
    "gate": lambda a, b, price, gate: 2 * (a + b) * price + gate,
}


@pytest.mark.parametrize("family", SOLUTIONS)
def test_the_story_alone_gives_the_answer(family: str) -> None:
    for task in everything(gsm8k(), family):
        numbers = list(map(int, re.findall(r"\d+", task.prompt)))
        if family == "runner":  # {a} on each of the 5 weekdays, {b} on each of the 2 days
            assert numbers[1::2][:2] == [5, 2]
        assert str(SOLUTIONS[family](*numbers)) == task.gold, task.prompt
        assert int(task.gold) > 0


def test_there_are_forty_templates_of_one_to_four_steps() -> None:
    assert {name for level in LEVELS for name in level} == set(SOLUTIONS)
    steps = [{template.steps.count(";") + 1 for template in level.values()} for level in LEVELS]
    assert steps == [{1}, {1}, {2}, {3}, {4}]
    assert sum(map(len, LEVELS)) == 40


def test_a_step_that_gives_no_whole_number_above_zero_gives_nothing() -> None:
    assert solve("a + b; x * 2", {"a": 3, "b": 4}) == [7, 14]
    assert solve("a - b", {"a": 3, "b": 3}) is solve("a / b", {"a": 3, "b": 2}) is None


def test_official_facts() -> None:
    """All 1,319 golds are whole numbers, two of them negative; no question of test is in train."""
    test = gsm8k().load(official("gsm8k", "test.jsonl"), split="test")
    train = gsm8k().load(official("gsm8k", "train.jsonl"), split="train")
    assert (len(test), len(train)) == (1319, 7473)
    assert all(str(int(task.gold)) == task.gold for task in test)
    assert sorted(int(task.gold) for task in test if int(task.gold) < 0) == [-10, -3]
    assert not {task.prompt for task in test} & {task.prompt for task in train}
    assert test[0].gold == "18"
    rows = [json.loads(line) for line in official("gsm8k", "test.jsonl").read_text("utf-8").splitlines()]
    assert sum("," in row["answer"].split("#### ")[1] for row in rows) == 14
    marks = [mark for row in rows for mark in re.findall(r"<<([^<>]*)>>", row["answer"])]
    assert len(marks) == sum(row["answer"].count("<<") for row in rows) == 4282
    scores = {gsm8k().score(task, row["answer"]) for task, row in zip(test, rows, strict=True)}
    assert scores == {Score(1.0, 1.0, True)}


def test_the_docstring_shows_a_real_row() -> None:
    tasks = gsm8k().load(official("gsm8k", "train.jsonl"), split="train")
    shown = next(task for task in tasks if task.prompt.startswith("Weng earns $12 an hour for babysitting."))
    assert shown.gold == "10"


def test_a_test_file_is_not_loaded_as_training_data(tmp_path: Path) -> None:
    row = json.dumps({"question": "How many?", "answer": "#### 70,000"})
    for name in ("test.jsonl", "gsm8k_test.jsonl", "test500.jsonl", "test-00000-of-00001.jsonl"):
        (tmp_path / name).write_text(row, "utf-8")
        with pytest.raises(BadInput, match=r"expected split 'test'.*as its name says, got 'train'; fix: --split test"):
            gsm8k().load(tmp_path / name, split="train")
    [task] = gsm8k().load(tmp_path / "test.jsonl", split="test")
    assert (task.id, task.gold, task.split) == ("gsm8k/test/test:1", "70000", "test")
    (tmp_path / "latest.jsonl.gz").write_bytes(gzip.compress(row.encode()))
    assert gsm8k().load(tmp_path / "latest.jsonl.gz", split="train")[0].gold == "70000"


def test_a_row_of_another_format_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    for line in ('{"question": "How many?", "answer": "91"}', '{"question": 7, "answer": "#### 7"}', "[]"):
        file.write_text('{"question": "?", "answer": "#### 7"}\n' + line, "utf-8")
        with pytest.raises(BadData, match=r"rows\.jsonl:2: expected"):
            gsm8k().load(file, split="train")
