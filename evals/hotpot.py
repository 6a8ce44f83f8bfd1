"""Questions that need two facts, which different agents know: HotpotQA, 2WikiMultiHopQA, and films of our own.

A row of the official file (with its paragraphs, or the closed-book one that has none), and a sampled task:

    {"question": "Were Scott Derrickson and Ed Wood of the same nationality?", "answer": "yes", "type": "comparison"}
    Task(prompt="In which city was the director of Red Door born? Answer in one word.", gold="Rome", kind="text",
         private={"debater-1": "Red Door was directed by Ann.\n...", "debater-2": "Ann was born in Rome.\n..."})

| family     | needs                                           | answer | chance    |
|------------|-------------------------------------------------|--------|-----------|
| bridge     | who directed the film, and where they were born | a city | 1 / films |
| comparison | where each of two people was born               | yes/no | 0.5       |

| level | families           | films, or people | told besides                                 | tasks |
|-------|--------------------|------------------|----------------------------------------------|-------|
| 0     | bridge             | 3                |                                              | 4,000 |
| 1     | bridge             | 4                |                                              | 4,000 |
| 2     | bridge, comparison | 6                |                                              | 4,000 |
| 3     | bridge, comparison | 6                | who wrote each film, where each person lives | 4,000 |
| 4     | bridge, comparison | 10               | the same                                     | 4,000 |

Invariants: nobody is named twice; each of the two facts is told to another seat, if there are two; where everybody was
born is told to one seat, or it would know the answer by having one city; so a seat alone is left with as many cities as
there are films, or with yes and no, all equally likely. With one seat it is the same question for a single reader.

Paragraphs of official files are split as Optima does it. The score is the official exact match (EM); F1 is an option.
The closed-book file has 7,405 rows, 458 of them yes or no.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestra.digest import digest
from orchestra.errors import UnknownName
from orchestra.evaluation.benchmark import Score
from orchestra.evaluation.sources import drawn, squad
from orchestra.evaluation.sources.drawn import Draft
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.generate import Dice, loaded
from orchestra.evaluation.sources.invented import CITIES, FILMS, PEOPLE
from orchestra.evaluation.sources.seats import SEATS, alternate, known_seats, told
from orchestra.types import FrozenMap, Task

FAMILIES: Final = ("bridge", "comparison")


@dataclass(frozen=True, slots=True)
class Level:
    """How much there is to read."""

    families: tuple[str, ...]
    chains: int
    """Films, each with its director; or people."""
    confusing: bool = False
    """The same films and people in other facts too."""


LEVELS: Final = (
    Level(("bridge",), 3),
    Level(("bridge",), 4),
    Level(FAMILIES, 6),
    Level(FAMILIES, 6, confusing=True),
    Level(FAMILIES, 10, confusing=True),
)


@dataclass(frozen=True, slots=True)
class Hotpot:
    """The benchmark: all families of a level or one, told to these seats."""

    family: str = ""
    seats: tuple[str, ...] = SEATS
    partial: bool = False
    """The flexible score is F1, so some of the words earn some of the credit."""

    def __post_init__(self) -> None:
        if self.family and self.family not in FAMILIES:
            raise UnknownName("family of hotpot", self.family, FAMILIES)

    @property
    def name(self) -> str:
        return f"hotpot:{self.family}" if self.family else "hotpot"

    @property
    def chance(self) -> float:
        """Of `bridge`, that of level 0."""
        return 1 / LEVELS[0].chains if self.family == "bridge" else 0.5

    def sample(self, n: int, *, split: str, seed: int = 0, level: int = 1) -> Sequence[Task]:
        """n different tasks; BadInput where the split holds fewer at this level, or there is no such level.

        >>> hotpot().sample(1, split="train", level=0)[0].prompt
        'In which city was the director of Red Garden born? Answer in one word.'
        """
        return drawn.sample(self, n, split=split, seed=seed, level=level)

    def draft(self, level: int, dice: Dice) -> Draft:
        size = LEVELS[level]
        family = self.family or dice.pick(size.families)
        return (_bridge if family == "bridge" else _comparison)(size, self.seats, dice)

    def load(self, path: Path, *, split: str) -> Sequence[Task]:
        """Rows of HotpotQA or 2WikiMultiHopQA, from their JSON or as the hub has them; paragraphs may be missing."""
        return loaded("hotpot", self._read, path, split)

    def score(self, task: Task, text: str | None) -> Score:
        return squad.score(task.gold, text, partial=self.partial)

    def _read(self, path: Path) -> Iterator[Task]:
        for where, row in rows(path):
            question, answer, kind = (row.get(name) for name in ("question", "answer", "type"))
            if not (isinstance(question, str) and isinstance(answer, str) and isinstance(kind, str)):
                refuse(where, '"question", "answer" and "type"', row)
            name = str(row.get("_id") or row.get("id") or digest(question)[:12])
            private = alternate(*_paragraphs(row, where), self.seats, Dice("paragraphs", name))
            yield Task(name, question, answer, private=private, family=kind)


def hotpot(family: str = "", *, seats: Sequence[str] = SEATS, partial: bool = False) -> Hotpot:
    """The benchmark of split evidence, of one family if given; UnknownName where there is no such family.

    >>> hotpot().chance, hotpot("bridge", seats=("reader",)).name
    (0.5, 'hotpot:bridge')
    """
    return Hotpot(family, known_seats(seats), partial)


def _bridge(size: Level, seats: Sequence[str], dice: Dice) -> Draft:
    """A film, its director, and the director's city."""
    films, people, cities = (dice.take(names, size.chains) for names in (FILMS, PEOPLE, CITIES))
    directed = [f"{film} was directed by {person}." for film, person in zip(films, people, strict=True)]
    born = [f"{person} was born in {city}." for person, city in zip(people, cities, strict=True)]
    if size.confusing:
        writers = [*people[1:], people[0]]
        directed += [f"{film} was written by {person}." for film, person in zip(films, writers, strict=True)]
        born += _homes(people, dice)
    first, second = _pair(seats, dice)
    dealt: dict[str, list[str]] = {seat: [] for seat in seats}
    dealt[first].append(directed[0])
    dealt[second] += born
    elsewhere = [seat for seat in seats if seat != second] or [second]
    for line in directed[1:]:
        dealt[dice.pick(elsewhere)].append(line)
    prompt = f"In which city was the director of {films[0]} born? Answer in one word."
    return _draft("bridge", prompt, cities[0], told(dealt, dice), (directed[0], born[0]))


