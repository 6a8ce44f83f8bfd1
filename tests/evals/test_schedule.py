"""Calendars of several seats: worked out again by brute force, open without any one of them, and guessed no better than
stated."""

from __future__ import annotations

import json
import re
from collections import Counter
from fractions import Fraction
from itertools import combinations, product
from math import comb
from pathlib import Path

import pytest

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.evals import schedule
from orchestra.evals.schedule import FAMILIES, FIRST, LEVELS, free_hours
from orchestra.evaluation.benchmark import content_hash, guard_overlap
from orchestra.evaluation.sources.drawn import pool
from orchestra.evaluation.sources.generate import SPLITS, Dice
from orchestra.types import Task

TWO = ("debater-1", "debater-2")
SEATS = [TWO, ("a", "b", "c"), ("a", "b", "c", "d")]


def some(family: str, level: int, seats: tuple[str, ...] = TWO, n: int = 40) -> list[Task]:
    """Tasks of the family, without a pool."""
    return [schedule(family, seats=seats).draft(level, Dice("some", str(i))).task for i in range(n)]


def possible(family: str, lines: list[str], people: int, hours: int) -> set[int]:
    """Every answer that these calendars allow, whatever those of one more person, if one is missing."""
    if family == "least":
        booked = [{int(at): int(n) for n, at in re.findall(r"(\d+) at (\d+)", line)} for line in lines]
        day = list(booked[0])
        missing = product(range(1, 10), repeat=len(day)) if len(lines) < people else [(0,) * len(day)]
        return {min(sum(each[at] for each in booked) + more[i] for i, at in enumerate(day)) for more in missing}
    free = [set(map(int, re.findall(r"\d+", line))) for line in lines]
    day = range(FIRST, FIRST + hours)
    others = combinations(day, len(free[0])) if len(lines) < people else [tuple(day)]
    shared = [sorted(set.intersection(*free, set(other))) for other in others]
    return {common[0] for common in shared if (len(common) == 1 if family == "free" else common)}


@pytest.mark.parametrize("seats", SEATS, ids=len)
@pytest.mark.parametrize("level", [0, 4])
@pytest.mark.parametrize("family", FAMILIES)
def test_all_calendars_answer_and_without_any_one_it_is_open(family: str, level: int, seats: tuple[str, ...]) -> None:
    for task in some(family, level, seats, n=12):
        lines = [task.private[seat] for seat in seats]
        assert possible(family, lines, len(seats), LEVELS[level].hours) == {int(task.gold)}
        for left in combinations(lines, len(seats) - 1):
            assert len(possible(family, list(left), len(seats), LEVELS[level].hours)) > 1


def test_a_calendar_that_could_be_left_out_would_be_caught() -> None:
    """The test above can fail: of Ann's one free hour the answer follows alone."""
    lines = ["Ann is free at 9.", "Ben is free at 9, 10 and 11."]
    assert possible("free", lines, 2, 8) == {9} == possible("free", lines[:1], 2, 8)


@pytest.mark.parametrize("level", range(5))
def test_one_seat_guesses_no_better_than_stated(level: int) -> None:
    """The best guess of a seat, which knows its calendar and the rules; by symmetry of the hours, or by counting."""
    hours = LEVELS[level].hours
    size = free_hours(hours, 2)
    assert 1 / size <= FAMILIES["free"] == 1 / 3
    meet = 1 - Fraction(comb(hours - size, size), comb(hours, size))
    first = Fraction(size, hours) / meet  # that the other is free at one's own first hour, given that they can meet
    assert float(first) <= FAMILIES["earliest"] == 21 / 46
    tasks = some("earliest", level, n=1500)
    right = sum(re.findall(r"\d+", task.private[TWO[0]])[0] == task.gold for task in tasks) / len(tasks)
    assert right == pytest.approx(float(first), abs=0.05)
    places = Counter(re.findall(r"\d+", t.private[TWO[0]]).index(t.gold) for t in some("free", level, n=1500))
    assert {place: n / 1500 for place, n in places.items()} == {
        i: pytest.approx(1 / size, abs=0.05) for i in range(size)
    }


