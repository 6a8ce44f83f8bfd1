"""Mathematics in notation: our own, solved again from the notation, and the official file."""

from __future__ import annotations

import json
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from generated_items import everything, official

from orchestra.errors import BadData
from orchestra.evals import math
from orchestra.evals.math import FORMS, latex
from orchestra.evaluation.benchmark import Score
from orchestra.types import Task

_FRAC = re.compile(r"\\frac\{(-?\d+)\}\{(\d+)\}")


def rational(notation: str) -> Fraction:
    match = _FRAC.search(notation)
    return Fraction(int(match[1]), int(match[2])) * (-1 if notation[0] == "-" else 1) if match else Fraction(notation)


def solves(prompt: str, gold: str) -> bool:
    """Whether the gold does what the prompt asks for, by putting it in or by plain rational arithmetic."""
    said = prompt.partition("$")[2].rpartition("$")[0]
    if prompt.startswith("Solve"):
        left, _, right = prompt.rpartition("$: $")[2].rpartition("$")[0].partition("=")
        x = rational(gold)
        sides = [re.sub(r"(\d)x", r"\1*x", side).replace("- ", "-").strip() for side in (left, right)]
        return bool(eval(sides[0], {"x": x}) == eval(sides[1], {"x": x}))
    if prompt.startswith("Evaluate"):
        return int(gold) == eval(said.replace("^", "**"))
    if prompt.startswith("Simplify"):
        a, b, c, answer = map(int, re.findall(r"\{(\d+)\}", said + gold))
        return a + b - c == answer
    values = [Fraction(int(top), int(below)) for top, below in _FRAC.findall(said)]
    found = values[0] * values[1] / values[2] if r"\div" in said else sum(values)
    return rational(gold) == found and latex(Fraction(found)) == gold


@pytest.mark.parametrize("family", FORMS)
def test_the_gold_does_what_is_asked(family: str) -> None:
    assert all(solves(task.prompt, task.gold) for task in everything(math(), family))
    assert not solves("Solve for $x$: $3x + 4 = 10$.", "3")


@pytest.mark.parametrize(
    ("reply", "gold", "strict", "flexible"),
    [
        (r"so it is \boxed{\frac{3}{4}}.", r"\frac{3}{4}", 1.0, 1.0),
        (r"\boxed{6/8}", r"\frac{3}{4}", 0.0, 0.0),
        ("The answer is 3/4, I think.\nBye.", r"\frac{3}{4}", 0.0, 0.0),
        ("I get $i + 1$.\nThe answer is $i + 1$", "1+i", 0.0, 1.0),
        (r"\boxed{2\sqrt{3}}", r"\sqrt{12}", 0.0, 1.0),
        (r"\boxed{5x}", "x*5", 0.0, 1.0),
        (r"\boxed{x^2}", "y^2", 0.0, 0.0),
        (r"\boxed{4.9999999999}", "5", 0.0, 0.0),
        (r"\boxed{7", "7", 0.0, 0.0),
    ],
)
def test_scores(reply: str, gold: str, strict: float, flexible: float) -> None:
    assert math().score(Task("t", "?", gold, "text"), reply)[:2] == (strict, flexible)


def test_official_facts() -> None:
    path = official("math500", "test500.jsonl")
    tasks = math().load(path, split="test")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len(tasks) == len({task.id for task in tasks}) == 500
    assert sorted(Counter(task.family for task in tasks).values()) == [38, 41, 56, 62, 82, 97, 124]
    golds = [str(task.gold) for task in tasks]
    assert sum(bool(re.fullmatch(r"-?\d+", gold)) for gold in golds) == 311
    assert sum("frac" in gold for gold in golds) == 70
    assert sum("sqrt" in gold for gold in golds) == 24
    assert sum("pmatrix" in gold for gold in golds) == 7
    assert sum(row["solution"].count(r"\boxed") > 1 for row in rows) == 8
    assert all(math().score(task, row["solution"])[:2] == (1.0, 1.0) for task, row in zip(tasks, rows, strict=True))
    mixed_up = [math().score(task, row["solution"]).flexible for task, row in zip(tasks[1:], rows[:-1], strict=True)]
    assert sum(mixed_up) < 10  # type: ignore[arg-type]


def test_the_folder_of_the_full_set_is_read_too(tmp_path: Path) -> None:
    for number, answer in ((1, r"\frac{1}{2}"), (2, "x=5")):
        file = tmp_path / "test" / "algebra" / f"{number}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        row = {
            "problem": "?",
            "level": "Level 3",
            "type": "Algebra",
            "solution": rf"First \boxed{{0}}, then \boxed{{{answer}}}.",
        }
        file.write_text(json.dumps(row), "utf-8")
    first, second = math().load(tmp_path / "test", split="test")
    assert (first.id, first.gold, first.family) == ("math/test/algebra/1.json", r"\frac{1}{2}", "Algebra")
    assert math().score(second, "Answer: 5") == Score(1.0, 1.0, True)
    (tmp_path / "test" / "algebra" / "3.json").write_text('{"problem": "?", "solution": "no box\\nhere"}', "utf-8")
    with pytest.raises(BadData, match=r"3\.json:1: expected"):
        math().load(tmp_path / "test", split="test")
