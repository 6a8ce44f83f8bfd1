"""Whole-number arithmetic in one line: a benchmark on which a 135M model improves within minutes of training.

A row of a file, and the task that it is when sampled (one integer, exact):

    {"prompt": "What is 34 + 57?", "gold": "91"}
    Task(id="arith/add2/train/34+57", prompt="What is 34 + 57?", gold="91", kind="number", family="add2", split="train")

| level | family  | item                                | items   | chance |
|-------|---------|-------------------------------------|---------|--------|
| 0     | add1    | a + b, a in 1..9, b in a..99        |     855 | 0.0105 |
| 1     | add2    | a + b, both in 10..99               |   4,095 | 0.0110 |
| 2     | sub     | a - b, both in 10..99, a > b        |   4,005 | 0.0222 |
| 2     | add3    | a + b + c, all in 10..49            |  11,480 | 0.0183 |
| 3     | mul     | a * b, a in 2..9, b in 10..99       |     720 | 0.0083 |
| 4     | mul2    | a * b, both in 10..99               |   4,095 | 0.0020 |
| -     | compare | the larger of two different 10..99  |   4,005 | 0.5    |
| -     | gcd     | of two different 2..99, more than 1 |   1,848 | 0.4075 |

Chance is the share of the commonest gold; for `compare`, of either number shown.

Invariants: an item is an unordered pair or triple, so a + b and b + a are one item, and it is always written in the
same order. The digest of the item alone puts it into train (60 %), dev (10 %) or test (30 %), so no seed or level
carries a test item into training. A seed only orders a split, by the digest of (seed, id): no sample has an item twice,
and a short sample is the beginning of a longer one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations, combinations_with_replacement, islice, product, zip_longest
from pathlib import Path
from typing import Any, Final

from orchestra.answers import extract_strict
from orchestra.digest import digest
from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.evaluation.benchmark import Score, grade, jsonl_rows
from orchestra.evaluation.sources.generate import SPLITS
from orchestra.types import Task

Item = tuple[int, ...]
TWO_DIGITS: Final = range(10, 100)


@dataclass(frozen=True, slots=True)
class Family:
    """One form of question; `items` lists each unordered tuple of operands once."""

    items: Callable[[], Iterable[Item]]
    gold: Callable[[Item], int]
    chance: float
    sign: str
    """Stands between the operands in the prompt; without spaces, in the id."""
    prompt: str = "What is {}?"
    ordered: bool = False
    """The operands keep the order of `items`, since the sign does not commute."""


FAMILIES: Final = {
    "add1": Family(lambda: ((a, b) for a in range(1, 10) for b in range(a, 100)), sum, 9 / 855, " + "),
    "add2": Family(lambda: combinations_with_replacement(TWO_DIGITS, 2), sum, 45 / 4095, " + "),
    "add3": Family(lambda: combinations_with_replacement(range(10, 50), 3), sum, 210 / 11480, " + "),
    "sub": Family(lambda: combinations(reversed(TWO_DIGITS), 2), lambda x: x[0] - x[1], 89 / 4005, " - ", ordered=True),
    "mul": Family(lambda: product(range(2, 10), TWO_DIGITS), math.prod, 6 / 720, " * "),
    "mul2": Family(lambda: combinations_with_replacement(TWO_DIGITS, 2), math.prod, 8 / 4095, " * "),
    "compare": Family(lambda: combinations(TWO_DIGITS, 2), max, 0.5, " or ", "Which number is larger, {}?"),
    "gcd": Family(
        lambda: (x for x in combinations(range(2, 100), 2) if math.gcd(*x) > 1),
        lambda x: math.gcd(*x),
        753 / 1848,
        " and ",
        "What is the greatest common divisor of {}?",
    ),
}
LEVELS: Final = (("add1",), ("add2",), ("sub", "add3"), ("mul",), ("mul2",))
"""Families of each level, taken in turn until the smaller one is used up."""


@dataclass(frozen=True, slots=True)
class Arith:
    """The benchmark: all levels, or one family, which then takes the place of the level's families."""

    family: str = ""

    def __post_init__(self) -> None:
        if self.family and self.family not in FAMILIES:
            raise UnknownName("family of arith", self.family, FAMILIES)

    @property
    def name(self) -> str:
        return f"arith:{self.family}" if self.family else "arith"

    @property
    def chance(self) -> float:
        """Of the family; without one, of the most guessable family of any level."""
        return max(FAMILIES[name].chance for name in ([self.family] if self.family else chain(*LEVELS)))

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        """n different tasks; BadInput where the split holds fewer at this level, or there is no such level.

        >>> [task.id for task in arith(family="add2").sample(2, split="train", seed=7)]
        ['arith/add2/train/40+96', 'arith/add2/train/95+93']
        """
        if level not in range(len(LEVELS)):
            raise BadInput(f"expected a level from 0 to {len(LEVELS) - 1}, got {level!r}; fix: see the table of arith")
        orders = [_ordered(name, split, seed) for name in ([self.family] if self.family else LEVELS[level])]
        exist = sum(map(len, orders))
        if not 0 <= n <= exist:
            where = f"{self.name}, split {split!r}" + ("" if self.family else f", level {level}")
            raise BadInput(f"expected 0 to {exist} tasks ({where} holds {exist}), got n = {n!r}; fix: a smaller n")
        return list(islice(filter(None, chain(*zip_longest(*orders))), n))

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        """Rows `{"prompt", "gold"}` of ours or `{"question", "answer"}` of GSM8K, where the answer ends in "#### N"."""
        _known_split(split)
        return [
            Task(f"arith/{split}/{path.stem}:{line}", prompt, gold, "number", split=split)
            for line, row in jsonl_rows(path)
            for prompt, gold in [_row(row, f"{path}:{line}")]
        ]

    def score(self, task: Task, text: str | None) -> Score:
        return grade(task, text)


