"""Records as text: canonical JSON out, closed types in. What was dumped loads to an equal value, or is refused.

Fields typed Any (`Task.gold`, `Message.parsed`, outcomes of tools) hold plain data alone: None, bool, int, float, str,
arrays and objects with string keys. JSON has one array, so every array of theirs comes back as a tuple, and a
dataclass as a dict; `plain` brings a value into that form beforehand. NaN and infinity are refused both ways,
log-probabilities of -inf included: a token of probability 0 was not sampled. Of a repeated key the last stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import chain
from math import isfinite
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from orchestra.digest import canonical
from orchestra.errors import BadData
from orchestra.trajectory.journal import Failure
from orchestra.trajectory.trajectory import SCHEMA, Decision, Trajectory
from orchestra.types import LATER, Completion, Message, Task

T = TypeVar("T")

DEEPEST = 100
"""Levels of nesting in Any fields; the reader's own limit is 200, and what cannot be read must not be written."""

_CLOSED = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_SCALARS = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Saved:
    """A trajectory on disk."""

    schema: int
    trajectory: Trajectory


@dataclass(frozen=True, slots=True)
class _Completed:
    kind: Literal["completion"]
    value: Completion


@dataclass(frozen=True, slots=True)
class _Failed:
    kind: Literal["failure"]
    error: str


@dataclass(frozen=True, slots=True)
class _Plain:
    kind: Literal["json"]
    value: Any


_Outcome = Annotated[_Completed | _Failed | _Plain, Field(discriminator="kind")]


def plain(value: Any, depth: int = 0) -> Any:
    """The value as plain data: tuples, dicts with string keys, scalars. Raises BadData on anything else.

    >>> plain([1, {"a": [2.5]}])
    (1, {'a': (2.5,)})
    """
    if type(value) in _SCALARS:
        return value
    if depth > DEEPEST:
        raise BadData(f"expected data nested at most {DEEPEST} deep, got deeper; fix: flatten it")
    if isinstance(value, (tuple, list)):
        # Token arrays are long and flat: one pass in C instead of a call an element.
        return tuple(value) if _SCALARS.issuperset(map(type, value)) else tuple(plain(v, depth + 1) for v in value)
    if is_dataclass(value) and not isinstance(value, type):
        items = ((name, getattr(value, name)) for name in _names(type(value)))
        return {name: plain(item, depth + 1) for name, item in items if name not in LATER or item != LATER[name]}
    if isinstance(value, Mapping):
        return {_name(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, str):  # an enum; its own __str__ may say something else
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):  # NumPy's float64 is one
        return float(value)
    raise BadData(
        f"expected plain JSON data, got {type(value).__name__} {value!r:.80}; fix: convert it to str, int or float"
    )


def dump(value: Any) -> str:
    """Canonical JSON of a record; a Trajectory carries its schema version.

    Raises BadData on what could not be read back: NaN, lone surrogates, foreign objects, unequal parallel arrays.
    """
    _check(value)
    try:
        text = canonical(
            {"schema": SCHEMA, "trajectory": plain(value)} if isinstance(value, Trajectory) else plain(value)
        )
        text.encode("utf-8")
    except ValueError as error:  # UnicodeEncodeError is one
        raise BadData(
            f"{type(value).__name__} cannot be saved as JSON: {error}; fix: finite numbers and valid text"
        ) from error
    return text


def load(text: str, kind: type[T]) -> T:
    """The value that `dump` wrote; no field may be unknown or of another type. Raises BadData naming the place.

    >>> load(dump(Task("t1", "What is 3 + 4?", gold=[7])), Task).gold
    (7,)
    """
    value = _tupled(_trajectory(text) if kind is Trajectory else _read(text, kind))
    _check(value)
    return value  # type: ignore[no-any-return]


def dump_outcome(outcome: Any) -> str:
    """What an effect gave, with its kind: a Completion, a Failure, or plain data."""
    if isinstance(outcome, Completion):
        _check(outcome)
        return dump({"kind": "completion", "value": outcome})
    if isinstance(outcome, Failure):
        return dump({"kind": "failure", "error": outcome.error})
    return dump({"kind": "json", "value": outcome})


