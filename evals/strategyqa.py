"""Questions answered by yes or no in two steps, neither of which the question names (StrategyQA, arXiv 2101.02235).

A row of the official file (eladsegal/strategyqa, MIT; only what is read), and a sampled task with its facts:

    {"qid": "e0044a7b4d146d611e73", "question": "Will the Albany in Georgia reach a hundred thousand occupants ...?",
     "answer": false, "facts": ["Albany, GA has around 75,000 people", ...], "decomposition": [...]}
    Task(prompt="Dora lives in Velby. ... Velby is in Zania. ...\\nDoes Dora live in Zania? Answer yes or no.",
         gold="yes", kind="choice", choices=("yes", "no"), family="place-2")

Of the authors' split of the published train file, `dev.json` has 229 rows, 107 of them yes. The facts of a row give the
answer away, so a loaded task is the question alone.

| form  | two steps                                              |
|-------|--------------------------------------------------------|
| place | a person lives in a town, the town is in a country     |
| trait | a person keeps an animal, the animal has a trait       |
| age   | two people's towns, the years these towns were founded |

| level | 0 | 1 | 2 | 3 | 4  |
|-------|---|---|---|---|----|
| people with their facts, one or two of them asked about | 2 | 3 | 4 | 6 | 10 |

A family is a form and a number of people ("place-2") with 2,000 items. Chance is 0.5: both answers are drawn alike, and
what is asked about is named among the facts, whatever the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.generate import Dice, Family, Generated, Item, Source
from orchestra.evaluation.sources.invented import COUNTRIES, PEOPLE, TOWNS
from orchestra.types import Task

FORMS: Final = ("place", "trait", "age")
SIZES: Final = (2, 3, 4, 6, 10)
"""People of each level."""
FACTS: Final = 2000
"""Of each family."""
ANSWERS: Final = ("yes", "no")
ANIMALS: Final = ("wug", "dax", "blick", "tove", "fep", "zup", "gorp", "mib", "nurl", "plim")
TRAITS: Final = ("swim", "fly", "climb", "dig", "sing", "jump", "dance", "hide", "run", "dive")
YEARS: Final = range(1200, 1900)


def _items(form: str, size: int) -> Iterator[Item]:
    """FACTS different facts; so few of the possible ones that none of them is hard to find."""
    draw = {"place": _place, "trait": _trait, "age": _age}[form]
    turn, met = count(), set[tuple[str, ...]]()
    while len(met) < FACTS:
        item = draw(size, Dice("strategyqa", form, str(size), str(next(turn))))
        if item.fact not in met:
            met.add(item.fact)
            yield item


def _place(size: int, dice: Dice) -> Item:
    people, towns, countries = (dice.take(names, size) for names in (PEOPLE, TOWNS, COUNTRIES))
    gold = dice.pick(ANSWERS)
    asked = countries[0] if gold == "yes" else dice.pick(countries[1:])
    facts = [f"{person} lives in {town}." for person, town in zip(people, towns, strict=True)]
    facts += [f"{town} is in {country}." for town, country in zip(towns, countries, strict=True)]
    return _item(facts, f"Does {people[0]} live in {asked}?", gold, (facts[0], facts[size], asked), dice)


def _trait(size: int, dice: Dice) -> Item:
    """Who has the trait and who lacks it differs from animal to animal, and both occur."""
    people, animals = dice.take(PEOPLE, size), dice.take(ANIMALS, size)
    trait, gold = dice.pick(TRAITS), dice.pick(ANSWERS)
    can = [gold == "yes", gold == "no", *(dice.pick(ANSWERS) == "yes" for _ in animals[2:])]
    facts = [f"{person} keeps a {animal}." for person, animal in zip(people, animals, strict=True)]
    facts += [f"A {animal} can{'' if able else 'not'} {trait}." for animal, able in zip(animals, can, strict=True)]
    question = f"Can the animal that {people[0]} keeps {trait}?"
    return _item(facts, question, gold, (facts[0], facts[size]), dice)


def _age(size: int, dice: Dice) -> Item:
    people, towns = dice.take(PEOPLE, size), dice.take(TOWNS, size)
    years = dice.take(YEARS, size)
    gold = "yes" if years[0] < years[1] else "no"
    facts = [f"{person} lives in {town}." for person, town in zip(people, towns, strict=True)]
    facts += [f"{town} was founded in {year}." for town, year in zip(towns, years, strict=True)]
    question = f"Is the town of {people[0]} older than the town of {people[1]}?"
    return _item(facts, question, gold, (facts[0], facts[1], facts[size], facts[size + 1]), dice)


def _item(facts: list[str], question: str, gold: str, fact: tuple[str, ...], dice: Dice) -> Item:
    prompt = f"{' '.join(dice.take(facts, len(facts)))}\n{question} Answer yes or no."
    return Item(("strategyqa", *sorted(fact)), prompt, gold, ANSWERS)


def _read(path: Path) -> Iterator[Task]:
    for where, row in rows(path):
        name, question, answer = (row.get(field) for field in ("qid", "question", "answer"))
        if not (isinstance(name, str) and isinstance(question, str) and isinstance(answer, bool)):
            refuse(where, '"qid", "question" and "answer" (true or false)', row)
        yield Task(name, question, "yes" if answer else "no", "choice", choices=ANSWERS)


SOURCE: Final = Source(
    name="strategyqa",
    kind="choice",
    families={f"{form}-{size}": Family(partial(_items, form, size), 0.5) for size in SIZES for form in FORMS},
    levels=[[f"{form}-{size}" for form in FORMS] for size in SIZES],
    read=_read,
)


def strategyqa(family: str = "") -> Generated:
    """Two steps to yes or no, in one form and size if given; UnknownName where there is none of that name.

    >>> strategyqa("place-2").chance
    0.5
    """
    return Generated(SOURCE, family)
