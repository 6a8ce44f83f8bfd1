"""What tells two functions apart that have no registered name: a digest of what they are compiled to.

Equal source gives an equal digest in any file and process of one Python version. Other code, other defaults, or other
plain values that it closes over (numbers, texts, tuples, functions) give another. Not covered are the values of globals
and the state of objects: of those their names count, since they change while a team runs.
"""

from __future__ import annotations

import functools
from types import CodeType, FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

from orchestra.digest import canonical, digest
from orchestra.team.registry import name_of

_found: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""Of a team of many nodes most have an actor of the same class."""


def fingerprint(thing: Any) -> str:
    """12 hex digits; of a class they cover its methods, of another object its class.

    >>> one = fingerprint(lambda x: x + 1)
    >>> one == fingerprint(lambda x: x + 1), one == fingerprint(lambda x: x + 2)
    (True, False)
    """
    if not hasattr(thing, "__qualname__") and not isinstance(thing, functools.partial):
        thing = type(thing)
    try:
        if (found := _found.get(thing)) is not None:
            return found
    except TypeError:  # what cannot be referred to weakly, such as str.strip
        return digest(canonical(_plain(thing, ())))[:12]
    found = _found[thing] = digest(canonical(_plain(thing, ())))[:12]
    return found


def _plain(value: Any, within: tuple[int, ...]) -> Any:
    """JSON data that stands for a value; `within` holds what it is part of, since a function may close over itself."""
    if id(value) in within:
        return ["again", within.index(id(value))]
    if (name := name_of(value)) is not None:
        return ["registered", name]
    match value:
        case None | bool() | int() | float() | complex() | str() | bytes() | range():
            return [type(value).__name__, repr(value)]
        case tuple():
            parts: Any = value
        case frozenset():
            return ["frozenset", sorted(canonical(_plain(inner, within)) for inner in value)]
        case CodeType():
            parts = _code(value)
        case FunctionType():
            cells = [cell.cell_contents if _full(cell) else None for cell in value.__closure__ or ()]
            keywords = sorted((value.__kwdefaults__ or {}).items())
            parts = (value.__code__, value.__defaults__, *(part for pair in keywords for part in pair), *cells)
        case MethodType():
            parts = (value.__func__, type(value.__self__).__qualname__)
        case functools.partial():
            parts = (value.func, *value.args, *(part for pair in sorted(value.keywords.items()) for part in pair))
        case staticmethod() | classmethod():
            parts = (value.__func__,)
        case property():
            parts = (value.fget,)
        case type():
            methods = (part for pair in sorted(_methods(value).items()) for part in pair)
            parts = (value.__qualname__, *methods)
        case _:
            return ["object", getattr(value, "__qualname__", type(value).__qualname__)]
    return [type(value).__name__, [_plain(part, (*within, id(value))) for part in parts]]


def _code(code: CodeType) -> tuple[Any, ...]:
    """What it computes, without names of files and lines."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    return (
        code.co_code, code.co_consts, code.co_names, code.co_varnames[:arguments], code.co_posonlyargcount,
        code.co_argcount, code.co_flags, code.co_exceptiontable,
    )  # fmt: skip


def _methods(cls: type) -> dict[str, Any]:
    kinds = (FunctionType, staticmethod, classmethod, property)
    return {name: part for name, part in vars(cls).items() if isinstance(part, kinds)}


def _full(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  (an empty cell raises)
    except ValueError:
        return False
    return True
