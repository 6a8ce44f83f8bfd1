r"""Whether two LaTeX expressions have one value, tried out at a few points: `5x` is `x*5`, `2\sqrt{3}` is `\sqrt{12}`.

Only numbers, letters, `i`, `\pi`, sums, products, fractions, powers and roots are read; of all else there is no
opinion, which counts as different. Invariant: never raises and never evaluates text as code; time is linear in the
text, of at most LONGEST characters. A plain number is equal to its own notation alone, so 6/8 is not 3/4, as prm800k's
grader has it. Values that differ by less than one part in 10^9 are taken for the same.
"""

from __future__ import annotations

import cmath
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from orchestra.answers.text import normal

LONGEST: Final = 200
DEEPEST: Final = 20
POINTS: Final = (1.3701, -0.7723, 2.2094)
"""Where the first letter is tried; the others follow from it. Of both signs, so that the root of x^2 is not x."""

_TOKEN: Final = re.compile(r"\d+(?:\.\d+)?|\.\d+|\\(?:frac|sqrt|pi|cdot|times|div)|[a-z+\-*/^(){}\[\]]")
_PLAIN: Final = re.compile(r"-?(?:[\d.,]+(?:/\d+)?|\\frac\{-?\d+\}\{-?\d+\})")
_OPERATORS: Final = {r"\cdot": "*", r"\times": "*", r"\div": "/"}
_BRACKETS: Final = {"(": ")", "[": "]", "{": "}"}


def same_value(a: str, b: str) -> bool:
    r"""Whether two answers say the same, part by part where they are lists, pairs or intervals; symmetric.

    >>> same_value("1+i", "i+1"), same_value(r"(3, \frac{\sqrt{8}}{2})", r"(3, \sqrt{2})"), same_value("6/8", "3/4")
    (True, True, False)
    """
    if max(len(a), len(b)) > LONGEST:
        return False
    ours, theirs = list(_parts(normal(a))), list(_parts(normal(b)))
    return len(ours) == len(theirs) and all(map(_same_part, ours, theirs))


def _same_part(a: str, b: str) -> bool:
    if a == b or _PLAIN.fullmatch(a) or _PLAIN.fullmatch(b):
        return a == b != ""
    try:
        ours, theirs = _Reader(a).program(), _Reader(b).program()
        letters = sorted({step for step in (*ours, *theirs) if isinstance(step, str) and step.isalpha()} - {"i"})
        return all(_close(*(_value(program, _point(letters, x)) for program in (ours, theirs))) for x in POINTS)
    except (_NoOpinion, ArithmeticError, ValueError):
        return False


def _parts(text: str) -> Iterator[str]:
    """What commas on the outermost level part; the brackets around a pair or an interval are parts of their own."""
    if len(text) > 1 and text[0] in "([" and text[-1] in ")]" and "," in text:
        yield from (text[0], text[-1])
        text = text[1:-1]
    depth, starts = 0, [-1]
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            starts.append(place)
    yield from (text[start + 1 : stop] for start, stop in pairwise([*starts, len(text)]))


class _NoOpinion(Exception):
    """The text holds what is not read here."""


Program = Sequence[str | complex]
"""Postfix: numbers, letters, and the operators + - * / ^ and `~`, the sign of a negative."""


class _Reader:
    """One expression, read once from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = _TOKEN.findall(text)
        if "".join(self._tokens) != text or not text:
            raise _NoOpinion
        self._tokens.append("")
        self._at = 0
        self._out: list[str | complex] = []
        self._depth = 0

    def program(self) -> Program:
        self._sum()
        if self._tokens[self._at]:
            raise _NoOpinion
        return self._out

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self) -> str:
        return _OPERATORS.get(self._tokens[self._at], self._tokens[self._at])

    def _sum(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _NoOpinion
        negative = self._peek() == "-"
        if self._peek() in ("+", "-"):
            self._next()
        self._product()
        self._out += ["~"] if negative else []
        while self._peek() in ("+", "-"):
            sign = self._next()
            self._product()
            self._out.append(sign)
        self._depth -= 1

    def _product(self) -> None:
        self._power()
        while (sign := self._peek()) not in ("", "+", "-", ")", "]", "}", "^"):
            if sign in ("*", "/"):
                self._next()
            elif sign[0] in ".0123456789":  # nobody writes x2 for a product
                raise _NoOpinion
            self._power()
            self._out.append("/" if sign == "/" else "*")

    def _power(self) -> None:
        self._atom()
        if self._peek() == "^":
            self._next()
            self._atom()
            self._out.append("^")

    def _atom(self) -> None:
        word = self._next()
        if word in _BRACKETS:
            self._sum()
            if self._next() != _BRACKETS[word]:
                raise _NoOpinion
        elif word == r"\frac":
            self._group()
            self._group()
            self._out.append("/")
        elif word == r"\sqrt":
            self._root()
        elif word == r"\pi":
            self._out.append(complex(cmath.pi))
        elif word.isalpha() and word.isascii():
            self._out.append(word)
        elif word[:1].isdigit() or word[:1] == ".":
            self._out.append(complex(float(word)))
        else:
            raise _NoOpinion

    def _group(self) -> None:
        if self._peek() != "{":
            raise _NoOpinion
        self._atom()

    def _root(self) -> None:
        degree: Program = [2 + 0j]
        if self._peek() == "[":
            start = len(self._out)
            self._atom()
            degree = self._out[start:]
            del self._out[start:]
        self._atom()
        self._out += [1 + 0j, *degree, "/", "^"]


def _point(letters: Sequence[str], x: float) -> Mapping[str, complex]:
    return {"i": 1j} | {letter: complex(x * (1 + 0.6180339887 * place)) for place, letter in enumerate(letters)}


def _value(program: Program, letters: Mapping[str, complex]) -> complex:
    stack = list[complex]()
    for step in program:
        if isinstance(step, complex):
            stack.append(step)
        elif step in letters:
            stack.append(letters[step])
        elif step == "~":
            stack.append(-stack.pop())
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(_apply(step, left, right))
    return stack.pop()


def _apply(sign: str, left: complex, right: complex) -> complex:
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    return left / right if sign == "/" else left**right


def _close(a: complex, b: complex) -> bool:
    return cmath.isfinite(a) and cmath.isclose(a, b, rel_tol=1e-9)
