"""Kinds of fields, by values that fit and values that do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

import pytest

from orchestra.engine import Actor, MaxRounds, Stop
from orchestra.errors import BadInput
from orchestra.team.saving.fields import check
from orchestra.types import FrozenMap

T = TypeVar("T")


class Sized(Protocol):
    """Of things that are not called."""

    size: int


@dataclass(frozen=True)
class Kinds(Generic[T]):
    text: str = ""
    whole: int = 0
    number: float = 0.0
    truth: bool = False
    maybe: str | None = None
    either: int | tuple[str, ...] = 0
    word: Literal["a", "b", 3] = "a"
    many: Sequence[int] = ()
    pair: tuple[str, int] = ("", 0)
    nested: tuple[tuple[str, float], ...] = ()
    table: Mapping[str, int] = field(default_factory=FrozenMap)
    anything: Any = None
    of_type: T | None = None
    function: Callable[[int], str] = str
    actor: Actor | None = None
    stop: Stop | None = None
    steps: range = range(0)
    limited: Annotated[int, "limit"] = 0
    listed: list[int] = field(default_factory=list)
    sized: Sized | None = None
    bare: Sequence = ()  # type: ignore[type-arg]
    whatever: object = None


FITS = [
    ("text", "x"), ("whole", 3), ("number", 3), ("number", 0.5), ("truth", True), ("maybe", None), ("maybe", "x"),
    ("either", 1), ("either", ("a",)), ("word", "b"), ("word", 3), ("many", (1, 2)), ("many", ()), ("pair", ("a", 1)),
    ("nested", (("a", 1), ("b", 0.5))), ("table", FrozenMap({"a": 1})), ("anything", object()), ("of_type", 5),
    ("function", len), ("actor", len), ("actor", None), ("stop", MaxRounds(2)), ("steps", range(3)), ("limited", 4),
    ("listed", (1, 2)), ("bare", (1, "a")), ("whatever", "x"),
    ("sized", object()),
]  # fmt: skip
MISFITS = [
    ("text", 1, "text: expected a text, got 1"),
    ("text", None, "text: expected a text, got None"),
    ("whole", 1.0, "whole: expected a whole number, got 1.0"),
    ("whole", True, "whole: expected a whole number, got True"),
    ("number", "1", "number: expected a number, got '1'"),
    ("number", False, "number: expected a number, got False"),
    ("truth", 1, "truth: expected true or false, got 1"),
    ("maybe", 1, "maybe: expected a text or null, got 1"),
    ("either", "x", "either: expected a whole number or a list, got 'x'"),
    ("either", (1,), "either: expected a whole number or a list, got (1,)"),
    ("word", "c", "word: unknown value 'c'; known: a, b"),
    ("word", 4, "word: expected 'a' or 'b' or 3, got 4"),
    ("many", "12", "many: expected a list, got '12'"),
    ("many", (1, "2"), "many[1]: expected a whole number, got '2'"),
    ("pair", ("a",), "pair: expected a list of 2, got ('a',)"),
    ("pair", ("a", "b"), "pair[1]: expected a whole number, got 'b'"),
    ("nested", (("a", 1), ("b", "x")), "nested[1][1]: expected a number, got 'x'"),
    ("table", (), "table: expected Mapping, got ()"),
    ("table", FrozenMap({"a": "x"}), "table.a: expected a whole number, got 'x'"),
    ("table", FrozenMap({1: 1}), "table: expected a text, got 1"),
    ("function", "len", "function: expected a function, got 'len'"),
    ("actor", 3, "actor: expected an actor or null, got 3"),
    ("stop", "never", "stop: expected Stop or null, got 'never'"),
    ("steps", (0, 3), "steps: expected a range, got (0, 3)"),
    ("listed", (1, "a"), "listed[1]: expected a whole number, got 'a'"),
    ("listed", "12", "listed: expected a list, got '12'"),
    ("bare", "12", "bare: expected a list, got '12'"),
    ("limited", "x", "limited: expected a whole number, got 'x'"),
    ("txt", "x", "team: unknown field of Kinds 'txt'; did you mean 'text'?"),
]


@pytest.mark.parametrize(("name", "value"), FITS)
def test_what_fits_passes(name, value):
    check(Kinds, {name: value}, "")


@pytest.mark.parametrize(("name", "value", "said"), MISFITS)
def test_what_does_not_fit_is_named_by_its_place(name, value, said):
    with pytest.raises(BadInput) as caught:
        check(Kinds, {name: value}, "")
    assert str(caught.value) == said


def test_what_is_needed_and_missing_is_named():
    @dataclass(frozen=True)
    class Pair:
        one: int
        two: int
        three: int = 3

    with pytest.raises(BadInput, match=r"^nodes\.a\.actor: Pair needs 'one', 'two'; fix: add that$"):
        check(Pair, {"three": 5}, "nodes.a.actor")


def test_annotations_that_cannot_be_read_are_not_held_against_a_value():
    @dataclass(frozen=True)
    class Strange:
        one: NoSuchThing  # type: ignore[name-defined]  # noqa: F821

    check(Strange, {"one": "anything"}, "")
