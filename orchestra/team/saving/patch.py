"""A patch applied: changes to a team, made one after another, give a new team; the old one stays as it is.

The team that they lead to is checked as a whole, so that those on the way need not hold together. A change with `was`
is refused where something else stands. What has no registered name, and every model, stays what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from orchestra.digest import canonical
from orchestra.engine.graph import Graph
from orchestra.errors import BadData, BadTeam, UnknownName
from orchestra.models.model import Policy
from orchestra.team.saving.changes import Change, Changes, listed, read
from orchestra.team.saving.data import Live, Named, all_fields, from_form, to_form
from orchestra.team.saving.fields import short
from orchestra.team.saving.places import labels, step, steps
from orchestra.team.saving.save import agents
from orchestra.types import EMPTY

G = TypeVar("G", bound=Graph)

_NAMING: Final[Mapping[Any, tuple[str, ...]]] = {
    "asker": ("experts",), "route": ("branches",), "switch": ("to", "bench"),
}  # fmt: skip
"""Actors that name nodes of their team, and the fields in which they do."""


def patch(team: G, changes: Changes | Path, policies: Mapping[str, Policy] = EMPTY) -> G:
    """The team after these changes, given as data or as a JSON or YAML file.

    Policies are named; those of the team are known, others are looked up in `policies`. BadInput names the change that
    cannot be made, with a suggestion, or what is wrong with the team that they lead to.

    >>> from orchestra.models.scripted import Scripted
    >>> from orchestra.roles import generator
    >>> from orchestra.topologies import solo
    >>> team = solo(generator(Scripted(["4"])))
    >>> patch(team, {"nodes.generator.actor.role.temperature": 0}).agents()[0].role.temperature
    0
    """
    form = to_form(team, "live")
    if isinstance(form, Live):
        raise BadTeam(f"{type(team).__name__} has no registered name, so it cannot be patched; fix: @register('name')")
    patcher = _Patcher(form, {agent.policy.name: agent.policy for agent in agents(team)} | dict(policies))
    try:
        for change in listed(read(changes) if isinstance(changes, Path) else changes):
            patcher.apply(change)
        made = from_form(patcher.form, patcher.policy)
    except RecursionError:
        raise BadData("a change is nested too deeply") from None
    assert isinstance(made, type(team))  # no place leads to the team's own class
    return made


def rename(team: dict[str, Any], old: str, new: str) -> None:
    """Renames a node in the form of a team: also in its edges, stop and output, and where its switches and routes name
    it. Other actors that name nodes are not known to."""
    for item in (*team["nodes"], *team["edges"]):
        item.update({key: new for key in ("name", "src", "dst") if item.get(key) == old})
        _rename_in(item.get("actor"), (), old, new)
    for part in (team.get("stop"), team.get("output")):
        _rename_in(part, ("by", "names"), old, new)


def _rename_in(form: Any, usual: Sequence[str], old: str, new: str) -> None:
    """In a form and its parts, save nested teams, whose names are their own; `usual` are fields that name nodes."""
    if not isinstance(form, dict) or "nodes" in form:
        return
    for field, inner in form.items():
        if isinstance(inner, list) and field in (*usual, *_NAMING.get(form.get("$"), ())):
            form[field] = [new if name == old else name for name in inner]
        _rename_in(inner, usual, old, new)


class _Patcher:
    """The form of a team that is being changed. What has no registered name stands in it as it is."""

    def __init__(self, form: dict[str, Any], policies: Mapping[str, Policy]) -> None:
        self.form = form
        self._policies = policies

    def policy(self, name: str) -> Policy:
        if name not in self._policies:
            raise UnknownName("policy", name, self._policies)
        return self._policies[name]

    def apply(self, change: Change) -> None:
        where, way = f"{change['do']} {change['at']!r}", steps(change["at"])
        holder, key = self._find(way, where)
        if "was" in change:
            self._check_was(holder[key], change["was"], where)
        if change["do"] == "set":
            holder[key] = _form(change["to"])
        elif change["do"] == "add":
            items = _list(holder[key], where)
            items.insert(_index(change.get("place", len(items)), len(items), where), _form(change["to"]))
        elif change["do"] == "remove":
            del _list(holder, where)[key]
        elif change["do"] == "rename":
            self._rename(way, change["to"], where)
        else:
            holder[key] = _ordered(_list(holder[key], where), change["to"], where)

    def _find(self, way: Sequence[str], where: str) -> tuple[Any, Any]:
        """What holds the place at the end of a way, and under which key or index."""
        holder: Any = {"team": self.form}
        key: Any = "team"
        place = ""
        for label in way:
            holder, keys = _inside(holder[key])
            if label not in keys:
                within = f"name in {place}" if place else "field of the team"
                raise BadTeam(f"{where}: {UnknownName(within, label, keys)}")
            key, place = keys[label], step(place, label)
        return holder, key

    def _check_was(self, form: Any, was: Any, where: str) -> None:
        found = to_form(from_form(form, self.policy), "some")
        if canonical(found) != canonical(_form(was, "some")):
            raise BadTeam(f"{where}: expected to find {short(was)}, got {short(found)}; the patch is of another team")

    def _rename(self, way: Sequence[str], new: Any, where: str) -> None:
        holder, key = self._find(way[:-2], where)
        if len(way) < 2 or way[-2] != "nodes" or not _is_team(holder[key]):
            raise BadTeam(f"{where}: expected the place of a node, such as nodes.alice")
        if not isinstance(new, str):
            raise BadTeam(f"{where}: expected a name, got {short(new)}")
        rename(holder[key], way[-1], new)


def _is_team(form: Any) -> bool:
    """Whether it has lists of nodes and edges that can be gone through."""
    parts = [form.get(part) for part in ("nodes", "edges")] if isinstance(form, dict) else [None]
    return all(isinstance(part, list) and all(isinstance(item, dict) for item in part) for part in parts)


def _inside(form: Any) -> tuple[Any, dict[str, Any]]:
    """What can be reached in a form: the dict or list that holds it, and label -> key."""
    if isinstance(form, list):
        return form, {label: number for number, label in enumerate(labels(form))}
    if not isinstance(form, dict):
        return form, {}
    if "map" in form:
        return form["map"], {key: key for key in form["map"]}
    known = all_fields(form, "live") if "$" in form else {}
    for name, inner in known.items():
        form.setdefault(name, inner)
    return form, {name: name for name in known}


def _form(given: Any, named: Named = "live") -> Any:
    """A copy of JSON data; the form of anything else."""
    if isinstance(given, dict):
        return {key: _form(inner, named) for key, inner in given.items()}
    if isinstance(given, list):
        return [_form(inner, named) for inner in given]
    return to_form(given, named)


def _list(items: Any, where: str) -> list[Any]:
    if not isinstance(items, list):
        raise BadTeam(f"{where}: expected a list such as nodes or edges there; fix: do: set")
    return items


def _index(place: Any, length: int, where: str) -> int:
    if type(place) is not int or not 0 <= place <= length:
        raise BadTeam(f"{where}: expected a place from 0 to {length}, got {place!r}")
    return place


def _ordered(items: list[Any], wanted: Any, where: str) -> list[Any]:
    known = dict(zip(labels(items), items, strict=True))
    if not isinstance(wanted, list) or sorted(map(str, wanted)) != sorted(known):
        raise BadTeam(f"{where}: expected {', '.join(known)} in another order, got {short(wanted)}")
    return [known[label] for label in wanted]
