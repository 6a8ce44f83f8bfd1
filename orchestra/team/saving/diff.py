"""What makes one team into another: the changes of a patch, as few as there are differences, and those as text.

`patch(a, diff(a, b))` has the digest of b, and teams of equal digest have no difference: both are read off the outline.
A node that is gone, and one that came and differs by its name alone, are one that was renamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from difflib import unified_diff
from typing import Any, Final

from orchestra.digest import canonical
from orchestra.engine.graph import Graph
from orchestra.team.saving.changes import Change
from orchestra.team.saving.data import all_fields
from orchestra.team.saving.patch import rename
from orchestra.team.saving.places import labels, step
from orchestra.team.saving.save import outline

LONG: Final = 60
"""Characters of a text that still fits on a line beside another."""


def diff(a: Graph, b: Graph) -> list[Change]:
    """The changes from a to b; none if they are equal.

    What has no registered name is told apart by its fingerprint. A change that puts such a thing in place can be read,
    and is refused when it is applied.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import debater
    >>> from orchestra.topologies import debate
    >>> agents = [debater(Scripted([]), name=name) for name in "ab"]
    >>> diff(debate(agents, rounds=2), debate(agents, rounds=3))
    [{'do': 'set', 'at': 'stop.second.limit', 'to': 3, 'was': 2}]
    """
    return list(_changes(outline(a)["team"], outline(b)["team"], ""))


def lines(changes: Sequence[Change]) -> list[str]:
    """Changes as lines to read; texts that are long, or of several lines, as a unified diff of their lines."""
    return [line for change in changes for line in _lines(change)]


def _changes(old: Any, new: Any, place: str) -> Iterator[Change]:
    if _is_pair(old, new, "$") and old["$"] == new["$"]:
        yield from _of_instance(old, new, place)
    elif _is_pair(old, new, "map") and _has_places(old["map"]) and old["map"].keys() == new["map"].keys():
        for key in old["map"]:
            yield from _changes(old["map"][key], new["map"][key], step(place, key))
    elif isinstance(old, list) and isinstance(new, list) and _is_named(old) and _is_named(new):
        yield from _of_items(old, new, place)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _changes(before, after, step(place, str(number)))
    elif canonical(old) != canonical(new):
        yield {"do": "set", "at": place, "to": new, "was": old}


def _is_pair(old: Any, new: Any, key: str) -> bool:
    return isinstance(old, dict) and isinstance(new, dict) and key in old and key in new


def _has_places(items: dict[str, Any]) -> bool:
    return not any(mark in key for key in items for mark in "[]")


def _is_named(items: list[Any]) -> bool:
    """Whether all items are nodes, or edges, so that each has a label that stays its own."""
    return bool(items) and all(isinstance(item, dict) and item.get("$") in ("node", "edge") for item in items)


def _of_instance(old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[Change]:
    if {"nodes", "edges"} <= old.keys() & new.keys():
        if pairs := _renamed(old["nodes"], new["nodes"]):
            old = deepcopy(old)
        for name, renamed in pairs:
            rename(old, name, renamed)
            yield {"do": "rename", "at": step(step(place, "nodes"), name), "to": renamed}
    before, after = all_fields(old, "some"), all_fields(new, "some")
    for name in before:
        yield from _changes(before[name], after[name], step(place, name))


def _renamed(old: list[Any], new: list[Any]) -> list[tuple[str, str]]:
    """Old and new name of the nodes that differ by name alone, their own and their actor's."""
    if not _is_named(old) or not _is_named(new):
        return []
    kept = {node["name"] for node in old} & {node["name"] for node in new}
    come = [node for node in new if node["name"] not in kept]
    pairs = []
    for node in old:
        same = (other for other in come if _nameless(other) == _nameless(node))
        if node["name"] not in kept and (other := next(same, None)):
            come.remove(other)
            pairs.append((node["name"], other["name"]))
    return pairs


def _nameless(node: dict[str, Any]) -> str:
    actor = node["actor"]
    plain = {**actor, "name": ""} if isinstance(actor, dict) and "name" in actor else actor
    return canonical({**node, "name": "", "actor": plain})


def _of_items(old: list[Any], new: list[Any], place: str) -> Iterator[Change]:
    before, after = dict(zip(labels(old), old, strict=True)), dict(zip(labels(new), new, strict=True))
    for label in reversed(before):  # of equal edges the last goes first, so that the others keep their label
        if label not in after:
            yield {"do": "remove", "at": step(place, label)}
    kept = [label for label in after if label in before]
    if kept != [label for label in before if label in after]:
        yield {"do": "order", "at": place, "to": kept}
    length = len(kept)
    for number, label in enumerate(after):
        if label not in before:
            added: Change = {"do": "add", "at": place, "to": after[label]}
            yield added if number == length else {**added, "place": number}
            length += 1
    for label in kept:
        yield from _changes(before[label], after[label], step(place, label))


def _lines(change: Change) -> Iterator[str]:
    place, to = change["at"], change.get("to")
    match change["do"]:
        case "add":
            (label,) = labels([to])
            number = f" at place {change['place']}" if "place" in change else ""
            yield f"+ {step(place, label)}{number}{_content(to)}"
        case "remove":
            yield f"- {place}"
        case "rename":
            yield f"~ {place} is now called {to!r}"
        case "order":
            yield f"~ {place} in another order: {', '.join(map(str, to or ()))}"
        case "set":
            yield from _set_lines(place, change)


def _content(item: Any) -> str:
    """What an item holds beside its label."""
    inner = item.items() if isinstance(item, dict) else ()
    told = [f"{name}={_told(part)}" for name, part in inner if name not in ("$", "name", "src", "dst", "kind")]
    return ": " + ", ".join(told) if told else ""


def _set_lines(place: str, change: Change) -> Iterator[str]:
    to, was = change["to"], change.get("was")
    if isinstance(to, str) and isinstance(was, str) and (len(to + was) > LONG or "\n" in to + was):
        yield f"~ {place}:"
        for line in list(unified_diff(was.split("\n"), to.split("\n"), lineterm="", n=2))[2:]:
            yield f"    {line}"
    elif "was" in change:
        yield f"~ {place}: {_told(was)} -> {_told(to)}"
    else:
        yield f"~ {place}: {_told(to)}"


def _told(form: Any) -> str:
    """A form on one line: a name for what is large."""
    if isinstance(form, dict) and "$" in form:
        inner = ", ".join(f"{name}={_told(part)}" for name, part in form.items() if name != "$")
        return f"{form['$']}({inner})" if len(inner) <= LONG else f"{form['$']}({_told(form.get('name', '...'))})"
    if isinstance(form, dict) and len(form) == 1:
        return ", ".join(map(str, form.values()))
    text = canonical(form)
    return text if len(text) <= LONG else text[: LONG - 3] + "..."