def arith(family: str = "") -> Arith:
    """The arithmetic benchmark, of one family if given; UnknownName where there is no such family.

    >>> arith().chance == 89 / 4005, arith(family="add2").name
    (True, 'arith:add2')
    """
    return Arith(family)


@lru_cache(maxsize=len(FAMILIES) * len(SPLITS))
def _pool(name: str, split: str) -> tuple[Task, ...]:
    """All tasks of a family that fall into a split."""
    family, kept = FAMILIES[name], list[Task]()
    for item in family.items():
        place = int(digest("arith", name, *map(str, sorted(item))), 16)
        if place % 100 in SPLITS[split]:
            written = item[::-1] if place // 100 % 2 and not family.ordered else item
            said = family.sign.join(map(str, written))
            mark = family.sign.strip() if len(family.sign.strip()) == 1 else ","
            kept.append(
                Task(
                    id=f"arith/{name}/{split}/{mark.join(map(str, written))}",
                    prompt=family.prompt.format(said),
                    gold=str(family.gold(item)),
                    kind="number",
                    family=name,
                    split=split,
                )
            )
    return tuple(kept)


def _ordered(name: str, split: str, seed: int) -> list[Task]:
    """The tasks of a family and split in the order of a seed."""
    _known_split(split)
    return sorted(_pool(name, split), key=lambda task: digest(str(seed), task.id))


def _known_split(split: str) -> None:
    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)


def _row(row: dict[str, Any], where: str) -> tuple[str, str]:
    """Prompt and gold of a row, the gold as the strict rule writes it."""
    prompt, answer = (row.get(k) for k in (("question", "answer") if "question" in row else ("prompt", "gold")))
    said = answer if "question" in row else f"#### {answer}"
    gold = extract_strict(said, "number") if isinstance(said, str) and "#### " in said else None
    if not isinstance(prompt, str) or gold is None:
        raise BadData(
            f'{where}: expected "prompt" and "gold" (a number), or "question" and "answer" (ending in "#### number"), '
            f"got {row!s:.120}; fix: that row"
        )
    return prompt, gold
