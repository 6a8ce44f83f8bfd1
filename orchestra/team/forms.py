"""Forms of replies that roles promise: functions from text to typed output, and from typed output to answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from orchestra.answers import extract
from orchestra.errors import Unparseable
from orchestra.team.registry import register
from orchestra.types import AnswerKind, View


@register("number")
def number(said: str) -> str | None:
    """The number that a text gives as its answer, None if it gives none.

    >>> number("34 + 57 makes 91."), number("I cannot tell.")
    ('91', None)
    """
    return extract(said, "number")


@register("answer_of")
@dataclass(frozen=True, slots=True)
class AnswerOf:
    """The answer of one kind that a text gives, None if it gives none; `number` is that of numbers.

    >>> AnswerOf("choice")("I think (B) is right."), AnswerOf("choice", ("yes", "no"))("No, never.")
    ('B', 'no')
    """

    kind: AnswerKind
    choices: tuple[str, ...] = ()
    """The closed set, where all tasks share it; without it labels alone are found, A to E."""

    def __call__(self, said: str) -> str | None:
        return extract(said, self.kind, self.choices)


_in_kind: dict[Any, Callable[[AnswerOf], Any]] = {number: lambda form: form}


def made_of(form: Any, make: Callable[[AnswerOf], Any]) -> None:
    """Says how a form that reads numbers is made for another kind of answer."""
    _in_kind[form] = make


def in_kind(form: Any, answers: AnswerOf) -> Any:
    """The form for another kind of answer; one that reads no number stays as it is."""
    return _in_kind[form](answers) if form in _in_kind else form


class Verdict(NamedTuple):
    """A verifier's judgement of a proposal."""

    right: bool
    said: str


_YES_NO = re.compile(r"(\bnot\s+|n['’]t\s+)?\b(yes|no|correct|incorrect|right|wrong)\b", re.IGNORECASE)


@register("verdict")
def verdict(said: str) -> Verdict:
    """Yes or no, by the first word that says so; Unparseable where none does.

    >>> verdict("No, it is 91.").right, verdict("The answer is correct.").right, verdict("That is not right").right
    (False, True, False)
    """
    found = _YES_NO.search(said)
    if found is None:
        raise Unparseable(f"expected a verdict that says yes or no, got {said[:80]!r}")
    denied, word = found.groups()
    return Verdict((word.lower() in ("yes", "correct", "right")) != bool(denied), said.strip())


@register("own_words")
def own_words(view: View, said: str) -> str:
    """Remembers the last reply."""
    return said
