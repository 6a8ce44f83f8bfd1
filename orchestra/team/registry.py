"""Names for the functions and small classes that a saved team mentions: loading resolves names and imports no code.

A function is saved as `{"@": name}`, a frozen dataclass as `{"$": name, field: value, ...}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from orchestra.errors import BadTeam, UnknownName

T = TypeVar("T")

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_known: dict[str, Any] = {}
_names: dict[int, str] = {}


def register(name: str) -> Callable[[T], T]:
    """Makes a function or frozen dataclass savable under a name. A second thing of the same name is refused."""
    if not _NAME.fullmatch(name):
        raise BadTeam(f"registered name {name!r}: expected lower-case letters, digits, '_', '-' and '.'")

    def keep(thing: T) -> T:
        old = _known.get(name)
        if old is not None and (old.__module__, old.__qualname__) != (thing.__module__, thing.__qualname__):  # type: ignore[attr-defined]
            raise BadTeam(
                f"{name!r} is registered already, by {old.__module__}.{old.__qualname__}; choose another name"
            )
        _known[name] = thing
        _names[id(thing)] = name
        return thing

    return keep


def name_of(thing: Any) -> str | None:
    """The registered name of a function or class, None if it has none."""
    return _names.get(id(thing))


def resolve(name: str) -> Any:
    """The thing of that name; UnknownName with a suggestion where there is none."""
    try:
        return _known[name]
    except KeyError:
        raise UnknownName("registered function or class", name, _known) from None
