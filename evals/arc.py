"""Science questions of American school exams (ARC, Clark et al., arXiv 1803.05457; Challenge and Easy).

A row of an official file; the flat rows of the copy on Hugging Face are read too:

    {"id": "MCAS_1998_4_19", "question": {"stem": "Planets orbit", "choices": [{"text": "Earth.", "label": "A"},
     {"text": "the Moon.", "label": "B"}, {"text": "the galaxy.", "label": "C"}, {"text": "the Sun.", "label": "D"}]},
     "answerKey": "D"}

Test 1,172 questions (Challenge) and 2,376 (Easy). Labels are letters or digits, and a few questions have 3 or 5
options; a letter counts for the digit of its place. `Task.family` is the exam, the beginning of the id. As in the
official score, a reply that names k labels ("Answer: A;C") is worth 1/k if the right one is among them.

The sample is that of `mmlu` with such labels: a quarter digits, one item in eight with 3 options and one with 5. Chance
is 1/8 x 1/3 + 6/8 x 1/4 + 1/8 x 1/5 = 0.254. Facts are in the splits that they have in `mmlu`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from orchestra.answers import equal
from orchestra.answers.reply import answer_line, final
from orchestra.evaluation.benchmark import Score
from orchestra.evaluation.sources import facts
from orchestra.evaluation.sources.generate import Dice, Family, Generated, Item, Source
from orchestra.evaluation.sources.multiple_choice import LETTERS, Fact, grade_choice, posed, read
from orchestra.types import Task

DIGITS: Final = ("1", "2", "3", "4", "5")
SIZES: Final = (3, 4, 4, 4, 4, 4, 4, 5)
CHANCE: Final = sum(1 / size for size in SIZES) / len(SIZES)


def labels(fact: Fact) -> tuple[str, ...]:
    dice = Dice("labels", *fact.name)
    return dice.pick((LETTERS, LETTERS, LETTERS, DIGITS))[: dice.pick(SIZES)]


def _items(family: str) -> Iterator[Item]:
    return (posed(fact, labels(fact)) for fact in facts.FAMILIES[family]())


def _exam(name: object) -> str:
    return str(name).partition("_")[0]


def _read(path: Path) -> Iterator[Task]:
    return read(path, lambda row: _exam(row["id"]))


def _score(task: Task, text: str | None) -> Score:
    named = [] if text is None or task.gold is None else _several(final(text), task.choices)
    if len(named) < 2:
        return grade_choice(task, text)
    share = any(equal(label, str(task.gold), "choice") for label in named) / len(named)
    return Score(share, share, True)


def _several(reply: str, allowed: tuple[str, ...]) -> list[str]:
    """The different labels of a last line "Answer: A;C"; none where anything else stands there."""
    said = [part.strip() for part in (answer_line(reply) or "").split(";")]
    return list(dict.fromkeys(said)) if set(said) <= set(allowed) else []


SOURCE: Final = Source(
    name="arc",
    kind="choice",
    families={name: Family(partial(_items, name), CHANCE) for name in facts.FAMILIES},
    levels=facts.LEVELS,
    read=_read,
    score=_score,
)


def arc(family: str = "") -> Generated:
    """Questions with three to five options, of one family if given; UnknownName where there is no such family.

    >>> [task] = arc("days").sample(1, split="train")
    >>> print(task.prompt.partition(chr(10))[0], task.gold)
    Which day of the week comes 309 days after Saturday? C
    """
    return Generated(SOURCE, family)
