"""Whether a loaded value is what a field is annotated to hold. Asked when a team is read, never while it runs.

Whole numbers stand for numbers, true and false for neither, and tuples, which lists are loaded as, for any list. What
an annotation promises beyond calling, such as the arguments of a function, is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.team.registry import name_of
from orchestra.team.saving.places import step

_WORDS: Final[Mapping[Any, str]] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null", range: "a range",
}  # fmt: skip
_LISTS: Final = (list, tuple, Sequence)


def check(cls: type, values: Mapping[str, Any], place: str) -> None:
    """Raises BadInput, naming the place, for a field that is unknown, missing or not of its kind."""
    known = {f.name: f for f in fields(cls) if f.init}
    where = place or "team"
    for name in values:
        if name not in known:
            raise BadInput(f"{where}: {UnknownName(f'field of {cls.__name__}', name, known)}")
    needed = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    if missing := [repr(name) for name in needed if name not in values]:
        raise BadData(f"{where}: {cls.__name__} needs {', '.join(missing)}; fix: add that")
    kinds = _kinds(cls)
    for name, value in values.items():
        _check(value, kinds.get(name, Any), step(place, name))


@lru_cache(maxsize=512)
def _kinds(cls: type) -> dict[str, Any]:
    """Field -> annotation; none where they name what only a type checker imports."""
    try:
        return get_type_hints(cls)
    except (NameError, TypeError):
        return {}


def _check(value: Any, kind: Any, place: str) -> None:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal and isinstance(value, str) and value not in inner:
        raise BadData(f"{place}: {UnknownName('value', value, filter(_is_text, inner))}")
    if isinstance(value, tuple) and origin in _LISTS:
        for number, (item, expected) in enumerate(zip(value, _items(origin, inner, value, place), strict=True)):
            if type(item) is not expected:  # the usual case, told apart cheaply since lists are long
                _check(item, expected, step(place, str(number)))
    elif isinstance(value, Mapping) and isinstance(origin, type) and issubclass(origin, Mapping):
        for key, item in value.items():
            _check(key, inner[0], place)
            _check(item, inner[1], step(place, str(key)))
    elif not _fits(value, kind):
        raise BadData(f"{place}: expected {_expected(kind)}, got {short(value)}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _items(origin: type, inner: tuple[Any, ...], value: tuple[Any, ...], place: str) -> tuple[Any, ...]:
    """What each item of a list is to be."""
    if origin is not tuple or inner[1:] == (...,):
        return inner[:1] * len(value)
    if len(inner) != len(value):
        raise BadData(f"{place}: expected a list of {len(inner)}, got {short(value)}")
    return inner


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any or isinstance(kind, TypeVar):
        return True
    if origin in (Union, UnionType):
        return any(_matches(value, each) for each in inner)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in inner)
    if origin is Callable or kind is Callable:
        return callable(value)
    if getattr(kind, "_is_protocol", False):
        return callable(value) or not any("__call__" in vars(base) for base in getattr(kind, "__mro__", ()))
    cls = origin or (NoneType if kind is None else kind)
    if cls in (int, float):
        return type(value) is int or type(value) is cls
    if cls in _LISTS:  # a text is a Sequence to Python
        return isinstance(value, tuple)
    return not isinstance(cls, type) or isinstance(value, cls)


def _matches(value: Any, kind: Any) -> bool:
    try:
        _check(value, kind, "")
    except BadInput:
        return False
    return True


def _expected(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_expected, inner)))
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is Callable or kind is Callable:
        return "a function"
    if getattr(kind, "_is_protocol", False):
        return f"an {kind.__name__.lower()}" if kind.__name__[0] in "AEIOU" else f"a {kind.__name__.lower()}"
    cls = NoneType if kind is None else origin or kind
    if cls in _LISTS:
        return "a list"
    return _WORDS.get(cls) or name_of(cls) or str(getattr(cls, "__name__", cls))


def short(value: Any) -> str:
    """A value as a message shows it, on one line."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
