"""Values as JSON data, called forms, and back.

    {"$": "node", "name": "a"}      a registered frozen dataclass; plain defaults are left out
    {"@": "number"}                 a registered function
    {"policy": "judge"}             a policy, by name
    {"range": [0, 3, 1]}, {"float": "inf"}, {"map": {...}}, {"pairs": [[key, value], ...]}

Texts, whole and other numbers, true, false and null stand for themselves, and lists for tuples. Whatever is wrong is
named by its place (`orchestra.team.saving.places`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Final, Literal

from orchestra.engine.graph import Graph, too_large
from orchestra.errors import BadData, BadInput, BadTeam, UnknownName
from orchestra.models.model import Policy
from orchestra.team.registry import name_of, resolve
from orchestra.team.saving.fields import check, short
from orchestra.team.saving.fingerprint import fingerprint
from orchestra.team.saving.places import labels, step
from orchestra.types import FrozenMap

Named = Literal["all", "some", "live"]
"""What a form does with a thing that has no registered name: `all` refuses it, `some` puts its fingerprint, and `live`
keeps it, and policies too, as they are."""

_NUMBERS: Final = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
"""What JSON has no word for."""


@dataclass(frozen=True, slots=True)
class Live:
    """A value that stands in a form as it is. No file holds one."""

    value: Any


def to_form(value: Any, named: Named, place: str = "") -> Any:
    """The JSON data that stands for a value; fields of registered classes that have their plain default are left out.

    A title with `#` is of something without a registered name.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, (tuple, list)):
        return [to_form(inner, named, step(place, getattr(inner, "name", str(i)))) for i, inner in enumerate(value)]
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, Policy):
        return Live(value) if named == "live" else {"policy": value.name}
    if isinstance(value, Mapping):
        return _mapping_form(value, named, place)
    instance = is_dataclass(value) and not isinstance(value, type)
    name = name_of(type(value) if instance else value)
    if name is None and named == "live":
        return Live(value)
    if name is None and named == "all":
        raise BadTeam(
            f"{place or 'team'}: {_python_name(value)} has no registered name, so it cannot be saved; "
            "fix: add @register('name') to it"
        )
    if not instance:
        return {"@": name or f"{_python_name(value)}#{fingerprint(value)}"}
    kept = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
    if name is None:
        title, plain = f"{_python_name(value)}#{fingerprint(type(value))}", set[str]()
    else:
        defaults = ((f.name, f.default) for f in fields(value) if f.init and f.default is not MISSING)
        title, plain = name, {field for field, default in defaults if kept[field] == default}
    return {"$": title, **{n: to_form(v, named, step(place, n)) for n, v in kept.items() if n not in plain}}


def all_fields(form: Mapping[str, Any], named: Named) -> dict[str, Any]:
    """The fields of an instance's form, in order of declaration, with those that `to_form` left out."""
    cls = None if "#" in str(form["$"]) else resolve(str(form["$"]))
    if not isinstance(cls, type) or not is_dataclass(cls):
        return {name: inner for name, inner in form.items() if name != "$"}
    plain = {f.name: to_form(f.default, named) for f in fields(cls) if f.init and f.default is not MISSING}
    given = {f.name: form[f.name] for f in fields(cls) if f.name in form}
    return {f.name: (plain | given)[f.name] for f in fields(cls) if f.name in plain or f.name in given}


def _mapping_form(value: Mapping[Any, Any], named: Named, place: str) -> dict[str, Any]:
    """By its keys where they are texts, else as pairs, so that no two keys become one."""
    if all(isinstance(key, str) for key in value):
        return {"map": {key: to_form(inner, named, step(place, key)) for key, inner in value.items()}}
    return {"pairs": [[to_form(k, named, place), to_form(v, named, step(place, str(k)))] for k, v in value.items()]}


def _python_name(value: Any) -> str:
    return str(getattr(value, "__qualname__", type(value).__qualname__))


