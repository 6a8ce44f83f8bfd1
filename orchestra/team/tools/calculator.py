"""A calculator: exact arithmetic over rational numbers, whose work is bounded by the size of every number in it.

Roots of what is no square are cut after 15 decimals; all else is exact, so 0.1 + 0.2 is 0.3.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any, Final

from orchestra.team.registry import register
from orchestra.team.tools.formula import OPERATORS, Language, evaluate, read, refused

BITS: Final = 4_096
"""Of a numerator or denominator: about 1,200 digits."""
DECIMALS: Final = 15


@register("calculate")
def calculate(text: str) -> str:
    """The value of a formula as a number: whole, decimal, or as a fraction where it has no end. Unparseable, in one
    line, for what is no formula, has no value or grows too large.

    >>> calculate("0.1 + 0.2"), calculate("half = 1/2\\nhalf ^ 3"), calculate("factorial(20) / 3"), calculate("1/7")
    ('0.3', '0.125', '810967336058880000', '1/7')
    """
    tree = read(text, FUNCTIONS)
    try:
        value = evaluate(tree, _LANGUAGE)
        if not isinstance(value, Fraction):
            raise ValueError("a list")
        return written(value)
    except ZeroDivisionError:
        raise refused(text, "a number", "a division by zero") from None
    except (TypeError, ValueError, ArithmeticError) as error:
        raise refused(text, "a number", " ".join(str(error).split())) from None


def written(value: Fraction) -> str:
    """A rational as people write it.

    >>> written(Fraction(-5, 2)), written(Fraction(4)), written(Fraction(1, 3))
    ('-2.5', '4', '1/3')
    """
    scaled = value * 10**DECIMALS
    if value.denominator == 1 or scaled.denominator != 1:
        return str(value)
    digits = f"{abs(scaled.numerator):0{DECIMALS + 1}d}"
    return f"{'-' * (value < 0)}{digits[:-DECIMALS]}.{digits[-DECIMALS:].rstrip('0')}"


def _number(value: int | float) -> Fraction:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number beyond 1e308")
    return _small(Fraction(repr(value)))  # the decimal as it was written, and not its nearest binary fraction


def _small(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > BITS:
        raise OverflowError(f"a number of more than {BITS:,} bits")
    return value


def _bounded(function: Callable[..., Any]) -> Callable[..., Fraction]:
    """Of numbers of bounded size, a number of bounded size."""

    def bounded(*values: Any) -> Fraction:
        if not all(isinstance(value, Fraction) for value in values):
            raise TypeError("a list where a number is due")
        return _small(Fraction(function(*values)))

    return bounded


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * bits > 2 * BITS:
        raise OverflowError(f"a power of more than {BITS:,} bits")
    return base ** _whole(exponent, "exponent")


def _whole(value: Fraction, what: str, most: float = math.inf) -> int:
    if value.denominator != 1 or abs(value) > most:
        limit = "" if most == math.inf else f" and at most {most:,}"
        raise ValueError(f"{written(value)[:40]} as {what}, which must be whole{limit}")
    return value.numerator


def _factorial(value: Fraction) -> int:
    return math.factorial(_whole(value, "factorial", most=500))


def _binomial(n: Fraction, k: Fraction) -> int:
    return math.comb(_whole(n, "n", most=5_000), _whole(k, "k", most=5_000))


def _round(value: Fraction, digits: Fraction = Fraction(0)) -> Fraction:
    return Fraction(round(value, _whole(digits, "digits", most=DECIMALS)))


def _root(value: Fraction) -> Fraction:
    if value < 0:
        raise ValueError("the root of a negative number")
    exact = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
    if exact * exact == value:
        return exact
    return Fraction(math.isqrt(value.numerator * 100**DECIMALS // value.denominator), 10**DECIMALS)


def _over_whole(function: Callable[[int, int], int]) -> Callable[..., int]:
    def fold(*values: Fraction) -> int:
        return reduce(function, (_whole(value, "argument") for value in values))

    return fold


_KNOWN: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": abs, "binomial": _binomial, "ceil": math.ceil, "factorial": _factorial, "floor": math.floor,
    "gcd": _over_whole(math.gcd), "lcm": _over_whole(math.lcm), "max": max, "min": min, "round": _round, "sqrt": _root,
}  # fmt: skip
FUNCTIONS: Final = {name: _bounded(function) for name, function in _KNOWN.items()}

_LANGUAGE: Final = Language(
    _number, FUNCTIONS, {kind: _bounded(op) for kind, op in {**OPERATORS, ast.Pow: _power}.items()}
)
