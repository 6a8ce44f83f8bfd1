"""Everyday knowledge with five options (CommonsenseQA, Talmor et al., arXiv 1811.00937).

A row of an official file; the flat rows of the copy on Hugging Face are read too:

    {"answerKey": "E", "id": "597d2a1c9df7962218d8b807df1f8212", "question": {"question_concept": "sunshine",
     "choices": [{"label": "A", "text": "summer"}, {"label": "B", "text": "park"}, {"label": "C", "text": "desktop"},
     {"label": "D", "text": "sea"}, {"label": "E", "text": "moon"}], "stem": "What blocks sunshine?"}}

The test file of 1,140 rows has no answers, so the 1,221 rows of dev are what is reported; train has 9,741. The score is
the letter's; under the flexible rule the words of an option do too. `Task.family` is the concept asked about.

The sample is made from tables of our own (`_concepts.py`). A fact may come in several phrasings and beside several sets
of wrong answers, all of them in one split. Chance is 1/5.

| level | families       | items | asked                                                       |
|-------|----------------|-------|-------------------------------------------------------------|
| 0     | kind, opposite | 1,152 | what sparrow is a kind of; the opposite of hot              |
| 1     | use, job       | 528   | what a broom is for, what sweeps floors; what a baker does  |
| 2     | place          | 456   | where one finds a stove, what one finds in a kitchen        |
| 3     | odd            | 399   | which of five is not a bird                                 |
| 4     | analogy        | 392   | sparrow is to bird as salmon is to what                     |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from orchestra.evals._concepts import JOBS, KINDS, OPPOSITES, PLACES, USES
from orchestra.evaluation.sources.generate import Dice, Family, Generated, Source
from orchestra.evaluation.sources.multiple_choice import LETTERS, Fact, all_posed, grade_choice, read
from orchestra.types import Task

LABELS: Final = LETTERS[:5]
WRONG: Final = len(LABELS) - 1
VARIANTS: Final = 3
"""Of each phrasing of a fact, with wrong answers drawn anew."""
DRAWN: Final = 400
KIND_OF: Final = {member: kind for kind, members in KINDS.items() for member in members}


def _asked(name: str, table: Mapping[str, str], *phrasings: str) -> Iterator[Fact]:
    """What stands on the right of each line, in every phrasing; wrong is what stands on the right of others."""
    for left, right in table.items():
        others = sorted({other for other in table.values() if other != right})
        for number, phrasing in enumerate(phrasings * VARIANTS):
            wrong = Dice("wrong", name, left, str(number)).take(others, WRONG)
            yield Fact((name, *sorted((left, right))), phrasing.format(left, an=_an(left)), right, wrong)


def _an(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _turned(table: Mapping[str, str]) -> Mapping[str, str]:
    return {right: left for left, right in table.items()}


def kind() -> Iterator[Fact]:
    return _asked("kind", KIND_OF, "Of what kind is this: {}?", "To which kind of things does this belong: {}?")


def opposite() -> Iterator[Fact]:
    for table in (OPPOSITES, _turned(OPPOSITES)):
        yield from _asked("opposite", table, "What is the opposite of {}?", "Which word means the contrary of {}?")


def use() -> Iterator[Fact]:
    yield from _asked("use", USES, "What do people use {an} for?")
    yield from _asked("use", _turned(USES), "What do people use for {}?")


def job() -> Iterator[Fact]:
    yield from _asked("job", JOBS, "What does {an} do?")
    yield from _asked("job", _turned(JOBS), "Who {}?")


def place() -> Iterator[Fact]:
    yield from _asked("place", PLACES, "Where would you expect {an}?", "In what place is there usually {an}?")
    yield from _asked("place", _turned(PLACES), "What would you expect in {an}?", "What is there usually in {an}?")


def odd() -> Iterator[Fact]:
    for number in range(DRAWN):
        dice = Dice("odd", str(number))
        inside, outside = dice.take(KINDS, 2)
        members, stranger = dice.take(KINDS[inside], WRONG), dice.pick(KINDS[outside])
        yield Fact(
            ("odd", *sorted([*members, stranger])), f"Which of these is not a kind of {inside}?", stranger, members
        )


def analogy() -> Iterator[Fact]:
    tables = (KIND_OF, USES, PLACES)
    for number in range(DRAWN):
        dice = Dice("analogy", str(number))
        table = dice.pick(tables)
        first, second = dice.take(table, 2)
        right, lure = table[second], table[first]
        if right == lure:
            continue
        others = sorted(set(table.values()) - {right, lure})
        question = f"{first} is to {lure} as {second} is to what?"
        yield Fact(("analogy", *sorted((first, second))), question, right, dice.take(others, WRONG))


FAMILIES: Final[Mapping[str, Callable[[], Iterable[Fact]]]] = {
    each.__name__: each for each in (kind, opposite, use, job, place, odd, analogy)
}
LEVELS: Final[Sequence[Sequence[str]]] = (("kind", "opposite"), ("use", "job"), ("place",), ("odd",), ("analogy",))


def _concept(row: Mapping[str, Any]) -> str:
    question = row["question"]
    return str((question if isinstance(question, dict) else row).get("question_concept") or "")


def _read(path: Path) -> Iterator[Task]:
    return read(path, _concept)


def _family(name: str) -> Family:
    return Family(lambda: all_posed(FAMILIES[name](), LABELS), 1 / len(LABELS))


SOURCE: Final = Source(
    name="commonsenseqa",
    kind="choice",
    families={name: _family(name) for name in FAMILIES},
    levels=LEVELS,
    read=_read,
    score=grade_choice,
)


def commonsenseqa(family: str = "") -> Generated:
    """Everyday knowledge with five options, of one family if given; UnknownName where there is no such family.

    >>> [task] = commonsenseqa("use").sample(1, split="train")
    >>> print(task.prompt.partition(chr(10))[0], task.gold)
    What do people use for holding a ship in place? E
    """
    return Generated(SOURCE, family)
