"""When can all meet? Every calendar is told to another agent, in the manner of InformativeBench (arXiv 2406.14928).

    Task(prompt="What is the one hour at which Ann and Ben are both free? Answer with the number.", gold="11",
         kind="number", private={"debater-1": "Ann is free at 9, 11 and 16.",
         "debater-2": "Ben is free at 10, 11 and 14."})

| family   | question                                              | calendars                              | chance |
|----------|-------------------------------------------------------|----------------------------------------|--------|
| free     | the one hour at which all are free                    | free hours, f of h                     | 1/3    |
| earliest | the first hour at which all are free                  | free hours, f of h                     | 21/46  |
| least    | how few appointments fall if all meet for an hour     | 1 to 9 appointments at each of k hours | 0.22   |

| level | families              | h (hours)    | f (free hours of 2, 3, 4 people) | k | tasks |
|-------|-----------------------|--------------|----------------------------------|---|-------|
| 0     | free                  | 8 (9 to 16)  | 3, 4, 5                          |   | 3,970 |
| 1     | free, earliest        | 8            | 3, 4, 5                          |   | 3,970 |
| 2     | free, earliest, least | 8            | 3, 4, 5                          | 2 | 3,970 |
| 3     | free, earliest, least | 10 (9 to 18) | 3, 5, 6                          | 3 | 3,970 |
| 4     | free, earliest, least | 12 (9 to 20) | 3, 5, 6                          | 4 | 3,970 |

There are at least as many tasks as stated, and at most 4,000.

Invariants: without any one calendar the answer is open, since those left share at least two free hours, or since who
is left out has appointments at every hour. Chance is the highest accuracy, over the levels, of one of two seats that
knows its own calendar and how the other is drawn.

There is one calendar for each seat, and at least two: one seat alone is told both, and has the same question for a
single reader. The numbers alone decide the split, whatever the names. InformativeBench publishes generators, no files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestra.errors import BadInput, UnknownName
from orchestra.evaluation.benchmark import Score, grade
from orchestra.evaluation.sources import drawn
from orchestra.evaluation.sources.drawn import Draft
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.generate import Dice, loaded
from orchestra.evaluation.sources.invented import PEOPLE
from orchestra.evaluation.sources.seats import SEATS, known_seats, told
from orchestra.types import FrozenMap, Task

FAMILIES: Final[Mapping[str, float]] = {"free": 1 / 3, "earliest": 21 / 46, "least": 0.22}
"""Family -> chance."""
FIRST: Final = 9
"""The first hour of a day."""
MOST: Final = 4
"""Calendars of one task: of more, too few draws of `earliest` leave the answer open without each."""


@dataclass(frozen=True, slots=True)
class Level:
    """How long a day is."""

    families: tuple[str, ...]
    hours: int
    appointments: int = 0
    """Hours with appointments, of `least`."""


LEVELS: Final = (
    Level(("free",), 8),
    Level(("free", "earliest"), 8),
    Level(tuple(FAMILIES), 8, 2),
    Level(tuple(FAMILIES), 10, 3),
    Level(tuple(FAMILIES), 12, 4),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The benchmark: all families of a level or one, with a calendar for each of these seats."""

    family: str = ""
    seats: tuple[str, ...] = SEATS

    def __post_init__(self) -> None:
        if self.family and self.family not in FAMILIES:
            raise UnknownName("family of schedule", self.family, FAMILIES)
        if len(self.seats) > MOST:
            raise BadInput(f"expected at most {MOST} seats of schedule, got {len(self.seats)}; fix: fewer seats")

    @property
    def name(self) -> str:
        return f"schedule:{self.family}" if self.family else "schedule"

    @property
    def chance(self) -> float:
        """Of the family; without one, of the most guessable."""
        return FAMILIES[self.family] if self.family else max(FAMILIES.values())

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        r"""n different tasks; BadInput where the split holds fewer at this level, or there is no such level.

        >>> [task] = schedule().sample(1, split="train", level=0)
        >>> print(task.prompt, task.private["debater-1"], task.private["debater-2"], task.gold, sep="\n")
        What is the one hour at which Ada and John are both free? Answer with the number.
        Ada is free at 9, 15 and 16.
        John is free at 10, 12 and 15.
        15
        """
        return drawn.sample(self, n, split=split, seed=seed, level=level)

    def draft(self, level: int, dice: Dice) -> Draft:
        size = LEVELS[level]
        family = self.family or dice.pick(size.families)
        people = dice.take(PEOPLE, max(2, len(self.seats)))
        if family == "least":
            return self._least(people, size.appointments or LEVELS[2].appointments, dice)
        return self._free(family, people, size.hours, dice)

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        """Rows of our own: "prompt", "gold" (a number) and "private", an object of seats and lines."""
        return loaded("schedule", _read, path, split)

    def score(self, task: Task, text: str | None) -> Score:
        return grade(task, text)

    def _free(self, family: str, people: Sequence[str], hours: int, dice: Dice) -> Draft:
        day, size = range(FIRST, FIRST + hours), free_hours(hours, len(people))
        free = (_one_in_common if family == "free" else _some_in_common)(day, len(people), size, dice)
        lines = [f"{person} is free at {_listed(list(map(str, at)))}." for person, at in zip(people, free, strict=True)]
        which, each = "one" if family == "free" else "first", "both" if len(people) == 2 else "all"
        question = f"What is the {which} hour at which {_listed(people)} are {each} free?"
        return self._draft(family, question, _common(free)[0], lines, [hour for at in free for hour in at], dice)

    def _least(self, people: Sequence[str], hours: int, dice: Dice) -> Draft:
        day = range(FIRST, FIRST + hours)
        booked = [[dice.pick(range(1, 10)) for _ in day] for _ in people]
        gold = min(sum(at) for at in zip(*booked, strict=True))
        lines = [
            f"{person} has {_listed([f'{n} at {hour}' for n, hour in zip(each, day, strict=True)])}."
            for person, each in zip(people, booked, strict=True)
        ]
        question = f"If {_listed(people)} meet for an hour, how few appointments must they cancel together?"
        return self._draft("least", question, gold, lines, [n for each in booked for n in each], dice)

    def _draft(
        self, family: str, question: str, gold: int, lines: Sequence[str], numbers: Sequence[int], dice: Dice
    ) -> Draft:
        dealt = {seat: [line] for seat, line in zip(self.seats, lines, strict=False)}
        dealt[self.seats[-1]] += lines[len(self.seats) :]
        task = Task("", f"{question} Answer with the number.", str(gold), "number", told(dealt, dice), family=family)
        return Draft(task, ("schedule", family, *map(str, sorted(numbers))))