@pytest.mark.parametrize(("hours", "known"), [(2, 0.1733), (3, 0.1963), (4, 0.2122)])
def test_the_fewest_appointments_are_guessed_no_better_than_stated(hours: int, known: float) -> None:
    """Over all calendars of a seat: the most likely answer, the other's appointments being 1 to 9 at each hour."""

    def more_than(x: int) -> float:
        return min(9, max(0, 9 - x)) / 9

    total = 0.0
    for own in product(range(1, 10), repeat=hours):
        above = [1.0]
        for answer in range(2, 19):
            probability = 1.0
            for n in own:
                probability *= more_than(answer - n)
            above.append(probability)
        total += max(above[i] - above[i + 1] for i in range(len(above) - 1))
    assert total / 9**hours == pytest.approx(known, abs=1e-4)
    assert total / 9**hours <= FAMILIES["least"] <= schedule().chance == max(FAMILIES.values())


@pytest.mark.parametrize("level", [0, 2, 4])
def test_pools_are_as_large_as_stated_and_splits_hinge_on_the_numbers(level: int) -> None:
    found = pool(schedule(), level)
    tasks = [task for split in SPLITS for task in found[split]]
    assert 3975 <= len(tasks) <= 4000
    assert len(tasks) == len({task.id for task in tasks}) == len({content_hash(task) for task in tasks})
    assert {task.family for task in tasks} == set(LEVELS[level].families)
    where = dict[tuple[str, ...], set[str]]()
    for task in tasks:
        numbers = re.findall(r"\d+", " ".join(task.private.values()))
        if task.family != "least":
            where.setdefault((task.family, *sorted(numbers)), set()).add(task.split)
    assert all(len(splits) == 1 for splits in where.values())
    guard_overlap(found["train"], pool(schedule("free"), 0)["test"])


def test_one_seat_has_the_same_question_for_a_single_reader() -> None:
    [alone], [split] = (schedule(seats=s).sample(1, split="train", seed=5) for s in (("reader",), TWO))
    assert content_hash(alone) == content_hash(split)
    assert (alone.id, alone.gold) == (split.id, split.gold)
    assert sorted(alone.private["reader"].split("\n")) == sorted(split.private.values())


def test_level_0_is_short() -> None:
    """So that a model of 135M parameters can learn it: some 60 tokens for a single reader."""
    for task in some("free", 0, ("reader",)):
        assert len(re.findall(r"\w+|[^\w\s]", f"{task.prompt} {task.private['reader']}")) < 45
    [task] = schedule().sample(1, split="train", level=0)
    assert (task.id, task.gold, task.kind) == ("schedule/train/b74360048959", "15", "number")


@pytest.mark.parametrize("level", range(5))
def test_each_level_keeps_the_contract(level: int) -> None:
    check_benchmark(schedule(), n=8, level=level)


def test_four_seats_and_one_keep_the_contract() -> None:
    check_benchmark(schedule("least", seats=SEATS[2]), n=8)
    check_benchmark(schedule("earliest", seats=("reader",)), n=8)


def test_loads_own_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    row = {"prompt": "When?", "gold": 11, "private": {"a": "9 or 11", "b": "11"}, "family": "free"}
    file.write_text(json.dumps(row) + "\n", "utf-8")
    [task] = schedule().load(file, split="train")
    assert (task.gold, dict(task.private), task.family) == ("11", row["private"], "free")
    for change in ({"gold": "noon"}, {"private": ["9"]}, {"private": {"a": 9}}, {"prompt": None}):
        file.write_text(json.dumps({**row, **change}), "utf-8")
        with pytest.raises(BadData, match=r"rows\.jsonl:1: expected"):
            schedule().load(file, split="train")


def test_bad_requests_are_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'least'"):
        schedule("last")
    with pytest.raises(BadInput, match="at most 4 seats of schedule, got 5"):
        schedule(seats=tuple("abcde"))
