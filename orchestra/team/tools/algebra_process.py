"""The process behind `algebra`: a line with a formula in, a line with its value or its fault out.

It holds no secret and opens nothing: a formula is read again here by the same grammar, and what it calls is in one
table. Powers of numbers are bounded before they are taken; whatever else is slow or large ends the process.
"""

from __future__ import annotations

import ast
import json
import sys
from fractions import Fraction
from typing import Any, Final

from orchestra.errors import Unparseable
from orchestra.team.tools.algebra import FUNCTIONS
from orchestra.team.tools.calculator import written as decimal
from orchestra.team.tools.formula import OPERATORS, Language, evaluate, read

MEMORY: Final = 2 * 2**30
"""Bytes of address space."""
LONGEST: Final = 2_000
"""Characters of a value."""
HIGHEST: Final = 200
"""Exponent of any other power."""
DIGITS: Final = 1_000
"""Exponent of a power of a small number."""
_NOWHERE: Final = ("zoo", "nan")


def language() -> Language:
    """What formulas mean here."""
    import sympy  # type: ignore[import-untyped]  # noqa: PLC0415  (a second, which only this process pays)

    def whole(value: Any, most: int) -> Any:
        if value.is_Integer and abs(value) > most:
            raise ValueError(f"an argument above {most:,}")
        return value

    def power(base: Any, exponent: Any) -> Any:
        if exponent.is_number and not abs(exponent) <= (DIGITS if _is_small(base) else HIGHEST):
            raise ValueError(f"a power above {HIGHEST}")
        return base**exponent

    def solve(equations: Any, *unknowns: Any) -> Any:
        wanted = unknowns[0] if len(unknowns) == 1 else list(unknowns)
        return sympy.solve(equations, wanted) if unknowns else sympy.solve(equations)

    same = (
        "cos", "diff", "exp", "expand", "factor", "floor", "gcd", "lcm", "limit", "log", "simplify", "sin", "sqrt",
        "tan",
    )  # fmt: skip
    functions = {name: getattr(sympy, name) for name in same} | {
        "abs": sympy.Abs,
        "binomial": lambda n, k: sympy.binomial(whole(n, 2_000), k),
        "ceil": sympy.ceiling,
        "factorial": lambda n: sympy.factorial(whole(n, 300)),
        "integrate": lambda of, by, *ends: sympy.integrate(of, (by, *ends)),
        "max": sympy.Max,
        "min": sympy.Min,
        "numeric": lambda of: sympy.N(of, 15),
        "solve": solve,
        "sum": lambda of, by, first, last: sympy.summation(of, (by, first, last)),
    }
    assert tuple(sorted(functions)) == FUNCTIONS
    constants = {"pi": sympy.pi, "E": sympy.E, "oo": sympy.oo}

    def number(value: int | float) -> Any:
        return sympy.Rational(repr(value)) if isinstance(value, float) else sympy.Integer(value)

    operators = {**OPERATORS, ast.Pow: power}
    return Language(number, functions, operators, constants, sympy.Symbol, sympy.Eq)


def written(value: Any) -> str:
    """A value as people write it: what solves an equation as `6`, `-2, 2` or `x = 6, y = 4`."""
    if isinstance(value, dict):
        return ", ".join(f"{name} = {written(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(f"({written(inner)})" if isinstance(inner, tuple) else written(inner) for inner in value)
    if str(value) in _NOWHERE:
        raise ValueError("a division by zero")
    return decimal(Fraction(value.p, value.q)) if getattr(value, "is_Rational", False) else str(value)


def answered(text: str, language: Language) -> tuple[str, str]:
    """The value of a formula and an empty text, or an empty text and its fault in one line."""
    try:
        said = written(evaluate(read(text, FUNCTIONS), language))
        return (said, "") if 0 < len(said) <= LONGEST else ("", "nothing" if not said else "a value of many lines")
    except MemoryError:
        raise
    except Unparseable as error:
        return "", str(error)
    except Exception as error:  # noqa: BLE001  (whatever the library raises is a formula without a value)
        return "", " ".join(f"{error}".split())[:200] or type(error).__name__


def _is_small(base: Any) -> bool:
    return bool(base.is_Rational and abs(base) <= 10)


def main() -> None:
    """Answers line by line until its input ends."""
    _bound_memory()
    known = language()
    for line in sys.stdin:
        print(json.dumps(answered(json.loads(line), known)), flush=True)


def _bound_memory() -> None:
    try:
        import resource  # noqa: PLC0415  (POSIX alone has it; elsewhere the limit of seconds stands by itself)
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    main()
