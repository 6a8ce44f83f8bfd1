"""Algebra by SymPy: known values, hostile formulas, and a process that is ended and comes back."""

from importlib.util import find_spec

import pytest

from orchestra.errors import CallFailed, Unavailable, Unparseable
from orchestra.team.tools import algebra as module
from orchestra.team.tools.algebra import algebra, within

pytestmark = pytest.mark.skipif(find_spec("sympy") is None, reason="sympy is not installed (extra local)")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("34 + 57", "91"), ("0.1 + 0.2", "0.3"), ("solve(3*x + 5 == 20, x)", "5"), ("solve(x^2 - 4)", "-2, 2"),
        ("solve([x + y == 10, x - y == 2], [x, y])", "x = 6, y = 4"),
        ("solve([x^2 - y, y - 4], [x, y])", "(-2, 4), (2, 4)"),
        ("diff(x^3, x)", "3*x**2"), ("integrate(x^2, x, 0, 3)", "9"), ("sum(k, k, 1, 100)", "5050"),
        ("limit(sin(x)/x, x, 0)", "1"), ("factor(x^2 - 1)", "(x - 1)*(x + 1)"), ("sqrt(8)", "2*sqrt(2)"),
        ("numeric(pi)", "3.14159265358979"), ("simplify(sin(x)^2 + cos(x)^2)", "1"), ("1/3", "1/3"),
        ("price = 12\ntotal = 7 * price\nsolve(x + total == 100, x)", "16"), ("gcd(12, 18) + binomial(5, 2)", "16"),
        ("expand((x + 1)^2)", "x**2 + 2*x + 1"), ("max(3, 4) + abs(-3) + floor(2.5) + ceil(2.5)", "12"),
        ("log(exp(2)) + factorial(5) + lcm(4, 6) + min(1, 2) + tan(0) + cos(0)", "136"),
    ],
)  # fmt: skip
def test_known_values(text, value):
    assert algebra(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "__import__", "().__class__.__bases__", "lambda: 1", "x.is_real",
        "solve('__import__(\"os\")')", "sympify(1)", "Symbol(x)", "diff(x, x, evaluate=1)", "solve(*[x])", "9**9**9",
        "x**(9**9)", "2**(10**9)", "factorial(10**9)", "binomial(10**9, 10**8)", "1/0", "0/0", "log(0)", "[]",
        "solve(x == x + 1, x)", "diff([1], x)", "diff(x)(2)", "sqrt()", "integrate(x)", "expand((a + b + c)^40)",
        "(" * 300, "-" * 900 + "1",
    ],
)  # fmt: skip
def test_what_has_no_value_is_one_line(text):
    with pytest.raises(Unparseable) as refused:
        algebra(text)
    assert str(refused.value).startswith("formula ") and "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_what_takes_too_long_is_ended_and_the_next_formula_is_not():
    algebra("1 + 1")
    ended = module._process._running
    with pytest.raises(CallFailed, match=r"no value within 0\.3 s"):
        within(0.3, "expand((a + b + c + d + f + g)^60)")
    assert ended.poll() is not None
    assert algebra("1 + 1") == "2" and module._process._running is not ended


def test_a_process_that_is_gone_is_started_again():
    algebra("1 + 1")
    module._process._running.kill()
    module._process._running.wait()
    assert algebra("1 + 2") == "3"


def test_one_process_serves_all():
    algebra("1 + 1")
    running = module._process._running
    assert algebra("2 + 2") == "4" and module._process._running is running


def test_without_the_library_the_extra_is_named(monkeypatch):
    module._process.end()
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"sympy.*orchestra-teams\[local\]"):
        algebra("1 + 1")