def _comparison(size: Level, seats: Sequence[str], dice: Dice) -> Draft:
    """Two people who were born in the same city or not; every other was born elsewhere."""
    people, cities = (dice.take(names, size.chains) for names in (PEOPLE, CITIES))
    gold = dice.pick(("yes", "no"))
    if gold == "yes":
        cities[1] = cities[0]
    born = [f"{person} was born in {city}." for person, city in zip(people, cities, strict=True)]
    others = born[2:] + (_homes(people, dice) if size.confusing else [])
    prompt = f"Were {people[0]} and {people[1]} born in the same city? Answer yes or no."
    private = alternate(born[:2], others, dice.take(seats, len(seats)), dice)
    return _draft("comparison", prompt, gold, private, sorted(born[:2]))


def _draft(family: str, prompt: str, gold: str, private: FrozenMap[str, str], crux: Sequence[str]) -> Draft:
    return Draft(Task("", prompt, gold, private=private, family=family), ("hotpot", family, *crux))


def _pair(seats: Sequence[str], dice: Dice) -> tuple[str, str]:
    """Two different seats, where there are two."""
    first, second = dice.take(seats, 2) if len(seats) > 1 else (seats[0], seats[0])
    return first, second


def _homes(people: Sequence[str], dice: Dice) -> list[str]:
    """Where each lives, which says nothing of where they were born."""
    return [f"{person} lives in {dice.pick(CITIES)}." for person in people]


def _paragraphs(row: dict[str, Any], where: str) -> tuple[list[str], list[str]]:
    """Those that hold supporting facts, in the order of these facts, and the others."""
    context: Any = row.get("context") or []
    facts: Any = row.get("supporting_facts") or []
    try:
        if isinstance(context, dict):  # as on the hub: columns
            context = zip(context["title"], context["sentences"], strict=True)
            facts = zip(facts["title"], facts["sent_id"], strict=True)
        written = {title: f"{title}: {''.join(sentences).strip()}" for title, sentences in context}
        needed = dict.fromkeys(title for title, _ in facts)
        return [written[title] for title in needed], [line for title, line in written.items() if title not in needed]
    except (KeyError, TypeError, ValueError):
        refuse(where, '"context" of titles with sentences, and "supporting_facts" of such titles', row.get("context"))
