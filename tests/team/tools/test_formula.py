"""Formulas: what the grammar lets through, whatever a tool makes of it."""

import ast

import pytest

from orchestra.errors import Unparseable
from orchestra.team.tools.formula import PARTS, Language, evaluate, read

WORDS = Language(
    str, {"f": lambda *values: f"f({', '.join(map(str, values))})"}, {ast.Add: lambda a, b: f"({a} + {b})"},
    {"pi": "3"}, lambda name: name.upper(), lambda a, b: f"{a} is {b}",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + pi", "(1 + 3)"), ("x + f(y, 2)", "(X + f(Y, 2))"), ("f([1, x])", "f(['1', 'X'])"), ("x == 1", "X is 1"),
        ("a = 1\na + a", "(1 + 1)"), ("pi = 4\npi", "4"), ("f()", "f()"), ("  x\n  y ", "Y"), ("x1_y", "X1_Y"),
    ],
)  # fmt: skip
def test_what_a_language_makes_of_it(text, value):
    assert evaluate(read(text, WORDS.functions), WORDS) == value


@pytest.mark.parametrize(
    "text",
    ["g(1)", "f", "f.a", "(f)(1)(2)", "f(a=1)", "f(*x)", "f(1)[0]", "x == y == z", "x != y", "a += 1", "a: 1", "_x"],
)
def test_what_no_language_can_allow(text):
    with pytest.raises((Unparseable, ValueError)):
        evaluate(read(text, WORDS.functions), WORDS)


def test_a_name_and_an_equation_need_a_language_that_has_them():
    plain = Language(int, {})
    for text in ("x", "1 == 1"):
        with pytest.raises(ValueError, match=r"name|equation"):
            evaluate(read(text, ()), plain)


def test_the_limits_are_met_and_not_passed():
    parts = len(list(ast.walk(read("+".join("1" * ((PARTS - 1) // 3)), ()))))
    assert parts <= PARTS < parts + 9
    with pytest.raises(Unparseable, match=f"expected at most {PARTS} parts, got"):
        read("+".join("1" * PARTS), ())
