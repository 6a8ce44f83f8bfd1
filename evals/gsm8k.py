r"""Word problems of primary school, answered by one number (GSM8K, Cobbe et al., arXiv 2110.14168).

A row of an official file (openai/grade-school-math, MIT; the copy on Hugging Face has the same two fields):

    {"question": "Weng earns $12 an hour for babysitting. Yesterday, she just did 50 minutes of babysitting. ...",
     "answer": "Weng earns 12/60 = $<<12/60=0.2>>0.2 per minute.\n... $<<0.2*50=10>>10.\n#### 10"}

Test 1,319 rows, train 7,473. The official score is the strict one: the first "#### N", commas removed, as a string.

The sample is our own: templates whose steps are written as in GSM8K's calculator annotations.

| level | steps | templates | facts | chance |
|-------|-------|-----------|-------|--------|
| 0     | 1     | 8         | 1,875 | 0.08   |
| 1     | 1     | 8         | 3,200 | 0.03   |
| 2     | 2     | 8         | 3,200 | 0.05   |
| 3     | 3     | 8         | 3,200 | 0.04   |
| 4     | 4     | 8         | 3,200 | 0.05   |

Chance is the share of the commonest gold in the most guessable template of the level, rounded up. A fact is a template
and its numbers in any order; names and things are only its dress. Every step gives a whole number above zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from orchestra.answers import extract_strict
from orchestra.evals._word_problems import LEVELS, Template
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.generate import Dice, Family, Generated, Item, Source
from orchestra.types import Task

NAMES: Final = ("Ada", "Ben", "Chloe", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Kira",
                "Leo", "Mona", "Nils", "Olga", "Paul", "Rosa", "Sam", "Tara", "Uwe", "Vera", "Will", "Yara",
                "Zoe")  # fmt: skip
THINGS: Final = ("marbles", "stickers", "shells", "cards", "coins", "pencils", "buttons", "stamps", "beads", "apples",
                 "plums", "nuts", "badges", "balloons", "ribbons", "postcards")  # fmt: skip
FACTS: Final = 400
"""Most facts of one template."""
DRAWS: Final = 6000
"""Most draws for them."""

CHANCES: Final = (0.08, 0.03, 0.05, 0.04, 0.05)
"""Of the most guessable template of each level, rounded up."""


def solve(steps: str, numbers: Mapping[str, int]) -> list[int] | None:
    """What each step gives; None where a step gives no whole number above zero.

    >>> solve("a * b; x - c", {"a": 3, "b": 4, "c": 5}), solve("a / b", {"a": 3, "b": 4})
    ([12, 7], None)
    """
    known, results = dict(numbers), list[int]()
    for name, step in zip("xyzw", steps.split("; "), strict=False):
        left, sign, right = step.split()
        a, b = (known[side] if side in known else int(side) for side in (left, right))
        if (sign == "-" and a <= b) or (sign == "/" and a % b):
            return None
        known[name] = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[sign]
        results.append(known[name])
    return results


def _items(name: str, template: Template) -> Iterator[Item]:
    """Up to FACTS different facts; those of a small template may run out before."""
    met = set[tuple[str, ...]]()
    for draw in range(DRAWS):
        dice = Dice("gsm8k", name, str(draw))
        numbers = {letter: dice.pick(span) for letter, span in zip("abcde", template.spans, strict=False)}
        fact = ("gsm8k", name, *map(str, sorted(numbers.values())))
        results = solve(template.steps, numbers)
        if results is None or fact in met:
            continue
        met.add(fact)
        who, friend = Dice("people", *fact).take(NAMES, 2)
        things = Dice("things", *fact).pick(THINGS)
        yield Item(fact, template.story.format(who=who, friend=friend, things=things, **numbers), str(results[-1]))
        if len(met) == FACTS:
            return


def _read(path: Path) -> Iterator[Task]:
    for where, row in rows(path):
        question, answer = row.get("question"), row.get("answer")
        gold = extract_strict(answer, "number") if isinstance(answer, str) and "#### " in answer else None
        if not isinstance(question, str) or gold is None:
            refuse(where, '"question" and "answer" (ending in "#### number")', row)
        yield Task(f"{path.stem}:{where.rpartition(':')[2]}", question, gold, "number")


SOURCE: Final = Source(
    name="gsm8k",
    kind="number",
    families={
        name: Family(partial(_items, name, template), chance)
        for level, chance in zip(LEVELS, CHANCES, strict=True)
        for name, template in level.items()
    },
    levels=[list(level) for level in LEVELS],
    read=_read,
)


def gsm8k(family: str = "") -> Generated:
    """Word problems, of one template if given; UnknownName where there is no such template.

    >>> [task] = gsm8k("give").sample(1, split="train")
    >>> print(task.prompt, task.gold)
    David has 16 cards and gives 15 of them to Vera. How many cards does David keep? 1
    """
    return Generated(SOURCE, family)
