"""Names for generated questions: usual first names and cities, and towns, countries and films that do not exist.

Nothing that a model has read can answer a question about them; what is asked stands in the task.
"""

from __future__ import annotations

from itertools import product
from typing import Final

PEOPLE: Final = (
    "Ada", "Alan", "Amy", "Ann", "Ben", "Beth", "Bob", "Carl", "Clara", "Dan", "Dora", "Ella", "Emma", "Eric", "Eva",
    "Frank", "Fred", "Grace", "Hans", "Helen", "Henry", "Ida", "Ivan", "Jack", "Jane", "John", "Judy", "Karl", "Kate",
    "Laura", "Leo", "Lisa", "Lucy", "Mark", "Mary", "Max", "Mia", "Mike", "Nina", "Noah", "Olga", "Oscar", "Paul",
    "Peter", "Rita", "Rose", "Ruth", "Sam", "Sara", "Simon", "Tina", "Tom", "Vera", "Walter",
)  # fmt: skip
CITIES: Final = (
    "Rome", "Paris", "London", "Berlin", "Madrid", "Vienna", "Athens", "Cairo", "Tokyo", "Delhi", "Lima", "Oslo",
    "Dublin", "Prague", "Moscow", "Sydney", "Boston", "Chicago", "Dallas", "Denver", "Miami", "Seattle", "Toronto",
    "Geneva", "Milan", "Naples", "Lisbon", "Warsaw",
)  # fmt: skip
"""Real ones, which a small model can copy; where somebody without a surname was born is no knowledge."""
TOWNS: Final = tuple(
    map("".join, product(("Dor", "Vel", "Mar", "Kel", "Lin", "Tar", "Bran"), ("by", "ton", "wick", "mouth")))
)
COUNTRIES: Final = tuple(map("".join, product(("Zan", "Vor", "Gal", "Per", "Ost"), ("ia", "land", "ora"))))
FILMS: Final = tuple(
    map(
        " ".join,
        product(
            ("Red", "Blue", "Last", "Silent", "Golden", "Broken"),
            ("Door", "River", "Tower", "Garden", "Bridge", "Letter"),
        ),
    )
)
