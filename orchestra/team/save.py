"""Teams as data. One rule for everything: registered frozen dataclasses by name and fields, functions by name.

Loading resolves names in the registry and policies in the table it is given; it imports and runs no code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestra.engine import outputs, stops
from orchestra.engine.graph import Edge, Node
from orchestra.errors import BadData, BadInput, BadTeam, UnknownName
from orchestra.models.model import Model, Policy
from orchestra.team.registry import name_of, register, resolve
from orchestra.types import FrozenMap

SCHEMA = 1
LONGEST = {".json": 200_000_000, ".yaml": 4_000_000, ".yml": 4_000_000}
"""Bytes of a team file; more is refused unread. The largest graph fits in JSON; YAML takes a minute for what it may."""

_ENGINE: tuple[type, ...] = (
    Node, Edge, stops.Never, stops.MaxRounds, stops.Quorum, stops.Said, stops.Spoken, stops.Either, stops.Both,
    outputs.Last, outputs.Majority, outputs.Everything,
)  # fmt: skip
for _cls in _ENGINE:
    register(_cls.__name__.lower())(_cls)
register("exact")(stops.exact)


def save(team: Any) -> dict[str, Any]:
    """JSON data of a team; BadTeam, naming the place, where a function or class has no registered name."""
    return {"schema": SCHEMA, "team": _out(team, getattr(team, "name", "team"), strict=True)}


def outline(team: Any) -> dict[str, Any]:
    """Like `save`, with what has no registered name under its Python name: good for a digest, not for loading."""
    return {"schema": SCHEMA, "team": _out(team, getattr(team, "name", "team"), strict=False)}


def load(data: Mapping[str, Any] | Path | str, policies: Mapping[str, Policy] | Model) -> Any:
    """The inverse of `save`. BadTeam, BadData or UnknownName, naming the place, where it cannot be done."""
    form = read(Path(data)) if isinstance(data, (str, Path)) else data
    if not isinstance(form, Mapping) or set(form) != {"schema", "team"} or form["schema"] != SCHEMA:
        raise BadData(f"not a saved team: expected an object with schema {SCHEMA} and team, got {_short(form)}")
    try:
        return _in(form["team"], policies, "team")
    except RecursionError:
        raise BadData("team: it is nested too deeply") from None


def read(path: Path) -> Any:
    """JSON or YAML of a file, by its ending; duplicate keys and aliases that grow are refused."""
    if path.suffix not in LONGEST:
        raise BadData(f"team file {str(path)!r}: expected .json, .yaml or .yml")
    longest = LONGEST[path.suffix]
    try:
        if (size := path.stat().st_size) > longest:
            raise BadData(f"team file {str(path)!r}: {size:,} bytes; at most {longest:,} are accepted")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"team file {str(path)!r} cannot be read: {error}") from None
    try:
        if path.suffix == ".json":
            return json.loads(text, object_pairs_hook=_once)
        return yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader, below)
    except (ValueError, TypeError, yaml.YAMLError, RecursionError) as error:
        raise BadData(f"team file {str(path)!r}: {' '.join(str(error).split())}") from None


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


def _out(value: Any, where: str, *, strict: bool) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (tuple, list)):
        return [_out(inner, f"{where}[{i}]", strict=strict) for i, inner in enumerate(value)]
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, Policy):
        return {"policy": value.name}
    if isinstance(value, Mapping):
        return {"map": {str(k): _out(v, f"{where}.{k}", strict=strict) for k, v in value.items()}}
    instance = is_dataclass(value) and not isinstance(value, type)
    if (name := name_of(type(value) if instance else value)) is None:
        name = getattr(value, "__qualname__", type(value).__qualname__)
        if strict:
            raise BadTeam(f"{where}: {name} has no registered name, so it cannot be saved; add @register('name') to it")
    if not instance:
        return {"@": name}
    kept = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
    plain = {f.name for f in fields(value) if f.init and f.default is not MISSING and kept[f.name] == f.default}
    return {"$": name, **{n: _out(v, f"{where}.{n}", strict=strict) for n, v in kept.items() if n not in plain}}


def _in(form: Any, policies: Mapping[str, Policy] | Model, where: str) -> Any:
    if form is None or isinstance(form, (str, bool, int, float)):
        return form
    if isinstance(form, list):
        return tuple(_in(inner, policies, f"{where}[{i}]") for i, inner in enumerate(form))
    if not isinstance(form, Mapping):
        raise BadData(f"{where}: unexpected {_short(form)}")
    if set(form) == {"range"}:
        return _range(form["range"], where)
    if set(form) == {"map"} and isinstance(form["map"], Mapping):
        return FrozenMap({k: _in(v, policies, f"{where}.{k}") for k, v in form["map"].items()})
    if set(form) == {"policy"}:
        return _policy(form["policy"], policies, where)
    if set(form) == {"@"}:
        return _function(form["@"], where)
    return _instance(form, policies, where)


def _range(ends: Any, where: str) -> range:
    if not isinstance(ends, list) or len(ends) != 3 or any(type(end) is not int for end in ends) or not ends[2]:
        raise BadData(f"{where}: expected a range as [start, stop, step], got {_short(ends)}")
    return range(*ends)


def _policy(name: Any, policies: Mapping[str, Policy] | Model, where: str) -> Policy:
    if not isinstance(name, str):
        raise BadData(f"{where}: expected the name of a policy, got {_short(name)}")
    if not isinstance(policies, Mapping):
        return Policy(name, policies)
    if name not in policies:
        raise UnknownName("policy", name, policies)
    return policies[name]


def _function(name: Any, where: str) -> Any:
    thing = resolve(str(name))
    if isinstance(thing, type):
        raise BadData(f"{where}: {name!r} is a class; expected a registered function")
    return thing


def _instance(form: Mapping[str, Any], policies: Mapping[str, Policy] | Model, where: str) -> Any:
    cls = resolve(str(form.get("$"))) if "$" in form else None
    if not isinstance(cls, type) or not is_dataclass(cls):
        raise BadData(f"{where}: expected an object with '$' and a registered class, got {_short(form)}")
    known = {f.name for f in fields(cls) if f.init}
    for name in form:
        if name != "$" and name not in known:
            raise BadInput(f"{where}: {UnknownName(f'field of {cls.__name__}', name, known)}")
    values = {n: _in(v, policies, f"{where}.{_label(v, n)}") for n, v in form.items() if n != "$"}
    try:
        return cls(**values)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadData(f"{where}: {cls.__name__} does not take these values: {error}") from None


def _label(value: Any, name: str) -> str:
    return str(value.get("name", name)) if isinstance(value, Mapping) else name


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError(f"key {key!r} stands twice in one object")
        seen[key] = value
    return seen


class _Loader(yaml.SafeLoader):
    """YAML without aliases (which can grow without bound) and without duplicate keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"line {line}: aliases are not accepted")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        return _once(
            [(self.construct_object(k, deep=True), self.construct_object(v, deep=True)) for k, v in node.value]
        )


def _mapping(loader: _Loader, node: Any) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
