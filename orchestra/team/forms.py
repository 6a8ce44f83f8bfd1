"""Forms of replies that roles promise: functions from text to typed output, and from typed output to answer."""

from __future__ import annotations

import re
from typing import NamedTuple

from orchestra.answers import extract
from orchestra.errors import Unparseable
from orchestra.team.registry import register
from orchestra.types import View


@register("number")
def number(said: str) -> str | None:
    """The number that a text gives as its answer, None if it gives none.

    >>> number("34 + 57 makes 91."), number("I cannot tell.")
    ('91', None)
    """
    return extract(said, "number")


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
