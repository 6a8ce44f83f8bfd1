"""Formulas: the form in which a model may ask for a computation, and a reader that lets nothing else through.

A formula is one expression a line; a line may give its value a name, which later lines use. The value of the last line
is the formula's. Text is parsed and walked, and never executed: there are numbers, names, `+ - * / // % **` (also
written `^`), brackets, lists, `==` and calls of named functions. Attributes, texts, comparisons, comprehensions and
every word of Python's own are refused before anything is computed, and so is what is long.
"""

from __future__ import annotations

import ast
import keyword
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestra.errors import Unparseable

LONGEST: Final = 1_000
"""Characters of a formula."""
PARTS: Final = 200
"""Nodes of its tree, so no walk of it is deeper."""

_STRANGE = re.compile(r"[^A-Za-z0-9_+\-*/%().,=\[\]\s]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,19}")
_SPELLINGS = str.maketrans({"^": "**", "\u00d7": "*", "\u00b7": "*", "\u00f7": "/", "\u2212": "-"})
_PLAIN = (
    ast.Module, ast.Expr, ast.Assign, ast.BinOp, ast.UnaryOp, ast.Call, ast.List, ast.Tuple, ast.Compare, ast.Name,
    ast.Constant, ast.Load, ast.Store, ast.Eq, ast.UAdd, ast.USub, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv,
    ast.Mod, ast.Pow,
)  # fmt: skip

OPERATORS: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Language:
    """What formulas mean to one tool."""

    number: Callable[[int | float], Any]
    functions: Mapping[str, Callable[..., Any]]
    operators: Mapping[type, Callable[[Any, Any], Any]] = field(default_factory=lambda: OPERATORS)
    constants: Mapping[str, Any] = field(default_factory=dict)
    symbol: Callable[[str], Any] | None = None
    """What a name without a value stands for; None: it is refused."""
    equation: Callable[[Any, Any], Any] | None = None
    """What `==` makes; None: it is refused."""


def read(text: str, functions: Collection[str]) -> ast.Module:
    """The tree of a formula that calls these functions alone; Unparseable, in one line, for anything else."""
    plain = text.strip().translate(_SPELLINGS)
    if not plain or len(plain) > LONGEST:
        raise refused(text, f"1 to {LONGEST:,} characters", f"{len(plain):,}")
    if strange := _STRANGE.search(plain):
        raise refused(text, "numbers, names, operators and brackets", repr(strange[0]))
    if word := next(filter(keyword.iskeyword, re.findall(r"[A-Za-z]+", plain)), None):
        raise refused(text, "a formula, no program", f"the word {word!r}")
    try:
        tree = ast.parse("\n".join(line.strip() for line in plain.splitlines()))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise refused(text, "an expression", getattr(error, "msg", "") or type(error).__name__) from None
    parts = list(ast.walk(tree))
    if len(parts) > PARTS:
        raise refused(text, f"at most {PARTS} parts", f"{len(parts):,}")
    for part in parts:
        if fault := _fault(part, functions):
            raise refused(text, *fault)
    return tree


def evaluate(tree: ast.Module, language: Language) -> Any:
    """The value of a formula that was read. Raises what its functions raise, ValueError for a name without value."""
    values = dict(language.constants)
    result: Any = None
    for line in tree.body:
        if isinstance(line, ast.Assign):
            [target] = line.targets
            result = values[getattr(target, "id", "")] = _value(line.value, language, values)
        elif isinstance(line, ast.Expr):
            result = _value(line.value, language, values)
    return result


def refused(text: str, expected: str, got: str) -> Unparseable:
    """What is wrong with a formula, as one line."""
    shown = " ".join(text.split())
    return Unparseable(f"formula {shown[:60]!r}: expected {expected}, got {got}")


def _fault(part: ast.AST, functions: Collection[str]) -> tuple[str, str] | None:
    """What is expected instead of a part of a tree, and what it is."""
    if not isinstance(part, _PLAIN):
        return "numbers, names, operators and calls", type(part).__name__.lower()
    if isinstance(part, ast.Constant) and type(part.value) not in (int, float):
        return "numbers", repr(part.value)
    if isinstance(part, ast.Name) and not _NAME.fullmatch(part.id):
        return "names of at most 20 letters and digits", repr(part.id[:40])
    if isinstance(part, ast.Assign) and not (len(part.targets) == 1 and isinstance(part.targets[0], ast.Name)):
        return "name = expression", "another left side"
    if isinstance(part, ast.Compare) and len(part.ops) != 1:
        return "one == in an equation", f"{len(part.ops)}"
    if isinstance(part, ast.Call):
        name = getattr(part.func, "id", None)
        if name not in functions or part.keywords:
            known = f"a call of {', '.join(sorted(functions))}"
            return known, "named arguments" if name in functions else repr(name or type(part.func).__name__.lower())
    return None


def _value(node: ast.AST, language: Language, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return language.number(number)
        case ast.Name(id=name):
            return _named(name, language, values)
        case ast.UnaryOp(op=op, operand=operand):
            inner = _value(operand, language, values)
            return -inner if isinstance(op, ast.USub) else inner
        case ast.BinOp(left=left, op=op, right=right):
            return language.operators[type(op)](_value(left, language, values), _value(right, language, values))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return language.functions[name](*(_value(argument, language, values) for argument in arguments))
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, language, values) for item in items]
        case ast.Compare(left=left, comparators=[right]) if language.equation is not None:
            return language.equation(_value(left, language, values), _value(right, language, values))
        case _:
            raise ValueError("an equation")


def _named(name: str, language: Language, values: Mapping[str, Any]) -> Any:
    if name in values:
        return values[name]
    if language.symbol is None or name in language.functions:
        raise ValueError(f"the name {name!r}, which has no value")
    return language.symbol(name)
