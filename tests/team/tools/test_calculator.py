"""The calculator: exact values, and a line of text in place of whatever is no arithmetic."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import Unparseable
from orchestra.team.tools.calculator import calculate, written
from orchestra.team.tools.formula import LONGEST, PARTS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("34 + 57", "91"), ("0.1 + 0.2", "0.3"), ("1/3", "1/3"), ("7 // 2 - 7 % 2", "2"), ("-7 // 2", "-4"),
        ("2 ^ 10", "1024"), ("2 ** -3", "0.125"), ("3 \u00d7 4 \u00f7 2 \u2212 1", "5"), ("sqrt(9/4)", "1.5"),
        ("sqrt(2)", "1.414213562373095"), ("max(1, 2, 3) - min(4, 5)", "-1"), ("gcd(12, 18) + lcm(4, 6)", "18"),
        ("round(2.567, 2)", "2.57"), ("round(1234, -2)", "1200"),
        ("factorial(5) / binomial(5, 2)", "12"), ("floor(2.7) + ceil(2.1) + round(2.5)", "7"), ("abs(-0.5)", "0.5"),
        ("a = 3\nb = a * 2\na + b", "9"), ("total = 2 + 2", "4"), ("1e-3", "0.001"), ("((((5))))", "5"),
    ],
)  # fmt: skip
def test_known_values(text, value):
    assert calculate(text) == value


HOSTILE = [
    "__import__('os').system('true')", "__import__", "().__class__.__bases__", "(1).real", "lambda: 1",
    "[x for x in [1]]",
    "open('f')", "exec(1)", "print(1)", "max.__call__(1)", "max(*[1, 2])", "max(key=1)", "f'{1}'", "'a' * 9", "b'a'",
    "True", "None", "...", "1 if 1 else 2", "1 < 2", "1 and 2", "not 1", "x := 3", "x[0]", "{1: 2}", "{1}", "await x",
    "import os", "del x", "while 1: 1", "1; import os", "9**9**9", "9**-9**9", "10**5000", "(2**2000)**100",
    "factorial(10**9)", "factorial(501)", "factorial(-1)", "factorial(2.5)", "binomial(10**9, 5)",
    "binomial(5000, 2500)", "round(1, 10**9)", "round(1, -10**9)", "round(1, 0.5)", "gcd(1.5, 2)",
    "1/0", "0**-1", "5 % 0", "sqrt(-1)", "2**0.5", "1e999", "1e308**5", "x", "sqrt", "1 = 1", "a = b = 1",
    "a, b = 1, 2",
    "1,000", "[1, 2]", "[1] * 3", "-[1]", "max()", "max(3)", "1 == 1", "3x", "1e5if 2", "", " \n", "\x00", "\ud800",
    "\u03c0", "#", "a" * 21, "(" * 300, "(" * 200 + ")" * 200, "[" * 400, "-" * 900 + "1", "1" + "+1" * 400,
    "9" * LONGEST + "9", "1\\\n+1", "@", "$x", "`1`", "1_000\t\f@",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_arithmetic_is_one_line(text):
    with pytest.raises(Unparseable) as refused:
        calculate(text)
    said = str(refused.value)
    assert said.startswith("formula ") and "expected" in said and "got" in said
    assert "\n" not in said and len(said) < 400


@given(st.text(max_size=40) | st.text("0123456789+-*/%()[],.=^ \nabex", max_size=60))
def test_any_text_has_a_value_or_is_refused(text):
    with suppress(Unparseable):
        assert len(calculate(text)) < 3_000


SMALL = st.integers(-99, 99).map(Fraction)
TREES = st.recursive(
    SMALL.map(lambda n: (f"({n})", n)),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda t: (f"({t[0][0]} {t[1]} {t[2][0]})", {"+": t[0][1] + t[2][1], "-": t[0][1] - t[2][1],
                                                     "*": t[0][1] * t[2][1]}[t[1]])),
    max_leaves=8,
)  # fmt: skip


@given(TREES)
def test_it_agrees_with_fractions(tree):
    assert calculate(tree[0]) == str(tree[1])


@given(st.fractions(max_denominator=10**6))
def test_a_value_is_written_so_that_it_reads_back(value):
    assert Fraction(written(value)) == value


def test_the_longest_formula_that_is_read():
    most = "+".join(["1"] * ((PARTS - 3) // 3))
    assert calculate(most) == str((PARTS - 3) // 3)


def test_control_python_itself_would_run_what_is_refused():
    """Were the text evaluated, these would not be refused."""
    for text in ("(1).real", "True", "1 if 1 else 2", "max(*[1, 2])"):
        assert eval(text) in (1, 2)
        with pytest.raises(Unparseable):
            calculate(text)