def schedule(family: str = "", *, seats: Sequence[str] = SEATS) -> Schedule:
    """The benchmark of split calendars, of one family if given; UnknownName where there is no such family.

    >>> schedule("free").chance == 1 / 3
    True
    """
    return Schedule(family, known_seats(seats))


def free_hours(hours: int, people: int) -> int:
    """So many of h hours that people have about one in common.

    >>> [free_hours(8, people) for people in (2, 3, 4)]
    [3, 4, 5]
    """
    return round(math.pow(hours, 1 - 1 / people))


def _one_in_common(day: Sequence[int], people: int, size: int, dice: Dice) -> list[list[int]]:
    """Free hours of each; but for one person, all are free at another hour too, at which that person is not."""
    while True:
        shared, *missed = dice.take(day, people + 1)
        rest = [hour for hour in day if hour != shared and hour not in missed]
        free = [
            sorted([hour for hour in (shared, *missed) if hour != own] + dice.take(rest, size - people))
            for own in missed
        ]
        if _common(free) == [shared]:
            return free


def _some_in_common(day: Sequence[int], people: int, size: int, dice: Dice) -> list[list[int]]:
    """Free hours of each, drawn until all share one and, without any one person, the others share two."""
    while True:
        free = [sorted(dice.take(day, size)) for _ in range(people)]
        others = ([*free[:i], *free[i + 1 :]] for i in range(people))
        if _common(free) and all(len(_common(left)) > 1 for left in others):
            return free


def _common(free: Sequence[Sequence[int]]) -> list[int]:
    return sorted(set(free[0]).intersection(*free[1:]))


def _listed(words: Sequence[str]) -> str:
    """
    >>> _listed(["9", "11", "14"])
    '9, 11 and 14'
    """
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _read(path: Path) -> Iterator[Task]:
    for where, row in rows(path):
        prompt, gold, private = row.get("prompt"), row.get("gold"), row.get("private")
        lines = isinstance(private, dict) and all(isinstance(line, str) for line in private.values())
        if not (isinstance(prompt, str) and str(gold).lstrip("-").isdecimal() and lines):
            refuse(where, '"prompt", "gold" (a number) and "private" (seat: line)', row)
        name = f"{path.stem}:{where.rpartition(':')[2]}"
        yield Task(name, prompt, str(gold), "number", FrozenMap(private), family=str(row.get("family", "")))
