"""What a reply answers, and when two answers are the same: the one rule for roles, quorums, votes and scores.

Invariants: an answer that the strict rule finds right is right under the flexible rule too; no answer (None, or text
that is blank) is never right, not even against itself; no input raises, and every rule is linear in its input.

Each kind of answer is one file with these functions; thinking is removed before:

    strict(reply, choices)     the promised form only; None where it is missed
    flexible(reply, choices)   the strict answer, else what the reply most plainly says
    same(a, b)                 the equality of the flexible score, of quorums and of votes
    exact(a, b)                numbers only: the equality of the strict score; elsewhere that is `same`

| kind   | strict form                                        | flexible, in this order                               |
|--------|----------------------------------------------------|-------------------------------------------------------|
| number | first "#### N" (GSM8K), else last line "Answer: N" | last box, last marker, last number                    |
|        | else nothing but the number                        |                                                       |
| choice | last line "Answer: X", else nothing but the option | last box, last marker, leading option, only one named |
| text   | last box, else last line "Answer: X", else one     | last marker, last line                                |
|        | line without a marker                              |                                                       |
| code   | no fence, or one fence around everything           | last closed fence                                     |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from orchestra.answers import choice, code, number, text
from orchestra.answers.reply import final
from orchestra.types import AnswerKind

__all__ = ["equal", "equal_strict", "extract", "extract_strict"]


class Rules(NamedTuple):
    """How answers of one kind are found and compared."""

    strict: Callable[[str, Sequence[str]], str | None]
    flexible: Callable[[str, Sequence[str]], str | None]
    exact: Callable[[str, str], bool]
    same: Callable[[str, str], bool]


RULES: Final[Mapping[AnswerKind, Rules]] = {
    "number": Rules(number.strict, number.flexible, number.exact, number.same),
    "choice": Rules(choice.strict, choice.flexible, choice.same, choice.same),
    "text": Rules(text.strict, text.flexible, text.same, text.same),
    "code": Rules(code.strict, code.flexible, code.same, code.same),
}


def extract(reply: str, kind: AnswerKind, choices: Sequence[str] = ()) -> str | None:
    """The answer that `reply` gives under the flexible rule; None where it gives none.

    >>> extract("Answer: 18\\n\\nLet me double check: it took 7 days.", "number")
    '18'
    >>> extract("The answer is (B), not (D).", "choice")
    'B'
    """
    return RULES[kind].flexible(final(reply), choices) or None


def extract_strict(reply: str, kind: AnswerKind, choices: Sequence[str] = ()) -> str | None:
    """The answer in exactly the promised form; None where the form is missed.

    >>> extract_strict("#### 1,234", "number"), extract_strict("It is 1,234.", "number")
    ('1234', None)
    """
    return RULES[kind].strict(final(reply), choices) or None


def equal(a: str | None, b: str | None, kind: AnswerKind) -> bool:
    """Whether two answers mean the same; symmetric, and False where either is missing.

    >>> equal("18.00", "18", "number"), equal("6/8", "3/4", "number"), equal(None, None, "text")
    (True, False, False)
    """
    return _given(a) and _given(b) and RULES[kind].same(a or "", b or "")


def equal_strict(a: str | None, b: str | None, kind: AnswerKind) -> bool:
    """As `equal`, but numbers must be written alike, as GSM8K's official scorer has it; commas do not count.

    >>> equal_strict("18.00", "18", "number"), equal_strict("1,234", "1234", "number")
    (False, True)
    """
    return _given(a) and _given(b) and RULES[kind].exact(a or "", b or "")


def _given(answer: str | None) -> bool:
    return answer is not None and bool(answer.strip())
