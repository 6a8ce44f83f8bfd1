"""Changes to a team, as plain data, and the files that hold them.

    schema: 1
    changes:
    - {do: set, at: nodes.alice.actor.role.temperature, to: 0}
    - {do: add, at: nodes, to: {$: node, name: carol, actor: ...}, place: 1}
    - {do: add, at: edges, to: {$: edge, src: alice, dst: carol}}
    - {do: remove, at: "edges[alice => bob]"}
    - {do: rename, at: nodes.bob, to: robert}
    - {do: order, at: nodes, to: [carol, alice, robert]}

Where all changes set, a mapping of place to value says the same: `{stop: {$: maxrounds, limit: 3}}`. Places are those
of `orchestra.team.saving.places`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Required, TypedDict

from orchestra.errors import BadData, UnknownName
from orchestra.team.saving import files
from orchestra.team.saving.fields import short

SCHEMA: Final = 1


class Change(TypedDict, total=False):
    """One change. Values are JSON data as `Team.save` writes it; in Python they may also be what they stand for."""

    do: Required[Literal["set", "add", "remove", "rename", "order"]]
    at: Required[str]
    """The place: of a list for `add` and `order`, of an item for `remove` and `rename`, of anything for `set`."""
    to: Any
    """The new value, item, name, or labels in their new order."""
    was: Any
    """What `set` expects to find; absent: anything."""
    place: int
    """Where `add` puts an item, counted from 0; absent: at the end."""


Changes = Sequence[Change] | Mapping[str, Any]
"""A list of changes, or place -> new value."""

_KEYS: Final = {
    "set": ("to", "was"), "add": ("to", "place"), "remove": (), "rename": ("to",), "order": ("to",),
}  # fmt: skip


def read(path: Path) -> Changes:
    """The changes in a patch file."""
    data = files.read(path)
    if not isinstance(data, Mapping) or set(data) != {"schema", "changes"} or data["schema"] != SCHEMA:
        raise BadData(f"{path} is no patch: expected an object with schema {SCHEMA} and changes")
    return data["changes"]  # type: ignore[no-any-return]


def write(path: Path, changes: Sequence[Change]) -> None:
    """Saves changes as `read` reads them."""
    files.write(path, {"schema": SCHEMA, "changes": list(changes)})


def listed(changes: object) -> list[Change]:
    """Changes as a list, each one well-formed; BadData names the first that is not."""
    if isinstance(changes, Mapping):
        return [{"do": "set", "at": place, "to": to} for place, to in changes.items()]
    if not isinstance(changes, (list, tuple)):
        raise BadData(f"expected a list of changes, or an object of places and values, got {short(changes)}")
    return [_checked(change, f"change {number}") for number, change in enumerate(changes, start=1)]


def _checked(change: Any, where: str) -> Change:
    if not isinstance(change, Mapping) or not isinstance(change.get("at"), str):
        raise BadData(f"{where}: expected an object with do, at and to, got {short(change)}")
    if (do := str(change.get("do"))) not in _KEYS:
        raise BadData(f"{where}: {UnknownName('do', do, _KEYS)}")
    allowed = ("do", "at", *_KEYS[do])
    if unknown := [str(key) for key in change if key not in allowed]:
        raise BadData(f"{where}: {UnknownName(f'key of {do}', unknown[0], allowed)}")
    if "to" in allowed and "to" not in change:
        raise BadData(f"{where}: {do} {change['at']!r} needs 'to'")
    return change  # type: ignore[return-value]


def policies_of(changes: object) -> set[str]:
    """The names of the policies that changes bring in."""
    return {name for change in listed(changes) for name in _policies(change.get("to"))}


def _policies(form: Any) -> Iterator[str]:
    if isinstance(form, dict) and set(form) == {"policy"}:
        yield str(form["policy"])
    elif isinstance(form, (dict, list)):
        for inner in form.values() if isinstance(form, dict) else form:
            yield from _policies(inner)