def from_form(form: Any, policy: Callable[[str], Policy], place: str = "") -> Any:
    """What a form stands for, checked field by field; `policy` gives the policy of a name."""
    if form is None or isinstance(form, (str, bool, int, float)):
        return form
    if isinstance(form, Live):
        return form.value
    if isinstance(form, list):
        named = zip(form, labels(form), strict=True)
        return tuple(from_form(inner, policy, step(place, label)) for inner, label in named)
    if not isinstance(form, Mapping):
        raise BadData(f"{place or 'team'}: unexpected {short(form)}")
    if "$" in form:
        return _instance(form, policy, place)
    if len(form) == 1:
        ((kind, inner),) = form.items()
        if kind in _SINGLE:
            return _SINGLE[kind](inner, policy, place)
    raise BadData(f"{place or 'team'}: expected an object with '$' and a registered class, got {short(form)}")


def _range(ends: Any, policy: Any, place: str) -> range:
    if not isinstance(ends, list) or len(ends) != 3 or any(type(end) is not int for end in ends) or not ends[2]:
        raise BadData(f"{place}: expected a range as [start, stop, step], got {short(ends)}")
    return range(*ends)


def _float(text: Any, policy: Any, place: str) -> float:
    if not isinstance(text, str) or text not in _NUMBERS:
        raise BadData(f"{place}: expected one of {', '.join(_NUMBERS)}, got {short(text)}")
    return _NUMBERS[text]


def _map(items: Any, policy: Callable[[str], Policy], place: str) -> FrozenMap[str, Any]:
    if not isinstance(items, Mapping) or not all(isinstance(key, str) for key in items):
        raise BadData(f"{place}: expected an object under 'map', got {short(items)}")
    return FrozenMap({key: from_form(inner, policy, step(place, key)) for key, inner in items.items()})


def _pairs(items: Any, policy: Callable[[str], Policy], place: str) -> FrozenMap[Any, Any]:
    if not isinstance(items, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in items):
        raise BadData(f"{place}: expected pairs as [[key, value], ...], got {short(items)}")
    try:
        return FrozenMap({from_form(k, policy, place): from_form(v, policy, step(place, str(k))) for k, v in items})
    except TypeError as error:
        raise BadData(f"{place}: {error}, so it cannot be a key") from None


def _named_policy(name: Any, policy: Callable[[str], Policy], place: str) -> Policy:
    if not isinstance(name, str):
        raise BadData(f"{place}: expected the name of a policy, got {short(name)}")
    return policy(name)


def _function(name: Any, policy: Any, place: str) -> Any:
    thing = _resolved(name, place)
    if isinstance(thing, type):
        raise BadData(f"{place}: {name!r} is a class; expected a registered function")
    return thing


_SINGLE: Final[Mapping[str, Callable[[Any, Callable[[str], Policy], str], Any]]] = {
    "range": _range, "float": _float, "map": _map, "pairs": _pairs, "policy": _named_policy, "@": _function,
}  # fmt: skip
"""Objects of one key, which are no instances."""


def _instance(form: Mapping[str, Any], policy: Callable[[str], Policy], place: str) -> Any:
    cls = _resolved(form["$"], place)
    where = place or "team"
    if not isinstance(cls, type) or not is_dataclass(cls):
        raise BadData(f"{where}: {form['$']!r} is a function; expected '$' and a registered class")
    if issubclass(cls, Graph) and (said := too_large(_length(form.get("nodes")), _length(form.get("edges")))):
        raise BadTeam(f"{where}: {said}")  # before its parts are made
    values = {n: from_form(v, policy, step(place, n)) for n, v in form.items() if n != "$"}
    check(cls, values, place)
    try:
        with within(place):
            return cls(**values)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadData(f"{where}: {cls.__name__} does not take these values: {error}") from None


@contextmanager
def within(place: str) -> Iterator[None]:
    """Puts a place before what is said to be wrong there."""
    try:
        yield
    except BadInput as error:
        if place:
            error.args = (f"{place}: {error}",)
        raise


def _length(parts: Any) -> int:
    return len(parts) if isinstance(parts, list) else 0


def _resolved(name: Any, place: str) -> Any:
    try:
        return resolve(str(name))
    except UnknownName as error:
        raise BadInput(f"{place or 'team'}: {error}; --import FILE.py helps if a file of yours registers it") from None
