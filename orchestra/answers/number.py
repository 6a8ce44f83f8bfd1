r"""Numbers: GSM8K's official rule where it is strict, and what a reader would take for the answer where it is flexible.

The official rule (openai/grade-school-math, dataset.py) takes the first match of `#### (\-?[0-9\.\,]+)`, removes commas
and compares strings. Values are exact rationals. A fraction is a number only in lowest terms (so 6/8 is not 3/4, as
prm800k's grader has it); numbers of more than 200 characters are compared as text.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from math import gcd
from typing import Final

from orchestra.answers.reply import answer_line, boxed, marked

_GSM8K: Final = re.compile(r"#### (-?[0-9.,]+)")
_PROMISED: Final = re.compile(r"(-?[0-9][0-9,]*(?:\.[0-9]+)?(?:/[0-9]+)?)\.?")
_DECIMAL: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![\w.])\.[0-9]+"
_NUMBER: Final = re.compile(rf"((?<![\w)\]}}%])-)?\$?({_DECIMAL})(/[0-9]+)?")  # 10-20 is a range, so 20 has no sign
_FRAC: Final = re.compile(r"\\[dt]?frac\{([0-9]+)\}\{([0-9]+)\}")
_LONGEST: Final = 200


def strict(reply: str, choices: Sequence[str] = ()) -> str | None:
    """The first "#### N" anywhere; else N of a last line "Answer: N"; else the reply, if it is nothing but a number."""
    if match := _GSM8K.search(reply):
        said = match[1].replace(",", "")
        return said if any(c.isdigit() for c in said) else None
    match = _PROMISED.fullmatch(answer_line(reply) or reply.strip())
    return match[1].replace(",", "") if match else None


def flexible(reply: str, choices: Sequence[str] = ()) -> str | None:
    """The strict answer; else the number of the last box, of the last marker that has one, or the last of the reply.

    Read as numbers: U+2212 as a minus sign, thousands separators (also LaTeX's `10,\\!080`), a dollar sign, a fraction.

    >>> flexible("it changes by \\u221210"), flexible("Answer: 34 + 57 = 91"), flexible(r"so \\boxed{10,\\!080}")
    ('-10', '91', '10080')
    """
    if promised := strict(reply):
        return _stated(promised)
    reply = _plain(reply)
    box = boxed(reply)
    if box == "":
        return None
    if box and (inside := _stated(box)):
        return inside
    for line in marked(reply):
        if stated := _stated(line):
            return stated
    last = deque(_NUMBER.finditer(reply), maxlen=1)
    return _written(last[0]) if last else None


def exact(a: str, b: str) -> bool:
    """The official string equality: commas and outer space do not count."""
    return a.replace(",", "").strip() == b.replace(",", "").strip()


def same(a: str, b: str) -> bool:
    """Equal as rationals, or written alike."""
    x, y = value(a), value(b)
    return exact(a, b) or (x is not None and x == y)


def value(answer: str) -> Fraction | None:
    """The exact rational that an answer states; None: it is no number, too long, or a fraction not in lowest terms.

    >>> value("1,234.50"), value("-3/4"), value("6/8"), value("ten")
    (Fraction(2469, 2), Fraction(-3, 4), None, None)
    """
    plain = _plain(answer).strip().rstrip(".%")
    match = _NUMBER.fullmatch(plain) if len(plain) <= _LONGEST else None
    if match is None:
        return None
    top = Fraction((match[1] or "") + match[2].replace(",", ""))
    if match[3] is None:
        return top
    below = int(match[3][1:])
    return top / below if below and top.denominator == 1 and gcd(top.numerator, below) == 1 else None


def _plain(text: str) -> str:
    return _FRAC.sub(r"\1/\2", text.replace("\u2212", "-").replace(r"\!", "").replace("{,}", ","))


def _stated(line: str) -> str | None:
    """The number that a marked line gives: behind its last "=", if one stands there, else its first."""
    return _written(_NUMBER.search(line.rpartition("=")[2])) or _written(_NUMBER.search(line))


def _written(match: re.Match[str] | None) -> str | None:
    return (match[1] or "") + match[2].replace(",", "") + (match[3] or "") if match else None
