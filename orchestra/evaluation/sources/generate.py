"""Benchmarks of our own making: facts that are fixed for ever, dressed and split by digest.

A fact is what an item asks, whatever the names, the order of options and the phrasing that dress it. Invariants: a
family asks nothing twice; the digest of the fact alone puts it into train (60 %), dev (10 %) or test (30 %) and dresses
it, so no seed, level or benchmark carries a test fact into training; all that is drawn is drawn from digests, so no
version of Python changes an item. A seed only orders a split: no sample has an item twice, and a short sample is the
beginning of a longer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, count, islice, zip_longest
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from orchestra.digest import digest
from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.evaluation.benchmark import Score, content_hash, grade
from orchestra.evaluation.sources.files import check_split
from orchestra.types import AnswerKind, Task

T = TypeVar("T")
SPLITS: Final = {"train": range(60), "dev": range(60, 70), "test": range(70, 100)}
"""Hundredths of the digest space."""


class Dice:
    """Draws that depend on a name alone.

    >>> dice = Dice("an example")
    >>> dice.below(6), dice.pick("abc"), dice.take(range(10), 3)
    (5, 'c', [4, 5, 0])
    """

    def __init__(self, *name: str) -> None:
        self._name = name
        self._turn = count()

    def below(self, n: int) -> int:
        """0 to n - 1, each as likely but for a bias of n / 2^128."""
        return int(digest(*self._name, str(next(self._turn))), 16) % n

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def take(self, options: Iterable[T], k: int) -> list[T]:
        """k different ones, in the order drawn; raises ZeroDivisionError where there are fewer."""
        left = list(options)
        return [left.pop(self.below(len(left))) for _ in range(k)]


class Item(NamedTuple):
    """A fact in its dress."""

    fact: tuple[str, ...]
    """Names what is asked, operands in one order wherever `content_hash` does not tell their orders apart."""
    prompt: str
    gold: str
    choices: tuple[str, ...] = ()


class Family(NamedTuple):
    """One form of question; the cluster of cluster-robust statistics."""

    items: Callable[[], Iterable[Item]]
    """Drawn or listed; what is drawn again is dropped."""
    chance: float
    """Accuracy of the best guess that works nothing out, in [0, 1]."""


class Source(NamedTuple):
    """What a generated benchmark is made of."""

    name: str
    kind: AnswerKind
    families: Mapping[str, Family]
    levels: Sequence[Sequence[str]]
    """Families of each level, taken in turn until the smaller ones are used up."""
    read: Callable[[Path], Iterable[Task]]
    """The tasks of a file or folder in an official format; ids as in the file, no split."""
    score: Callable[[Task, str | None], Score] = grade


@dataclass(frozen=True, slots=True)
class Generated:
    """The benchmark of a source: all levels, or one family, which then takes the place of the level's families."""

    source: Source
    family: str = ""

    def __post_init__(self) -> None:
        if self.family and self.family not in self.source.families:
            raise UnknownName(f"family of {self.source.name}", self.family, self.source.families)

    @property
    def name(self) -> str:
        return f"{self.source.name}:{self.family}" if self.family else self.source.name

    @property
    def chance(self) -> float:
        """Of the family; without one, of the most guessable family of any level."""
        return max(self.source.families[name].chance for name in self._families(*self.source.levels))

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        """n different tasks; BadInput where the split holds fewer at this level, or there is no such level."""
        if level not in range(len(self.source.levels)):
            known = len(self.source.levels) - 1
            raise BadInput(f"expected a level from 0 to {known}, got {level!r}; fix: see the levels of {self.name}")
        if split not in SPLITS:
            raise UnknownName("split", split, SPLITS)
        orders = [ordered(self.source, family, split, seed) for family in self._families(self.source.levels[level])]
        exist = sum(map(len, orders))
        if not 0 <= n <= exist:
            where = f"{self.name}, split {split!r}" + ("" if self.family else f", level {level}")
            raise BadInput(f"expected 0 to {exist} tasks ({where} holds {exist}), got n = {n!r}; fix: a smaller n")
        return list(islice(filter(None, chain(*zip_longest(*orders))), n))

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        return loaded(self.source.name, self.source.read, path, split)

    def score(self, task: Task, text: str | None) -> Score:
        return self.source.score(task, text)

    def _families(self, *levels: Sequence[str]) -> Sequence[str]:
        return [self.family] if self.family else [name for level in levels for name in level]


def loaded(name: str, read: Callable[[Path], Iterable[Task]], path: Path, split: str) -> list[Task]:
    """The tasks of an official file, of a split that its name allows. Raises BadData where an id comes twice."""
    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    check_split(path, split)
    tasks = dict[str, Task]()
    for task in read(path):
        if task.id in tasks:
            raise BadData(f"{path}: expected each id once, got {task.id!r} twice; fix: remove one of the rows")
        tasks[task.id] = replace(task, id=f"{name}/{split}/{task.id}", split=split)
    return list(tasks.values())


def ordered(source: Source, family: str, split: str, seed: int) -> list[Task]:
    """The tasks of a family and split in the order of a seed."""
    return sorted(_pool(source.name, source.kind, family, source.families[family].items)[split], key=_by(seed))


def _by(seed: int) -> Callable[[Task], str]:
    return lambda task: digest(str(seed), task.id)


@lru_cache(maxsize=256)
def _pool(
    benchmark: str, kind: AnswerKind, family: str, items: Callable[[], Iterable[Item]]
) -> Mapping[str, Sequence[Task]]:
    """All tasks of a family, by the split into which their facts fall."""
    pool: dict[str, list[Task]] = {split: [] for split in SPLITS}
    met = set[str]()
    for item in items():
        task = Task("", item.prompt, item.gold, kind, choices=item.choices, family=family, split=split_of(*item.fact))
        content = content_hash(task)
        if content not in met:
            met.add(content)
            pool[task.split].append(replace(task, id=f"{benchmark}/{family}/{task.split}/{content[:12]}"))
    return pool


def split_of(*content: str) -> str:
    """The split that a content falls into, whichever pool it was drawn for.

    >>> split_of("Who wrote it?"), split_of("Where is it?")
    ('train', 'dev')
    """
    place = int(digest("split", *content), 16) % 100
    return next(split for split, hundredths in SPLITS.items() if place in hundredths)
