"""Facts with one right answer and four plausible wrong ones: order, calendar, clock and units; for `mmlu` and `arc`.

Wrong numbers are drawn so that the right one is as often the smallest shown as the largest, and a guess by size gains
nothing. Invariant: a fact is named by what it asks, so both benchmarks put it into the same split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Final

from orchestra.evaluation.sources.generate import Dice
from orchestra.evaluation.sources.multiple_choice import Fact

DRAWN: Final = 400
"""Draws for each family that is not listed in full."""
WRONG: Final = 4

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final[Mapping[str, int]] = {
    "January": 31, "February": 28, "March": 31, "April": 30, "May": 31, "June": 30,
    "July": 31, "August": 31, "September": 30, "October": 31, "November": 30, "December": 31,
}  # fmt: skip
UNITS: Final = (
    ("minute", "second", 60), ("hour", "minute", 60), ("day", "hour", 24), ("week", "day", 7), ("year", "month", 12),
    ("decade", "year", 10), ("century", "year", 100), ("kilometre", "metre", 1000), ("metre", "centimetre", 100),
    ("centimetre", "millimetre", 10), ("kilogram", "gram", 1000), ("litre", "millilitre", 1000), ("foot", "inch", 12),
    ("yard", "foot", 3), ("pound", "ounce", 16), ("gallon", "quart", 4), ("quart", "pint", 2), ("dozen", "piece", 12),
)  # fmt: skip
"""Larger, smaller, and how many of the smaller make the larger."""
PLURALS: Final = {"century": "centuries", "foot": "feet", "inch": "inches", "dozen": "dozen"}
LENGTHS: Final = {"mm": 1, "cm": 10, "m": 1000, "km": 1_000_000}
WORDS: Final = (
    "apple", "anchor", "basket", "bridge", "candle", "castle", "desert", "dragon", "engine", "escape", "forest",
    "flower", "garden", "guitar", "hammer", "harbour", "island", "insect", "jacket", "jungle", "kettle", "kitchen",
    "ladder", "lemon", "market", "mirror", "needle", "number", "orange", "oyster", "palace", "pencil", "queen",
    "quilt", "rabbit", "ribbon", "saddle", "silver", "table", "tunnel", "umbrella", "uncle", "valley", "violin",
    "water", "window", "yellow", "zebra",
)  # fmt: skip


def largest(dice: Dice) -> Fact:
    numbers = sorted({100 + dice.below(900) for _ in range(12)})[-5:]
    return _named("largest", "Which of these numbers is the largest?", [f"{n}" for n in reversed(numbers)])


def alphabet(dice: Dice) -> Fact:
    return _named("alphabet", "Which of these words comes first in a dictionary?", sorted(dice.take(WORDS, 5)))


def days() -> Iterator[Fact]:
    for later in range(2, 2 + DRAWN):  # each number once, or two questions would be told apart by word order alone
        start = Dice("days", str(later)).below(7)
        question = f"Which day of the week comes {later} days after {DAYS[start]}?"
        yield _among(("days", str(later)), question, DAYS, start + later)


def months() -> Iterator[Fact]:
    names = list(MONTHS)
    for later in range(2, 2 + DRAWN):
        start = Dice("months", str(later)).below(12)
        question = f"Which month comes {later} months after {names[start]}?"
        yield _among(("months", str(later)), question, names, start + later)


def units() -> Iterator[Fact]:
    for (large, small, factor), n in product(UNITS, range(2, 26)):
        question = f"How many {_many(small)} are there in {n} {_many(large)}?"
        wrong = {(n + step) * factor for step in range(-3, 4)} | {n * other for _, _, other in UNITS}
        yield _number(("units", large, small, str(n)), question, n * factor, wrong)


def clock(dice: Dice) -> Fact:
    start, later = 5 * dice.below(144), 20 + 5 * dice.below(100)
    question = f"A train leaves at {_time(start)} and drives for {later} minutes. When does it arrive?"
    times = _number(("clock", str(start), str(later)), question, start + later, {start + later + d for d in _OFF})
    return times._replace(right=_time(int(times.right)), wrong=[_time(int(time)) for time in times.wrong])


def mixed(dice: Dice) -> Fact:
    large, small, factor = dice.pick([unit for unit in UNITS if unit[2] > 4])
    n, rest = 2 + dice.below(12), 1 + dice.below(factor - 1)
    question = f"How many {_many(small)} are {n} {_many(large)} and {rest} {_many(small) if rest > 1 else small}?"
    right = n * factor + rest
    wrong = {(n + step) * factor + rest for step in (-2, -1, 1, 2)} | {right + step for step in (-4, -3, 3, 4)}
    return _number(("mixed", large, small, str(n), str(rest)), question, right, wrong)


def dates(dice: Dice) -> Fact:
    first, last, between = _dates(dice)
    question = f"How many days after {first} is {last} of the same year?"
    return _number(
        ("dates", *sorted([*first.split(), *last.split()])),
        question,
        between,
        {between + step for step in range(-4, 5)},
    )


def longest(dice: Dice) -> Fact:
    sizes = sorted((20 + dice.below(80)) * 25 for _ in range(9))
    lengths = [_length(size, dice.pick(list(LENGTHS))) for size in sizes]
    shown = sorted(lengths, key=_millimetres, reverse=True)
    apart = [a for a, b in zip(shown, [*shown[1:], ""], strict=True) if not b or _millimetres(a) != _millimetres(b)]
    return _named("longest", "Which of these lengths is the longest?", apart[:5])


def weekday(dice: Dice) -> Fact:
    first, last, between = _dates(dice)
    start = dice.below(7)
    question = f"If {first} is a {DAYS[start]}, which day of the week is {last} of the same year?"
    return _among(("weekday", *sorted([*first.split(), *last.split()])), question, DAYS, start + between)


def _drawn(name: str, draw: Callable[[Dice], Fact]) -> Iterator[Fact]:
    yield from (draw(Dice("facts", name, str(number))) for number in range(DRAWN))


FAMILIES: Final[Mapping[str, Callable[[], Iterable[Fact]]]] = {
    "days": days,
    "months": months,
    "units": units,
    **{draw.__name__: partial(_drawn, draw.__name__, draw) for draw in (largest, alphabet, clock, mixed, dates)},
    **{draw.__name__: partial(_drawn, draw.__name__, draw) for draw in (longest, weekday)},
}
LEVELS: Final = (
    ("largest", "alphabet"),
    ("days", "months"),
    ("units", "clock"),
    ("mixed", "dates"),
    ("longest", "weekday"),
)
_OFF: Final = tuple(step for step in range(-60, 61, 10) if step)


def _named(family: str, question: str, best_first: Sequence[str]) -> Fact:
    return Fact((family, *sorted(best_first)), question, best_first[0], best_first[1:])


def _among(name: tuple[str, ...], question: str, names: Sequence[str], place: int) -> Fact:
    right = names[place % len(names)]
    return Fact(name, question, right, Dice(*name).take([other for other in names if other != right], WRONG))


def _number(name: tuple[str, ...], question: str, right: int, near: Iterable[int]) -> Fact:
    """With as many smaller wrong numbers as a draw from 0 to WRONG says, as far as there are such."""
    dice = Dice(*name)
    below = [value for value in sorted(set(near)) if 0 < value < right]
    above = [value for value in sorted(set(near)) if value > right]
    smaller = max(min(dice.below(WRONG + 1), len(below)), WRONG - len(above))
    wrong = dice.take(below, smaller) + dice.take(above, WRONG - smaller)
    return Fact(name, question, str(right), [str(value) for value in wrong])


def _many(unit: str) -> str:
    return PLURALS.get(unit, f"{unit}s")


def _time(minutes: int) -> str:
    return f"{minutes // 60 % 24}:{minutes % 60:02}"


def _dates(dice: Dice) -> tuple[str, str, int]:
    """Two days of a year, from March on, so that leap years do not matter, and how many days lie between them."""
    names = list(MONTHS)[2:]
    first = dice.below(9)
    last = min(first + 1 + dice.below(3), 9)
    a, b = (1 + dice.below(MONTHS[names[month]]) for month in (first, last))
    between = sum(MONTHS[name] for name in names[first:last]) + b - a
    return f"{names[first]} {a}", f"{names[last]} {b}", between


def _length(millimetres: int, unit: str) -> str:
    return f"{millimetres / LENGTHS[unit]:g} {unit}"


def _millimetres(length: str) -> float:
    size, unit = length.split()
    return float(size) * LENGTHS[unit]
