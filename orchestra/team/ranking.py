"""Judgements of peers: which of those shown are best, and how good each of them is. Forms of replies, read leniently.

A reply that names nobody and rates nobody is no failure: it judges nothing, and whoever asked treats all alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from orchestra.team.forms import AnswerOf, made_of, number
from orchestra.team.registry import register
from orchestra.types import EMPTY, FrozenMap

_NUMBER = re.compile(r"\d+")
_RATINGS = re.compile(r"\[{0,2}\bratings?\b[\]\s]*(?:[:=]|(?=[\[1-5]))", re.IGNORECASE)
_MARK = re.compile(r"(?<![\d.])[1-5](?![\d.]*\d)")


@register("places")
def places(said: str) -> tuple[int, ...]:
    """The numbers of a ranking, counted from 1 as people do, as places counted from 0; each once, best first.

    >>> places("[3, 1]"), places("2, then 2 again"), places("None of them.")
    ((2, 0), (1,), ())
    """
    named = [int(digits) - 1 for digits in _NUMBER.findall(said) if len(digits) < 6]
    return tuple(dict.fromkeys(place for place in named if place >= 0))


@dataclass(frozen=True, slots=True)
class Rated:
    """An answer, and how good the speaker found those it heard. In a stored run it is a dict of these fields."""

    said: str
    """The reply without the ratings."""
    answer: str | None = None
    scores: tuple[int, ...] = ()
    """From 1 to 5, in the order in which it was shown them; empty: it rated nobody."""
    ratings: FrozenMap[str, float] = EMPTY
    """The same by name of agent, from 1 to 5; empty unless there is one for each that it was shown."""


@register("rated")
def rated(said: str) -> Rated:
    """The answer before the last "Ratings:" and the marks behind it.

    >>> rated("It is 91.\\nRatings: 5 1 4")
    Rated(said='It is 91.', answer='91', scores=(5, 1, 4), ratings=FrozenMap({}))
    """
    return _rated(said, number)


@register("rated_in")
@dataclass(frozen=True, slots=True)
class RatedIn:
    """As `rated`, of answers of another kind."""

    answers: AnswerOf

    def __call__(self, said: str) -> Rated:
        return _rated(said, self.answers)


made_of(rated, RatedIn)


def _rated(said: str, answer: Callable[[str], str | None]) -> Rated:
    found = list(_RATINGS.finditer(said))
    if not found:
        return Rated(said.strip(), answer(said))
    before, marks = said[: found[-1].start()].strip(), said[found[-1].end() :].partition("\n")[0]
    return Rated(before, answer(before), tuple(int(mark) for mark in _MARK.findall(marks)))


@register("rated_answer")
def rated_answer(parsed: Rated) -> str | None:
    """The answer in it."""
    return parsed.answer