def load_outcome(text: str) -> Any:
    """The outcome that `dump_outcome` wrote.

    >>> load_outcome(dump_outcome(Failure("timed out after 30 s")))
    Failure(error='timed out after 30 s')
    """
    found = _read(text, _Outcome)
    if isinstance(found, _Failed):
        return Failure(found.error)
    value = _tupled(found.value)
    _check(value)
    return value


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _name(key: Any) -> str:
    if type(key) is not str:
        raise BadData(f"expected string keys in JSON data, got {key!r}; fix: str(key), or an array of pairs")
    return key


@cache
def _adapter(kind: Any) -> TypeAdapter[tuple[Any]]:
    # In a tuple, because pydantic takes a configuration for what contains standard dataclasses, not for one itself.
    return TypeAdapter(tuple[kind], config=_CLOSED)


def _read(text: str, kind: Any) -> Any:
    name = kind.__name__ if isinstance(kind, type) else "outcome"
    try:
        return _adapter(kind).validate_json(f"[{text}]")[0]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"][1:]) or "top"
        raise BadData(f"{name} at {place}: {first['msg']}, got {first['input']!r:.80}") from error
    except (TypeError, ValueError) as error:  # a FrozenMap field that is no object; text with lone surrogates
        raise BadData(f"{name} cannot be read: {error}") from error


def _trajectory(text: str) -> Trajectory:
    try:
        saved = _read(text, Saved)
    except BadData:
        _check_schema(_schema_of(text))  # the fields of another version only look broken
        raise
    _check_schema(saved.schema)
    return saved.trajectory  # type: ignore[no-any-return]


def _schema_of(text: str) -> Any:
    try:
        saved = from_json(text)
    except ValueError:
        return SCHEMA
    return saved.get("schema", SCHEMA) if isinstance(saved, dict) else SCHEMA


def _check_schema(found: Any) -> None:
    if found != SCHEMA:
        raise BadData(f"trajectory has schema {found!r}, this version reads {SCHEMA}; fix: upgrade orchestra-teams")


def _tupled(value: Any) -> Any:
    """Arrays of Any fields as tuples; everything typed is one already. Raises BadData on a float that is not finite."""
    if isinstance(value, float) and not isfinite(value):
        raise BadData(f"expected finite numbers, got {value!r}; fix: leave out what is not known")
    if isinstance(value, list):
        return tuple(_tupled(item) for item in value)
    if isinstance(value, dict):
        return {key: _tupled(item) for key, item in value.items()}
    if isinstance(value, Task):
        return replace(value, gold=_tupled(value.gold))
    if isinstance(value, Message):
        return replace(value, parsed=_tupled(value.parsed))
    if isinstance(value, Trajectory):
        return replace(value, task=_tupled(value.task), messages=tuple(map(_tupled, value.messages)))
    return value


def _check(value: Any) -> None:
    """What types cannot say: arrays that belong together are equally long, and a tree takes only what it holds."""
    if isinstance(value, Completion):
        _check_completion(value)
    elif isinstance(value, Decision) and value.completion is not None:
        _check_completion(value.completion)
        if value.completion.scores and len(value.completion.scores) != len(value.request.options):
            found, options = len(value.completion.scores), len(value.request.options)
            raise BadData(f"decision {value.key} has {found} scores of {options} options")
    elif isinstance(value, Trajectory):
        for decision in value.decisions:
            _check(decision)
        known = {decision.key for decision in value.decisions}
        if len(known) != len(value.decisions):
            raise BadData(f"trajectory {value.id} holds two decisions under one key")
        if lost := set(chain.from_iterable(leaf.taken for leaf in value.leaves)) - known:
            raise BadData(f"trajectory {value.id} has a leaf that takes {min(lost)}, which it does not hold")


def _check_completion(completion: Completion) -> None:
    aligned: dict[str, Sequence[float] | None] = {
        name: getattr(completion, name) for name in ("output_ids", "logprobs", "mask")
    }
    lengths = {name: len(array) for name, array in aligned.items() if array is not None}
    if len(set(lengths.values())) > 1:
        raise BadData(f"completion arrays must be equally long, got {lengths}")
    if completion.raw and completion.scores and len(completion.raw) != len(completion.scores):
        raise BadData(f"completion has {len(completion.raw)} raw scores and {len(completion.scores)} calibrated ones")
    for name in ("prompt_ids", "output_ids", "mask"):
        if kinds := set(map(type, getattr(completion, name) or ())) - {int}:
            raise BadData(f"completion.{name} takes plain ints, got {min(k.__name__ for k in kinds)}; fix: .tolist()")
