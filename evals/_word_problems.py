"""The stories of `gsm8k`, easiest level first: what is told, how it is worked out, from which numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

SMALL, MIDDLE, LARGE = range(2, 13), range(2, 31), range(11, 100)


class Template(NamedTuple):
    """A story and its solution, step by step: "a * b; x + c" is two steps, the first of which is called x."""

    story: str
    """Of the numbers {a} to {e}, the people {who} and {friend}, and {things}."""
    steps: str
    """Joined by "; "; the results are called x, y, z, and the last one is the answer."""
    spans: tuple[range, ...]
    """Of a, b, ... in this order."""


LEVELS: Final[tuple[Mapping[str, Template], ...]] = (
    {
        "find": Template(
            "{who} has {a} {things} and finds {b} more. How many {things} does {who} have now?",
            "a + b",
            (range(2, 21), range(2, 21)),
        ),
        "give": Template(
            "{who} has {a} {things} and gives {b} of them to {friend}. How many {things} does {who} keep?",
            "a - b",
            (range(3, 26), range(2, 21)),
        ),
        "both": Template(
            "{who} has {a} {things} and {friend} has {b}. How many {things} do they have together?",
            "a + b",
            (range(2, 21), range(2, 21)),
        ),
        "rows": Template(
            "There are {a} rows of {b} chairs in a room. How many chairs are in the room?",
            "a * b",
            (range(2, 21), range(2, 21)),
        ),
        "ages": Template(
            "{who} is {a} years old. {friend} is {b} years younger. How old is {friend}?",
            "a - b",
            (range(5, 31), range(2, 21)),
        ),
        "share": Template(
            "{who} shares {a} {things} equally among {b} children. How many {things} does each child get?",
            "a / b",
            (range(6, 121), range(2, 11)),
        ),
        "boxes": Template(
            "A box holds {a} {things}. How many {things} do {b} boxes hold?",
            "a * b",
            (range(2, 21), range(2, 21)),
        ),
        "want": Template(
            "{who} wants {a} {things} and has {b}. How many more {things} does {who} need?",
            "a - b",
            (range(3, 26), range(2, 21)),
        ),
    },
    {
        "pages": Template(
            "{who} has a book of {a} pages and has read {b} of them. How many pages are left to read?",
            "a - b",
            (range(30, 200), LARGE),
        ),
        "school": Template(
            "There are {a} girls and {b} boys in a school. How many children are in the school?",
            "a + b",
            (LARGE, LARGE),
        ),
        "tickets": Template(
            "One ticket costs ${a}. How many dollars do {b} tickets cost?",
            "a * b",
            (range(3, 16), LARGE),
        ),
        "bags": Template(
            "{who} packs {a} {things} into bags of {b}. How many bags does {who} fill?",
            "a / b",
            (range(30, 400), range(2, 16)),
        ),
        "walks": Template(
            "{who} walks for {a} minutes every day. How many minutes does {who} walk in {b} days?",
            "a * b",
            (LARGE, range(3, 16)),
        ),
        "sold": Template(
            "A baker makes {a} rolls and sells {b} of them. How many rolls does the baker have left?",
            "a - b",
            (range(30, 200), LARGE),
        ),
        "times": Template(
            "{who} picks {a} pears. {friend} picks {b} times as many. How many pears does {friend} pick?",
            "a * b",
            (LARGE, SMALL),
        ),
        "rope": Template(
            "{who} cuts a rope of {a} centimetres into {b} equal pieces. How many centimetres long is each piece?",
            "a / b",
            (range(30, 400), range(2, 16)),
        ),
    },
    {
        "packs": Template(
            "{who} has {c} {things} and buys {a} packs of {b} {things}. How many {things} does {who} have now?",
            "a * b; x + c",
            (SMALL, SMALL, MIDDLE),
        ),
        "loses": Template(
            "{who} has {a} {things}, buys {b} more and then loses {c}. How many {things} are left?",
            "a + b; x - c",
            (MIDDLE, MIDDLE, MIDDLE),
        ),
        "pens": Template(
            "{who} has ${a} and buys {b} pens at ${c} each. How many dollars are left?",
            "b * c; a - x",
            (range(30, 200), SMALL, SMALL),
        ),
        "party": Template(
            "{who} brings {a} {things} and {friend} brings {b}. They share them equally among {c} children. How "
            "many {things} does each child get?",
            "a + b; x / c",
            (range(10, 100), range(10, 100), SMALL),
        ),
        "bus": Template(
            "There are {a} people on a bus. At the next stop {b} get off and {c} get on. How many people are on "
            "the bus now?",
            "a - b; x + c",
            (range(10, 60), MIDDLE, MIDDLE),
        ),
        "cakes": Template(
            "A shop sells {a} cakes in the morning and {b} times as many in the afternoon. How many cakes does it "
            "sell on that day?",
            "a * b; x + a",
            (range(5, 100), SMALL),
        ),
        "years": Template(
            "{who} is {a} years old and {friend} is {b} years older. How old will {friend} be in {c} years?",
            "a + b; x + c",
            (MIDDLE, MIDDLE, MIDDLE),
        ),
        "fence": Template(
            "A garden is {a} metres long and {b} metres wide. How many metres of fence go all around it?",
            "a + b; x * 2",
            (range(5, 80), range(5, 80)),
        ),
    },
    {
        "muffins": Template(
            "{who} bakes {a} trays of {b} muffins, eats {c} of them and sells the others at ${d} each. How many "
            "dollars does {who} get?",
            "a * b; x - c; y * d",
            (SMALL, SMALL, SMALL, range(2, 8)),
        ),
        "wages": Template(
            "{who} works {a} hours a day on {b} days at ${c} an hour and then spends ${d}. How many dollars are left?",
            "a * b; x * c; y - d",
            (range(2, 9), SMALL, range(5, 20), range(10, 100)),
        ),
        "farm": Template(
            "A farm has {a} cows and {b} times as many hens. Then {c} hens are sold. How many cows and hens are "
            "left on the farm?",
            "a * b; x - c; y + a",
            (range(3, 30), range(2, 9), MIDDLE),
        ),
        "stationery": Template(
            "{who} buys {a} notebooks at ${b} each and {c} pens at ${d} each. How many dollars does {who} pay?",
            "a * b; c * d; x + y",
            (SMALL, SMALL, SMALL, SMALL),
        ),
        "vans": Template(
            "A group of {a} children and {b} adults fills vans that seat {c} people each. A van costs ${d}. How "
            "many dollars do the vans cost?",
            "a + b; x / c; y * d",
            (range(10, 60), MIDDLE, range(4, 10), range(20, 60)),
        ),
        "bike": Template(
            "{who} saves ${a} a week for {b} weeks and gets ${c} from {friend}. A bike costs ${d}. How many "
            "dollars are still missing?",
            "a * b; x + c; d - y",
            (range(5, 20), SMALL, range(10, 60), range(150, 400)),
        ),
        "tank": Template(
            "A tank holds {a} litres of water. {who} takes out {b} buckets of {c} litres and pours back {d} "
            "litres. How many litres are in the tank now?",
            "b * c; a - x; y + d",
            (range(100, 300), SMALL, SMALL, MIDDLE),
        ),
        "reader": Template(
            "{who} reads {a} pages on Monday, {b} pages more than that on Tuesday and {c} pages on Wednesday. How "
            "many pages does {who} read on these three days?",
            "a + b; x + a; y + c",
            (MIDDLE, MIDDLE, MIDDLE),
        ),
    },
    {
        "pears": Template(
            "{who} picks {a} baskets of {b} pears and {friend} picks {c} baskets of {d} pears. They eat {e} "
            "pears. How many pears are left?",
            "a * b; c * d; x + y; z - e",
            (SMALL, SMALL, SMALL, SMALL, MIDDLE),
        ),
        "cinema": Template(
            "{who} buys {a} tickets for adults at ${b} each and {c} tickets for children at ${d} each, and pays "
            "with ${e}. How many dollars does {who} get back?",
            "a * b; c * d; x + y; e - z",
            (range(2, 8), SMALL, range(2, 8), SMALL, range(50, 200, 10)),
        ),
        "runner": Template(
            "{who} runs {a} kilometres on each of the 5 weekdays and {b} kilometres on each of the 2 days of the "
            "weekend. How many kilometres does {who} run in {c} weeks?",
            "a * 5; b * 2; x + y; z * c",
            (range(2, 15), range(2, 25), range(2, 15)),
        ),
        "store": Template(
            "A shop has {a} boxes of {b} {things}. It gives away {c} {things} and packs the others into bags of "
            "{d}. A bag costs ${e}. How many dollars do all bags cost?",
            "a * b; x - c; y / d; z * e",
            (SMALL, SMALL, MIDDLE, range(2, 9), range(2, 9)),
        ),
        "three": Template(
            "{who} has {a} {things}. {friend} has {b} times as many. Their cousin has {c} {things} fewer than "
            "{friend}. How many {things} do the three have together?",
            "a * b; x - c; a + x; z + y",
            (range(3, 30), range(2, 9), MIDDLE),
        ),
        "weekend": Template(
            "{who} earns ${a} an hour on weekdays and ${b} an hour more at the weekend. {who} works {c} hours on "
            "weekdays and {d} hours at the weekend. How many dollars does {who} earn?",
            "a + b; a * c; x * d; y + z",
            (range(8, 25), range(2, 9), SMALL, SMALL),
        ),
        "shelves": Template(
            "{a} pupils bring {b} books each and {c} teachers bring {d} books each. All books are spread equally "
            "over {e} shelves. How many books are on each shelf?",
            "a * b; c * d; x + y; z / e",
            (range(5, 30), range(2, 6), range(2, 6), SMALL, range(2, 9)),
        ),
        "gate": Template(
            "A field is {a} metres long and {b} metres wide. A fence all around it costs ${c} a metre, and a gate "
            "in it costs ${d} more. How many dollars do fence and gate cost?",
            "a + b; x * 2; y * c; z + d",
            (range(5, 60), range(5, 60), SMALL, range(20, 100)),
        ),
    },
)
