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


_YES_NO = re.compile(r"\b(yes|no|correct|incorrect|right|wrong)\b", re.IGNORECASE)
_AGAINST = re.compile(r"\b(?:not|isn't|isn’t)\s+(?:correct|right)\b", re.IGNORECASE)


@register("verdict")
def verdict(said: str) -> Verdict:
    """Yes or no, by the first word that says so; Unparseable where none does.

    >>> verdict("No, it is 91.").right, verdict("The answer is correct.").right, verdict("That is not right").right
    (False, True, False)
    """
    found = _YES_NO.search(said)
    if found is None:
        raise Unparseable(f"expected a verdict that says yes or no, got {said[:80]!r}")
    right = found.group(1).lower() in ("yes", "correct", "right") and not _AGAINST.search(said)
    return Verdict(right, said.strip())


@register("own_words")
def own_words(view: View, said: str) -> str:
    """Remembers the last reply."""
    return said
