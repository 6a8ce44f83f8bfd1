"""Names for the functions and small classes that a saved team mentions: loading resolves names and imports no code.

A function is saved as `{"@": name}`, a frozen dataclass as `{"$": name, field: value, ...}`. A name stands for one
definition. A file that is executed again defines the same things anew, so they take the place of the old ones, which
keep their name for the teams that hold them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from orchestra.errors import BadTeam, UnknownName

T = TypeVar("T")

SHELVES = ("orchestra.roles", "orchestra.topologies")
_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_known: dict[str, Any] = {}
_names: dict[int, tuple[str, Any]] = {}
"""By identity. The thing is held, so that no other can come to have its identity."""


def register(name: str) -> Callable[[T], T]:
    """Makes a function or frozen dataclass savable under a name. A second thing of the same name is refused."""
    if not _NAME.fullmatch(name):
        raise BadTeam(f"registered name {name!r}: expected lower-case letters, digits, '_', '-' and '.'")

    def keep(thing: T) -> T:
        old = _known.get(name)
        if old is not None and _definition(old) != _definition(thing):
            raise BadTeam(
                f"{name!r} is registered already, by {old.__module__}.{old.__qualname__}; choose another name"
            )
        _known[name] = thing
        _names[id(thing)] = name, thing
        return thing

    return keep


def name_of(thing: Any) -> str | None:
    """The registered name of a function or class, None if it has none."""
    return _names.get(id(thing), (None,))[0]


def resolve(name: str) -> Any:
    """The thing of that name; UnknownName with a suggestion where there is none.

    What our own shelves register is known without their being imported first, and they are imported only when a name is
    met that nobody has registered yet, so that `import orchestra` does not pay for them.
    """
    if name not in _known:
        for shelf in SHELVES:
            import_module(shelf)
    try:
        return _known[name]
    except KeyError:
        raise UnknownName("registered function or class", name, _known) from None


def _definition(thing: Any) -> tuple[str, str, int]:
    """Where a thing is defined: file, name there, and line where the name tells nothing."""
    code = getattr(thing, "__code__", None)
    module = sys.modules.get(thing.__module__)
    file = code.co_filename if code else getattr(module, "__file__", None) or thing.__module__
    return file, thing.__qualname__, code.co_firstlineno if code and code.co_name == "<lambda>" else 0
