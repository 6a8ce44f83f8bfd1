"""Teams as data. One rule for everything: registered frozen dataclasses by name and fields, functions by name.

Loading resolves names in the registry and policies in the table it is given; it imports and runs no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from orchestra.engine import outputs, stops
from orchestra.engine.budget import Budget
from orchestra.engine.graph import Edge, Node
from orchestra.errors import BadData, BadTeam, UnknownName
from orchestra.models.model import Model, Policy
from orchestra.team.registry import name_of, register, resolve
from orchestra.team.saving import files
from orchestra.team.saving.data import from_form, to_form, within
from orchestra.team.saving.fields import short

SCHEMA = 1

_ENGINE: tuple[type, ...] = (
    Node, Edge, stops.Never, stops.MaxRounds, stops.Quorum, stops.Said, stops.Spoken, stops.Either, stops.Both,
    stops.Accepted, stops.Unchanged, stops.Spent, stops.Timeout, stops.Signal,
    outputs.Last, outputs.LastAnswer, outputs.Majority, outputs.Everything, Budget,
)  # fmt: skip
for _cls in _ENGINE:
    register(_cls.__name__.lower())(_cls)
register("exact")(stops.exact)
register("approves")(stops.approves)


def save(team: Any) -> dict[str, Any]:
    """JSON data of a team; BadTeam, naming the place, where a function or class has no registered name."""
    return {"schema": SCHEMA, "team": to_form(team, "all")}


def write(path: Path, team: Any) -> None:
    """Saves a team in a JSON or YAML file, whole or not at all; equal teams give equal bytes."""
    files.write(path, save(team))


def outline(team: Any) -> dict[str, Any]:
    """Like `save`, with a fingerprint of what has no registered name: good for a digest, not for loading.

    Of a function that covers its code, defaults and plain closed-over values, as `orchestra.team.saving.fingerprint`
    promises; of a registered one the name alone, so that a team keeps its digest while its functions are put right.
    """
    return {"schema": SCHEMA, "team": to_form(team, "some")}


def load(data: Mapping[str, Any] | Path | str, policies: Mapping[str, Policy] | Model) -> Any:
    """The inverse of `save`. BadTeam, BadData or UnknownName, naming the place, where it cannot be done."""
    if not isinstance(data, (str, Path)):
        return _loaded(data, policies)
    saved = files.read(Path(data))
    with within(str(data)):
        return _loaded(saved, policies)


def _loaded(saved: Any, policies: Mapping[str, Policy] | Model) -> Any:
    if not isinstance(saved, Mapping) or set(saved) != {"schema", "team"} or saved["schema"] != SCHEMA:
        raise BadData(f"not a saved team: expected an object with schema {SCHEMA} and team, got {short(saved)}")
    try:
        return from_form(saved["team"], lambda name: _policy(name, policies))
    except RecursionError:
        raise BadData("team: it is nested too deeply; fix: fewer teams within teams") from None


def agents(team: Any) -> list[Any]:
    """Every Agent within a value, in order of declaration."""
    agent = resolve("agent")
    found: list[Any] = []

    def look(value: Any) -> None:
        if isinstance(value, agent):
            found.append(value)
        elif is_dataclass(value) and not isinstance(value, (type, Policy)):
            for f in fields(value):
                if f.init:
                    look(getattr(value, f.name))
        elif isinstance(value, Mapping):
            for inner in value.values():
                look(inner)
        elif isinstance(value, (tuple, list)):
            for inner in value:
                look(inner)

    look(team)
    return found


def not_a_team(value: Any) -> BadTeam:
    return BadTeam(f"expected a saved team, got {name_of(type(value)) or type(value).__name__}")


def _policy(name: str, policies: Mapping[str, Policy] | Model) -> Policy:
    if not isinstance(policies, Mapping):
        return Policy(name, policies)
    if name not in policies:
        raise UnknownName("policy", name, policies)
    return policies[name]
