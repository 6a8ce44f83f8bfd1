r"""The American Invitational Mathematics Examination: thirty problems a year, each with an integer from 0 to 999.

A row of a file as the copies on Hugging Face have it ("problem" and "answer" in lower case too; this one is made up):

    {"ID": "2030-I-1", "Problem": "Find the number of ...", "Answer": 25}

The problems belong to the Mathematical Association of America; none is shipped. Strict is a box that holds the integer
("025" is 25), or the strict form of numbers; the last one counts. Chance is 1 in 1,000.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestra.answers import extract, extract_strict
from orchestra.evaluation.benchmark import Score, grade
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.published import Published
from orchestra.types import Task

_INTEGER: Final = re.compile(r"[0-9]{1,3}")


def aime() -> Published:
    """The loader and its score.

    >>> aime().score(Task("t", "How many?", "25", "number"), "so it is $\\\\boxed{025}$").strict
    1.0
    """
    return Published("aime", 0.001, _read, _score)


def _score(task: Task, text: str | None) -> Score:
    score = grade(task, text)
    if task.gold is None or text is None or r"\boxed" not in text:
        return score
    box = extract_strict(text, "text") or ""
    right = float(bool(_INTEGER.fullmatch(box)) and int(box) == int(task.gold))
    return Score(right, max(right, score.flexible or 0.0), score.parsed or extract(text, "text") is not None)


def _read(path: Path) -> Iterator[Task]:
    for where, row in rows(path):
        low = {name.lower(): value for name, value in row.items()}
        problem, gold = low.get("problem"), str(low.get("answer"))
        if not isinstance(problem, str) or not _INTEGER.fullmatch(gold):
            refuse(where, '"Problem", and "Answer" from 0 to 999', row)
        yield Task(f"{path.stem}:{low.get('id', where.rpartition(':')[2])}", problem, str(int(gold)), "number")
